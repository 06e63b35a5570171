// The etcd programs that the tests run: those of Debian's releases, which test/setup.sh unpacks, and any that ETCD_DIR_… names.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The label by which tests ask for a release: `3.4`, `3.5-forky`, or one that was added, such as `3.6`. */
export type EtcdRelease = string;

const CACHE = fileURLToPath(new URL('../../.cache/etcd/', import.meta.url));

/** The releases that test/setup.sh always unpacks, by Debian release: bookworm, trixie, forky. */
const DEBIAN_RELEASES = ['3.4', '3.5-trixie', '3.5-forky'] as const;

const VARIABLE = /^ETCD_DIR_(\w+)$/;

/** The label of a release that a variable adds: `ETCD_DIR_3_6` adds `3.6`. A variable's name can hold no dot. */
export function labelOfVariable(name: string): string | undefined {
  return VARIABLE.exec(name)?.[1]?.toLowerCase().replaceAll('_', '.');
}

/** The folders of the releases that `ETCD_DIR_<LABEL>=DIR` adds; each holds `etcd` and `etcdctl`. */
function foldersOf(environment: NodeJS.ProcessEnv): Map<EtcdRelease, string> {
  const found = Object.entries(environment).flatMap(([name, folder = '']) => {
    const label = labelOfVariable(name);
    return label === undefined || folder === '' ? [] : [[label, folder] as const];
  });
  return new Map(found);
}

const FOLDERS = foldersOf(process.env);

/** Later releases than the three, which test/setup.sh has found in Debian. */
function newerInCache(): EtcdRelease[] {
  if (!existsSync(CACHE)) return [];
  return readdirSync(CACHE, { withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink() && !DEBIAN_RELEASES.some((label) => label === entry.name))
    .map(({ name }) => name);
}

/** The releases beside the three of Debian's: later ones that test/setup.sh found, and those that ETCD_DIR_… names. */
export const ADDED_RELEASES: readonly EtcdRelease[] = [...new Set([...newerInCache(), ...FOLDERS.keys()])];

/** Every release that the tests can run. */
export const ETCD_RELEASES: readonly EtcdRelease[] = [...new Set([...DEBIAN_RELEASES, ...ADDED_RELEASES])];

const CHOSEN = process.env['ETCD_RELEASE'];

/** What a cluster runs that names no release: `ETCD_RELEASE`, or else that of Debian 12. */
export const DEFAULT_RELEASE: EtcdRelease = CHOSEN ?? DEBIAN_RELEASES[0];

/** What tests run that need no old release: `ETCD_RELEASE`, or else the last of Debian's. */
export const LATEST_RELEASE: EtcdRelease = CHOSEN ?? DEBIAN_RELEASES[2];

type EtcdProgram = 'etcd' | 'etcdctl' | 'etcdutl';

function placeOf(release: EtcdRelease, name: EtcdProgram): string {
  return join(FOLDERS.get(release) ?? join(CACHE, release, 'usr/bin'), name);
}

/** True when a release comes with a program; 3.4 has no `etcdutl`. */
export function hasProgram(release: EtcdRelease, name: EtcdProgram): boolean {
  return existsSync(placeOf(release, name));
}

/** Where a program of a release is. Throws when there is none. */
export function etcdProgram(release: EtcdRelease, name: EtcdProgram): string {
  const folder = FOLDERS.get(release);
  const program = placeOf(release, name);
  if (existsSync(program)) return program;
  throw new Error(
    folder === undefined
      ? `Cannot find ${program}: run test/setup.sh, or set ETCD_DIR_<LABEL> to a folder with etcd and etcdctl`
      : `Cannot find ${name} in ${folder}, which a variable ETCD_DIR_… names`,
  );
}

const said = new Map<string, string>();

/** What a release's etcd prints when it is asked with one option; asked once. */
function sayingOf(release: EtcdRelease, option: '--version' | '--help'): string {
  const program = etcdProgram(release, 'etcd');
  const id = `${program} ${option}`;
  const known = said.get(id);
  if (known !== undefined) return known;
  const { stdout, stderr, error } = spawnSync(program, [option], { encoding: 'utf8', timeout: 20_000 });
  if (error !== undefined) throw new Error(`Cannot run ${id}: ${error.message}`);
  said.set(id, stdout + stderr);
  return stdout + stderr;
}

/** The version that the program itself names, such as `3.4.23`. */
export function etcdVersion(release: EtcdRelease): string {
  const text = sayingOf(release, '--version');
  const version = /^etcd Version: (\d+\.\d+\.\d+\S*)/m.exec(text)?.[1];
  if (version === undefined) throw new Error(`Cannot find the version in what etcd says: ${text}`);
  return version;
}

/** True when the program lists an option such as `--enable-v2` in its `--help`. */
export function etcdTakes(release: EtcdRelease, option: string): boolean {
  const words = [...sayingOf(release, '--help').matchAll(/--[a-z0-9-]+/g)];
  return words.some(([word]) => word === option);
}

/** The release that a test runs which needs an option: the default one where it has that, else the first that does. */
export function releaseThatTakes(option: string): EtcdRelease {
  const found = [DEFAULT_RELEASE, ...ETCD_RELEASES].find((release) => etcdTakes(release, option));
  if (found === undefined) throw new Error(`No etcd here takes ${option}: run test/setup.sh`);
  return found;
}

/** The exact version for people: that of the Debian package, such as `3.4.23-4+b4`, else the program's own. */
export function etcdPackageVersion(release: EtcdRelease): string {
  const folder = join(CACHE, release);
  if (FOLDERS.has(release) || !existsSync(folder)) return etcdVersion(release);
  return realpathSync(folder).split('/').at(-1) ?? release;
}
