// Builds dist/ctdb_etcd_lock: one executable file, with the runtime in it. Needs "npm ci" before, and no network.
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const DIST = join(ROOT, 'dist');

async function main() {
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new Error(`The build runs on Node.js ${process.versions.node}; start it with "npm run build"`);
  }
  const { checkBase, stripBase } = await import('./packaging/build/base.ts');
  const { bundle } = await import('./packaging/build/bundle.ts');
  const { relabelBuiltinCache } = await import('./packaging/build/builtin-cache.ts');
  const { train } = await import('./packaging/build/train.ts');
  const { pack } = await import('./packaging/build/pack.ts');
  const { verify } = await import('./packaging/build/verify.ts');

  mkdirSync(DIST, { recursive: true });
  // Two builds at the same time do not meet; the last one to finish counts.
  const work = mkdtempSync(join(DIST, 'build-'));
  const program = join(work, 'program.cjs');
  const base = join(work, 'base');
  const finished = join(work, 'ctdb_etcd_lock');
  try {
    checkBase();
    stripBase(base);
    await bundle('src/main.ts', program);
    relabelBuiltinCache(base, program);
    await train(base, program, join(work, 'program.cache'));
    await pack({ directory: work, base: 'base', program: 'program.cjs', cache: 'program.cache' }, finished);
    verify(finished);
    rmSync(base);
    renameSync(finished, join(DIST, 'ctdb_etcd_lock'));
    rmSync(join(DIST, 'build'), { recursive: true, force: true });
    renameSync(work, join(DIST, 'build'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`Build failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
