import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { helperProgram } from '../support/mutex-parent.ts';
import type { Stage } from './stage.ts';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Bytes on disk. */
export interface Sizes {
  readonly binary: number;
  /** Undefined when it is not built: `npm run package`. */
  readonly deb: number | undefined;
  readonly rpm: number | undefined;
  /** Of the others, by their id: the program, and what it needs that a minimal Debian does not have. */
  readonly others: Readonly<Record<string, number>>;
}

function packageFile(suffix: string): number | undefined {
  const name = readdirSync(DIST).find(
    (file) => file.startsWith('ctdb-etcd-lock') && !file.includes('selinux') && file.endsWith(suffix),
  );
  const size = name === undefined ? 0 : statSync(join(DIST, name)).size;
  // One that is just being written is none.
  return size < 1e6 ? undefined : size;
}

/** What Debian installs more for the helper in Python than for a package without Python: Installed-Size is in KiB. */
function pythonBytes(root: string): number {
  const admin = `--admindir=${join(root, 'var/lib/dpkg')}`;
  const lines = execFileSync('dpkg-query', [admin, '-W', '-f', '${Package} ${Installed-Size}\n'], {
    encoding: 'utf8',
  }).split('\n');
  return lines
    .map((line) => line.split(' '))
    .filter(([name = '']) => /^(lib)?python3/.test(name) && !/samba|ldb|tdb|talloc/.test(name))
    .reduce((sum, [, size]) => sum + Number(size) * 1024, 0);
}

export function sizesOf({ root, minimalRoot }: Stage): Sizes {
  const bytes = (path: string): number => (existsSync(path) ? statSync(path).size : NaN);
  return {
    binary: statSync(helperProgram()).size,
    deb: packageFile('amd64.deb'),
    rpm: packageFile('x86_64.rpm'),
    others: {
      python: pythonBytes(root),
      minimal: pythonBytes(minimalRoot),
      etcdctl: bytes(join(root, 'shared/etcd/etcdctl')),
      fcntl: bytes(join(root, 'usr/libexec/ctdb/ctdb_mutex_fcntl_helper')),
      node: bytes(join(root, 'shared/node/node')),
      floor: bytes(join(root, 'shared/dist/bench/base')),
    },
  };
}
