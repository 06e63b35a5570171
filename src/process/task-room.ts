import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Returns the text of a file. Throws when it cannot be read. Tests pass their own. */
export type ReadText = (path: string) => string;

const REAL: ReadText = (path) => readFileSync(path, 'latin1');

/**
 * How many more threads and processes the cgroups of this process allow (`TasksMax=` of systemd, `--pids-limit` of a
 * container). Infinity when there is no limit, or none can be read. Reads only files that the kernel serves.
 */
export function taskRoom(read: ReadText = REAL): number {
  try {
    const place = pidsCgroup(read('/proc/self/mountinfo'), read('/proc/self/cgroup'));
    return place === undefined ? Infinity : roomUnder(place, read);
  } catch {
    return Infinity;
  }
}

/** The cgroup that counts the tasks of this process, and where the tree is mounted. */
interface CgroupPlace {
  readonly mount: string;
  readonly directory: string;
}

/**
 * The hierarchy of version 1 has the controller `pids` in its options. Where there is none, it is in version 2. See
 * cgroups(7) and proc_pid_mountinfo(5).
 */
function pidsCgroup(mountinfo: string, cgroups: string): CgroupPlace | undefined {
  const mounts = mountinfo.split('\n').map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', mount = ''] = before.split(' ');
    const [type = '', , options = ''] = after.split(' ');
    return { root, mount, type, options: options.split(',') };
  });
  const first = mounts.find(({ type, options }) => type === 'cgroup' && options.includes('pids'));
  const found = first ?? mounts.find(({ type }) => type === 'cgroup2');
  const own = (first === undefined ? /^0::(.*)$/m : /^\d+:(?:[^:]*,)?pids(?:,[^:]*)?:(.*)$/m).exec(cgroups);
  if (found === undefined || own?.[1] === undefined) return undefined;
  // In a container, the mount can show a part of the tree only, of which the path names the whole.
  const { root, mount } = found;
  const path = root !== '/' && `${own[1]}/`.startsWith(`${root}/`) ? own[1].slice(root.length) : own[1];
  return { mount, directory: path.includes('..') ? mount : join(mount, path) };
}

/** The smallest room of a cgroup and those above it: each counts the tasks below it. */
function roomUnder({ mount, directory }: CgroupPlace, read: ReadText): number {
  let room = Infinity;
  for (let at = directory; at.startsWith(mount); at = dirname(at)) {
    try {
      const limit = Number(read(join(at, 'pids.max'))); // NaN for `max`
      const used = Number(read(join(at, 'pids.current')));
      if (Number.isFinite(limit) && Number.isFinite(used)) room = Math.min(room, limit - used);
    } catch {
      // Ignored: the root has no limit, and this cgroup may be outside of what is mounted.
    }
  }
  return room;
}
