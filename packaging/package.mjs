// Builds the packages into dist/: the binary unless --no-build, then DEB and RPM, and SHA256SUMS. No network is used.
//
// Usage: npm run package -- [--no-build] [--deb] [--rpm] [--stage] [--arch amd64|arm64]
//   --stage: no package, only the files of the RPM in dist/stage, for a spec that builds from source
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';

async function main() {
  const { values } = parseArgs({
    options: {
      'no-build': { type: 'boolean' },
      deb: { type: 'boolean' },
      rpm: { type: 'boolean' },
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
  const { buildDeb } = await import('./release/deb.ts');
  const { buildRpm, stageRpm } = await import('./release/rpm.ts');
  const { report, writeChecksums } = await import('./release/checksums.ts');

  const architecture = ARCHITECTURES.find(({ deb, rpm }) => [deb, rpm].includes(values.arch ?? 'amd64'));
  if (architecture === undefined) throw new Error(`--arch is "${values.arch}", want amd64 or arm64`);
  const from = provenance();
  if (!values['no-build']) {
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
  const both = !values.deb && !values.rpm;
  const files = [];
  if (both || values.deb) files.push(buildDeb(architecture, from));
  if (both || values.rpm) files.push(...buildRpm(architecture, from));
  report([architecture.binary, ...files]);
  writeChecksums();
}

main().catch((error) => {
  console.error(`Packaging failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
