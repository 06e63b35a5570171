import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, type Stats } from 'node:fs';

// Pipes of the runtime's own are made after it has started; the clock that stamps them ticks every 10 ms at worst.
const STAMP_STEP_MS = 10;

interface OpenDescriptor {
  readonly fd: number;
  /** Undefined for what is the runtime's own by its name. */
  readonly stats: Stats | undefined;
}

function isRuntimesOwn(target: string): boolean {
  return target.startsWith('anon_inode:') || target === '/dev/null';
}

/** Without /proc, as in a bare chroot, nothing is known and nothing is closed: the lock itself does not need it. */
function listOpen(): OpenDescriptor[] {
  const open: OpenDescriptor[] = [];
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return open;
  }
  for (const name of names) {
    const fd = Number(name);
    try {
      const isKnown = fd > 2 && isRuntimesOwn(readlinkSync(`/proc/self/fd/${fd}`));
      open.push({ fd, stats: isKnown ? undefined : fstatSync(fd) });
    } catch {
      // It was the one that read the directory.
    }
  }
  return open;
}

/**
 * The start of the runtime on the clock that stamps inodes now. It is not the start on the wall clock when that was
 * stepped in the moments since, and to take a pipe of the runtime's own for an inherited one is the end of it.
 */
function startByStamps(runningForMs: number): number {
  let fd: number | undefined;
  try {
    fd = openSync('/dev/null', 'r');
    // The kernel makes the inode of this link when somebody first looks at it, and nobody can have done so. The
    // directory's own would not do: `ss -p` and the like list the descriptors of each process, from its fork on.
    return lstatSync(`/proc/self/fd/${fd}`).ctimeMs - runningForMs;
  } catch {
    return Infinity;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** What the process has open, as /proc shows it, such as `pipe:[4711]`. Nothing when it cannot be looked at. */
function openIn(pid: number): Set<string> {
  const directory = `/proc/${pid}/fd`;
  const targets = new Set<string>();
  try {
    for (const fd of readdirSync(directory)) {
      try {
        targets.add(readlinkSync(`${directory}/${fd}`));
      } catch {
        // Closed in the meantime.
      }
    }
  } catch {
    // Another user's process, or no /proc.
  }
  return targets;
}

/**
 * Closes every descriptor above 2 that our parent left open in us: CTDB leaks the read end of our own stderr, by which we
 * would never notice that nobody reads it, and the pipe by whose end recoverd learns of ctdbd's death.
 *
 * The runtime marks everything that it finds at its start close-on-exec, so that mark does not tell its own descriptors
 * from inherited ones. Its own are anonymous inodes (epoll, eventfd), /dev/null, and pipes that have both of their ends in
 * this process, are not our stdio, are not open in our parent, and were made since it started. The last test alone is not
 * enough: when the wall clock is set back, every older pipe looks younger than the process.
 *
 * @param startedAtMs wall-clock time at which the runtime started (`performance.timeOrigin`).
 * @param parentPid the process that started this one.
 * @param runningForMs how long ago that was, on the monotonic clock.
 */
export function closeInherited(
  startedAtMs: number,
  parentPid: number,
  runningForMs = performance.now(),
): void {
  // First of all: what takes time between the two clocks makes the start look later than it was.
  const earliestMs = Math.min(startedAtMs, startByStamps(runningForMs)) - STAMP_STEP_MS;
  const open = listOpen();
  const endsOf = (inode: number): number =>
    open.filter(({ stats }) => stats?.isFIFO() === true && stats.ino === inode).length;
  const parents = openIn(parentPid);
  const stdioInodes = open.filter(({ fd }) => fd <= 2).map(({ stats }) => stats?.ino);

  const isOurs = ({ stats }: OpenDescriptor): boolean => {
    if (stats === undefined) return true;
    if (!stats.isFIFO() || stdioInodes.includes(stats.ino) || endsOf(stats.ino) < 2) return false;
    return stats.ctimeMs >= earliestMs && !parents.has(`pipe:[${stats.ino}]`);
  };

  for (const descriptor of open) {
    if (descriptor.fd <= 2 || isOurs(descriptor)) continue;
    try {
      closeSync(descriptor.fd);
    } catch {
      // Closed by now.
    }
  }
}
