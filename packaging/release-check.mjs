// Compares the versions in the sources, of the binary and packages in dist/, and of the tag on HEAD; docs: CONTRIBUTING.md, "How a
// release is made". Ends with 0 when all agree, also without a tag on HEAD, and with 1 otherwise.
//
// Usage: npm run release:check [-- --root DIR]
//   --root: another checkout than this one
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

async function main() {
  const { values } = parseArgs({ options: { root: { type: 'string' } } });
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new Error(`this is Node.js ${process.versions.node}; start with "npm run release:check"`);
  }
  const { disagreements, statedInDist, statedInSources, tagsOf } = await import('./release/agreement.ts');
  const root = values.root ?? fileURLToPath(new URL('..', import.meta.url));
  const statements = [...statedInSources(root), ...statedInDist(root)];
  const wanted = statements[0]?.version ?? '';
  const tags = tagsOf(root, wanted);
  for (const { place, version = '-', date, commit } of statements) {
    const more = [date, commit].filter((text) => text !== undefined).join(' ');
    console.log(`${version.padEnd(8)} ${place}${more === '' ? '' : ` (${more})`}`);
  }
  if (tags.onHead.length === 0)
    console.log(`no tag on HEAD (${tags.head}), so none is compared; want v${wanted}`);
  else
    for (const tag of tags.onHead)
      console.log(`${tag.replace(/^v/, '').padEnd(8)} tag ${tag} on HEAD (${tags.head})`);
  const problems = disagreements(statements, tags);
  for (const problem of problems) console.error(`Release check: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

main().catch((error) => {
  console.error(`Release check failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
