// Builds the packages into dist/: the binary unless --no-build, then DEB and RPM, a repository of them, and SHA256SUMS. No
// network is used.
//
// Usage: npm run package -- [--no-build] [--deb] [--rpm] [--repository] [--sign KEY] [--stage] [--arch amd64|arm64]
//   --deb, --rpm, --repository: only these; the repository is made of the packages that are in dist/
//   --sign: GPG's name for the key that signs the repository and the RPMs in it
//   --stage: no package, only the files of the RPM in dist/stage, for a spec that builds from source
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

async function main() {
  const { values } = parseArgs({
    options: {
      'no-build': { type: 'boolean' },
      deb: { type: 'boolean' },
      rpm: { type: 'boolean' },
      repository: { type: 'boolean' },
      sign: { type: 'string' },
      stage: { type: 'boolean' },
      arch: { type: 'string' },
    },
  });
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new Error(
      `The packages are made with Node.js ${process.versions.node}; start with "npm run package"`,
    );
  }
  const { provenance, ROOT } = await import('./release/project.ts');
  const { ARCHITECTURES } = await import('./release/architecture.ts');
  const { needTools } = await import('./release/tools.ts');
  const architecture = ARCHITECTURES.find(({ deb, rpm }) => [deb, rpm].includes(values.arch ?? 'amd64'));
  if (architecture === undefined) throw new Error(`--arch is "${values.arch}", want amd64 or arm64`);
  const all = !values.deb && !values.rpm && !values.repository && !values.stage;
  const wanted = {
    build: values['no-build'] || values.repository ? undefined : architecture,
    deb: all || values.deb === true,
    rpm: all || values.rpm === true || values.stage === true,
    repository: all || values.repository === true,
    signature: values.sign !== undefined,
  };
  needTools(wanted);

  const { buildDeb } = await import('./release/deb.ts');
  const { buildRpm, stageRpm } = await import('./release/rpm.ts');
  const { buildRepository } = await import('./release/repository.ts');
  const { report, writeChecksums } = await import('./release/checksums.ts');
  const from = provenance();
  if (wanted.build !== undefined) {
    execFileSync(process.execPath, ['build.mjs'], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, GIT_COMMIT: from.commit },
    });
    if (architecture.node !== 'x64') {
      const { buildForeign } = await import('./release/foreign.ts');
      buildForeign(architecture);
    }
  }
  if (values.stage) {
    console.log(`Laid out in ${stageRpm(architecture, from)}`);
    return;
  }
  const files = [];
  if (wanted.deb) files.push(buildDeb(architecture, from));
  if (wanted.rpm) files.push(...buildRpm(architecture, from));
  if (wanted.repository) files.push(buildRepository(from, values.sign));
  report([...(wanted.deb || wanted.rpm ? [architecture.binary] : []), ...files]);
  writeChecksums();
}

main().catch((error) => {
  console.error(`Packaging failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
