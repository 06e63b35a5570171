import { close, constants, open, read, readFileSync, readlinkSync, stat } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from './clock.ts';
import { quote } from './quote.ts';

// In milliseconds. The configuration and the files that it names are asked one after the other, and the answer to CTDB
// is due 4 s after the start.
const LIMIT_MS = 1_500;

// File systems on a local disk or in memory, which no network and no program serves. One that is missing here costs a
// thread, and nothing else.
const LOCAL = new Set([
  ...['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'bcachefs', 'vfat'],
  ...['tmpfs', 'ramfs', 'rootfs', 'devtmpfs', 'overlay', 'squashfs', 'erofs'],
]);

// ELOOP of path_resolution(7).
const MOST_LINKS = 40;

interface Mount {
  readonly path: string;
  readonly type: string;
}

// Without /proc, no file is known to be local.
const UNKNOWN: Mount = { path: '/', type: 'unknown' };

export interface HungFileTools {
  readonly clock: Pick<Clock, 'now' | 'at'>;
  /** Called before the runtime starts its threads, which is only when there is a file to ask. */
  readonly beforeThreads?: () => void;
}

function readMountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    return ''; // no /proc
  }
}

/** The mounts, a later one over an earlier one. See proc_pid_mountinfo(5). */
function mountsIn(text: string): Mount[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const path = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return { path: Buffer.from(path, 'latin1').toString('utf8'), type: after.split(' ')[0] ?? '' };
  });
}

function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`);
    if (isAbove && mount.path.length >= (found?.path.length ?? 0)) found = mount;
  }
  return found;
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or no such file
  }
}

/**
 * The first mount on the way to a file that is not of a local file system; undefined when there is none. Symbolic links
 * are followed. Nothing is asked of the file system that is found. In a chroot the mount of the root is not in the list.
 * This program is read from it, so it counts as local.
 */
function firstRemoteMount(path: string, mounts: readonly Mount[]): Mount | undefined {
  let at = '/';
  let links = 0;
  const rest = resolve(path).split('/');
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = join(at, name);
    const mount = mountOf(next, mounts);
    if (mount !== undefined && !LOCAL.has(mount.type)) return mount;
    const target = next === at ? undefined : linkAt(next);
    if (target === undefined) at = next;
    else if ((links += 1) > MOST_LINKS) return undefined;
    else {
      if (target.startsWith('/')) at = '/';
      rest.unshift(...target.split('/'));
    }
  }
  return undefined;
}

/** Reads one byte of a regular file in a thread of the runtime. Calls back when the file system has answered. */
function touch(path: string, onAnswer: () => void): void {
  stat(path, (failure, stats) => {
    // Opening has an effect on some devices. What is wrong with the file is said when it is read.
    if (failure !== null || !stats.isFile()) {
      onAnswer();
      return;
    }
    open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY, (refusal, fd) => {
      if (refusal !== null) {
        onAnswer();
        return;
      }
      read(fd, Buffer.alloc(1), 0, 1, 0, () => {
        close(fd, onAnswer);
      });
    });
  });
}

/**
 * Finds out whether the file systems of some files answer, all at the same time. A read in the main thread would wait
 * for one that hangs (NFS, FUSE) for ever. Files on a local disk are not asked.
 * @param mountinfo returns the text of /proc/self/mountinfo
 * @returns for the first file without an answer within 1.5 s, its place among `paths` and a clause that follows its name
 */
export async function findHungFile(
  paths: readonly string[],
  { clock, beforeThreads }: HungFileTools,
  mountinfo = readMountinfo,
): Promise<{ readonly index: number; readonly problem: string } | undefined> {
  const text = paths.length === 0 ? '' : mountinfo();
  const mounts = text === '' ? [UNKNOWN] : mountsIn(text);
  const remote = paths
    .map((path, index) => ({ path, index, mount: firstRemoteMount(path, mounts) }))
    .filter(({ mount }) => mount !== undefined);
  if (remote.length === 0) return undefined;
  beforeThreads?.();
  const { promise, resolve: goOn } = Promise.withResolvers<undefined>();
  const silent = new Set(remote);
  const stop = clock.at(clock.now() + LIMIT_MS, () => {
    goOn(undefined);
  });
  for (const file of remote) {
    touch(file.path, () => {
      silent.delete(file);
      if (silent.size === 0) goOn(undefined);
    });
  }
  await promise;
  stop();
  for (const { index, mount } of silent) {
    const where = `${mount?.type ?? ''} at ${quote(mount?.path ?? '')}`;
    const problem = `its file system (${where}) did not answer within ${LIMIT_MS / 1000} s; mount it again, or use a local disk`;
    return { index, problem };
  }
  return undefined;
}
