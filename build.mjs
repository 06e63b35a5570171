// Builds dist/ctdb_etcd_lock: one executable file, with the runtime in it. Needs "npm ci" before, and no network.
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const DIST = join(ROOT, 'dist');
const WORK = join(DIST, 'build');

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

  const binary = join(DIST, 'ctdb_etcd_lock');
  rmSync(WORK, { recursive: true, force: true });
  rmSync(binary, { force: true });
  mkdirSync(WORK, { recursive: true });

  checkBase();
  stripBase(join(WORK, 'base'));
  await bundle('src/main.ts', join(WORK, 'program.cjs'));
  relabelBuiltinCache(join(WORK, 'base'), join(WORK, 'program.cjs'));
  await train(join(WORK, 'program.cjs'), join(WORK, 'program.cache'));
  await pack({ directory: WORK, base: 'base', program: 'program.cjs', cache: 'program.cache' }, binary);
  verify(binary);
  rmSync(join(WORK, 'base'));
}

main().catch((error) => {
  console.error(`Build failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
