import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finished } from '../support/processes.ts';
import { run } from '../support/processes.ts';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const ALL = ['bookworm', 'trixie', 'forky'] as const;
const isShort = process.env['PACKAGE_TESTS'] === 'short';
/** The releases with ctdb that are tried. */
export const RELEASES: readonly Release[] = isShort ? ['bookworm'] : ALL;
/** And those without: bullseye is the oldest that Debian's mirrors still have, with glibc 2.31 and GCC 10. */
export const CLEAN_RELEASES: readonly Release[] = isShort ? RELEASES : ['bullseye', ...ALL];
export type Release = (typeof ALL)[number] | 'bullseye';

export const HELPER = '/usr/libexec/ctdb/ctdb_etcd_lock';
export const CONFIG = '/etc/ctdb/etcd';
export const MAN_PAGE = '/usr/share/man/man7/ctdb-etcd.7.gz';

/** A root file system that can be changed at will: a layer over one that stays as it is. */
export class Root implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'root');
  }

  /** @param kind `clean`: the least that Debian calls a system; `ctdb`: with the release's ctdb installed */
  static make(release: Release, kind: 'clean' | 'ctdb'): Root {
    const lower = join(CHECKOUT, '.cache', kind === 'clean' ? 'package' : 'ctdb', release);
    if (!existsSync(join(lower, '.complete')))
      throw new Error(`Cannot find ${lower}: run test/package/setup.sh`);
    const root = new Root(mkdtempSync(join(tmpdir(), 'ctdb-package-')));
    for (const name of ['root', 'upper', 'work']) mkdirSync(join(root.#directory, name));
    const layers = `lowerdir=${lower},upperdir=${root.#directory}/upper,workdir=${root.#directory}/work`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, root.path]);
    execFileSync('mount', ['-t', 'proc', 'proc', join(root.path, 'proc')]);
    return root;
  }

  /** Runs a program inside; never fails by itself. */
  run(program: string, ...args: readonly string[]): Promise<Finished> {
    return run('chroot', [this.path, program, ...args], {
      limitMs: 300_000,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
    });
  }

  /** Runs dpkg, which must succeed; a file that lies outside is copied in. Returns what it said. */
  async dpkg(...args: readonly string[]): Promise<string> {
    const inside = args.map((arg) => (arg.endsWith('.deb') ? this.copyIn(arg) : arg));
    const { status, stdout, stderr } = await this.run('dpkg', ...inside);
    if (status !== 0)
      throw new Error(`dpkg ${args.join(' ')} ended with ${String(status)}:\n${stdout}${stderr}`);
    return stdout + stderr;
  }

  /** As `dpkg`, and must fail. */
  async dpkgFails(...args: readonly string[]): Promise<string> {
    const inside = args.map((arg) => (arg.endsWith('.deb') ? this.copyIn(arg) : arg));
    const { status, stdout, stderr } = await this.run('dpkg', ...inside);
    if (status === 0) throw new Error(`dpkg ${args.join(' ')} succeeded:\n${stdout}${stderr}`);
    return stdout + stderr;
  }

  copyIn(file: string): string {
    const name = `/tmp/${basename(file)}`;
    copyFileSync(file, join(this.path, name));
    return name;
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  has(path: string): boolean {
    return existsSync(join(this.path, path));
  }

  /** Hash, mode and owner of a file; the word `absent` when there is none. */
  fingerprint(path: string): string {
    const file = join(this.path, path);
    if (!existsSync(file)) return 'absent';
    const { mode, uid, gid } = lstatSync(file);
    const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
    return `${hash} ${mode.toString(8)} ${uid}:${gid}`;
  }

  async diversions(): Promise<string> {
    const { stdout } = await this.run('dpkg-divert', '--list', 'ctdb-etcd-lock');
    return stdout.trim();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync('umount', ['--recursive', this.path]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
