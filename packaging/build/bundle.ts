/** Makes one file of the program and what it imports. */
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledPackages } from '../release/components.ts';
import { fail, kilobytes, say } from './report.ts';
import { ETCD3, protoLoader, versionOf } from './proto-loader.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The commit that is built: GIT_COMMIT, for builds from an archive, else what git says, else `unknown`. */
function commit(): string {
  const given = process.env['GIT_COMMIT'];
  if (given !== undefined && given !== '') return given;
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** Bundles `entry` and writes `outFile`: a function expression that takes `require`, in plain ASCII. */
export async function bundle(entry: string, outFile: string): Promise<void> {
  const info = {
    version: versionOf(join(ROOT, 'package.json')),
    commit: commit(),
    etcd3: versionOf(join(ETCD3, 'package.json')),
  };
  const { metafile, warnings } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    charset: 'ascii',
    // The source stays in memory for as long as the program runs. Positions in a stack are resolved with the map, which
    // stays with the build.
    minify: true,
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'none',
    // Where etcd3 would look for its protocol; the codec has it built in.
    define: { __dirname: '"."' },
    banner: { js: `(function(require){"use strict";const __BUILD__=${JSON.stringify(info)};` },
    footer: { js: '})' },
    plugins: [protoLoader()],
    metafile: true,
    logLevel: 'silent',
  });
  for (const { text, location } of warnings) fail(`esbuild warns: ${text} (${location?.file ?? 'no file'})`);
  // What went in, for the licences that go with the packages. Looked at here already: a binary that nobody may hand out
  // is not built.
  const inputs = Object.keys(metafile.inputs);
  const packages = bundledPackages(ROOT, inputs);
  writeFileSync(`${outFile}.inputs.json`, JSON.stringify(inputs));
  say(
    `Bundle: ${inputs.length} modules, ${packages.length} packages with their licences, ${kilobytes(statSync(outFile).size)}; commit ${info.commit}`,
  );
}
