import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, type Stats } from 'node:fs';

// The runtime makes its pipes after its start. The clock that stamps them can be 10 ms behind.
const STAMP_STEP_MS = 10;

interface OpenDescriptor {
  readonly fd: number;
  /** Undefined when the name alone shows that the runtime opened it. */
  readonly stats: Stats | undefined;
}

function isRuntimesOwn(target: string): boolean {
  return target.startsWith('anon_inode:') || target === '/dev/null';
}

/** The open descriptors of this process. Empty without /proc, as in a bare chroot: nothing is closed then. */
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
      // It was the descriptor that read the directory, and is closed now.
    }
  }
  return open;
}

/**
 * The start of the runtime by the clock that stamps inodes now. The wall clock may have been stepped since the start.
 * Then the recorded start is wrong, and a pipe of the runtime would be taken for an inherited one and closed.
 */
function startByStamps(runningForMs: number): number {
  let fd: number | undefined;
  try {
    fd = openSync('/dev/null', 'r');
    // The kernel makes the inode of this link when it is first read, which is now. The inode of the directory can be
    // older, because `ss -p` and similar programs list the descriptors of each process from its fork on.
    return lstatSync(`/proc/self/fd/${fd}`).ctimeMs - runningForMs;
  } catch {
    return Infinity;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** What a process has open, as /proc shows it, such as `pipe:[4711]`. Empty when it cannot be read. */
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

/** True when both ends of a pipe are among `open`. */
function hasBothEnds(inode: number, open: readonly OpenDescriptor[]): boolean {
  return open.filter(({ stats }) => stats?.isFIFO() === true && stats.ino === inode).length >= 2;
}

/** The inherited ones among the open descriptors. See `closeInheritedDescriptors`. */
function inheritedAmong(
  open: readonly OpenDescriptor[],
  ofParent: ReadonlySet<string>,
  earliestMs: number,
): readonly OpenDescriptor[] {
  const stdioInodes = open.filter(({ fd }) => fd <= 2).map(({ stats }) => stats?.ino);
  const isOwnPipe = (stats: Stats): boolean =>
    stats.isFIFO() &&
    hasBothEnds(stats.ino, open) &&
    !stdioInodes.includes(stats.ino) &&
    !ofParent.has(`pipe:[${stats.ino}]`) &&
    stats.ctimeMs >= earliestMs;
  return open.filter(({ fd, stats }) => fd > 2 && stats !== undefined && !isOwnPipe(stats));
}

/**
 * Closes every descriptor above 2 that the parent process left open in this one. CTDB leaks two. One is the read end of
 * this process's stderr: with it open, a write to stderr would not fail when no other process reads it. The other is
 * the pipe whose end tells recoverd that ctdbd has died.
 *
 * The runtime marks all descriptors that it finds at its start as close-on-exec, so that mark does not show which of
 * them are inherited. Its own descriptors are anonymous inodes (epoll, eventfd), /dev/null, and pipes of which all of
 * this is true: both ends are in this process, they are not its stdio, the parent does not have them open, and they
 * were made since the start. The time alone is not enough: when the wall clock is set back, each older pipe looks
 * younger than the process.
 *
 * @param startedAtMs wall-clock time at which the runtime started (`performance.timeOrigin`)
 * @param parentPid the process that started this one
 * @param runningForMs the time since that start, on the monotonic clock
 */
export function closeInheritedDescriptors(
  startedAtMs: number,
  parentPid: number,
  runningForMs = performance.now(),
): void {
  // Computed first: time that passes between reading the two clocks makes the start look later than it was.
  const earliestMs = Math.min(startedAtMs, startByStamps(runningForMs)) - STAMP_STEP_MS;
  for (const { fd } of inheritedAmong(listOpen(), openIn(parentPid), earliestMs)) {
    try {
      closeSync(fd);
    } catch {
      // Closed by now.
    }
  }
}
