/** What all packages have in common: names, versions, the time that goes into them, and how programs are run. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The name of the package in both formats, and of the source tarball. */
export const NAME = 'ctdb-etcd-lock';
/** Where CTDB looks for it; Debian's, Ubuntu's and Fedora's own helper has the same path. */
export const HELPER = '/usr/libexec/ctdb/ctdb_etcd_lock';
export const CONFIG = '/etc/ctdb/etcd';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DIST = join(ROOT, 'dist');
export const PACKAGING = join(ROOT, 'packaging');

/** Written into the source tarball, where git cannot be asked. */
export const PROVENANCE = join(ROOT, 'packaging/provenance.json');

export interface Provenance {
  /** The commit in hex; `-dirty` after it when the checkout has changes. */
  readonly commit: string;
  /** Seconds since 1970 that stand for the time of the build. */
  readonly epoch: number;
}

interface PackageJson {
  readonly version: string;
  readonly description: string;
}

function packageJson(): PackageJson {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as PackageJson;
}

export const VERSION = packageJson().version;

/** Runs a program; its stderr goes to ours. Returns what it wrote to stdout. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string | undefined>> } = {},
): string {
  return execFileSync(program, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Where these sources come from: the tarball's own record, else git. SOURCE_DATE_EPOCH overrides the time. */
export function provenance(): Provenance {
  const found = recorded() ?? asked();
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given === undefined || given === '') return found;
  if (!/^\d+$/.test(given)) throw new Error(`SOURCE_DATE_EPOCH is "${given}", want seconds since 1970`);
  return { ...found, epoch: Number(given) };
}

function recorded(): Provenance | undefined {
  try {
    return JSON.parse(readFileSync(PROVENANCE, 'utf8')) as Provenance;
  } catch {
    return undefined;
  }
}

function asked(): Provenance {
  return {
    commit: run('git', ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']).trim(),
    epoch: Number(run('git', ['log', '-1', '--format=%ct']).trim()),
  };
}
