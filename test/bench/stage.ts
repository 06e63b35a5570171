import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripBase } from '../../packaging/build/base.ts';
import { relabelBuiltinCache } from '../../packaging/build/builtin-cache.ts';
import { helperProgram } from '../support/mutex-parent.ts';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

/** The root file system in which everything that is compared runs; see stage.sh. */
export interface Stage {
  readonly root: string;
  /** The same without the packages that the helper in Python could do without. */
  readonly minimalRoot: string;
  /** A directory of ours in it: /shared/files. */
  readonly files: string;
}

export function openStage(): Stage {
  const root = process.env['BENCH_ROOT'];
  const minimalRoot = process.env['BENCH_MINIMAL_ROOT'];
  if (root === undefined || minimalRoot === undefined)
    throw new Error('There is no stage: use test/bench/run.sh');
  const files = join(root, 'shared/files');
  if (!existsSync(join(files, 'smb.conf'))) throw new Error(`${root} is no stage: use test/bench/run.sh`);
  return { root, minimalRoot, files };
}

/** The runtime as it is packed, without the program: dist/bench/base. */
export function makeBareBase(): void {
  const base = join(DIST, 'bench/base');
  if (existsSync(base) && statSync(base).mtimeMs > statSync(helperProgram()).mtimeMs) return;
  mkdirSync(join(DIST, 'bench'), { recursive: true });
  stripBase(base);
  relabelBuiltinCache(base, join(DIST, 'build/program.cjs'));
}
