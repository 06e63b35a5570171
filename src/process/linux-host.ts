/**
 * The folder `process` is the machine below the helper: /proc, descriptors, signals, other programs, the clock of the
 * kernel, standard error, and the process of the watchdog. It implements ports that `lock` and `base` declare. This
 * file implements `LocalHost`.
 *
 * It does not guarantee an answer. When /proc does not show what is needed, `isDead` and `isEnding` are false, so that
 * no living process is taken for a dead one.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { LocalHost, ProcessIdentity } from '../lock/local-host.ts';

/** The fields of /proc/PID/stat that tell a living process from a dead one. */
interface ProcessStat {
  /** One letter: Z is a zombie, X is dead. */
  readonly state: string;
  /** PF_* flags of the kernel (include/linux/sched.h). */
  readonly flags: number;
  readonly threads: number;
  readonly startTicks: number;
}

/**
 * Reads /proc/PID/stat (proc(5)). The command name in it may contain any character, so the fields are counted from its
 * closing parenthesis.
 */
function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, flags, threads, startTicks] = [fields[0], ...[6, 17, 19].map((nth) => Number(fields[nth]))];
  if (state === undefined || flags === undefined || threads === undefined || startTicks === undefined)
    return undefined;
  if (![flags, threads, startTicks].every(Number.isInteger)) return undefined;
  return { state, flags, threads, startTicks };
}

/** The thread has entered do_exit(). */
const PF_EXITING = 0x4;

const isZombie = ({ state }: ProcessStat): boolean => state === 'Z' || state === 'X';

function namespaceOr(name: string, otherwise: string): string {
  try {
    return /\d+/.exec(readlinkSync(`/proc/self/ns/${name}`))?.[0] ?? otherwise;
  } catch {
    return otherwise;
  }
}

/**
 * The pipe behind a descriptor, as /proc shows it: `pipe:[INODE]`. Undefined when it is not a pipe, or cannot be read.
 */
function pipeBehind(path: string): string | undefined {
  try {
    const target = readlinkSync(path);
    return target.startsWith('pipe:') ? target : undefined;
  } catch {
    return undefined;
  }
}

const FOR_READING = 0o400;

/** True when process `pid` has the pipe open for reading. */
function hasOpen(pid: number, pipe: string): boolean {
  try {
    // The mode of the link shows whether the descriptor was opened for reading or writing (proc(5)). A shell as PID 1
    // can have the write end.
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const path = `/proc/${pid}/fd/${fd}`;
      return pipeBehind(path) === pipe && (lstatSync(path).mode & FOR_READING) !== 0;
    });
  } catch {
    return false;
  }
}

/** The part of Node's `process` that is used. */
interface RuntimeProcess {
  readonly pid: number;
  readonly ppid: number;
  kill(pid: number, signal: 0): true;
}

const readFile = (path: string): string => readFileSync(path, 'latin1');

/**
 * @param foreignBecause why /proc is not this process's own; no other process is then called dead
 * @param read returns the text of a file in /proc, or throws; tests pass their own
 */
export function makeLinuxHost(runtime: RuntimeProcess, foreignBecause?: string, read = readFile): LocalHost {
  const readOr = (path: string, otherwise: string): string => {
    try {
      return read(path).trim();
    } catch {
      return otherwise;
    }
  };

  const bootId = readOr('/proc/sys/kernel/random/boot_id', '');
  // A kernel without time namespaces has the same time for all processes.
  const namespaces = `${namespaceOr('pid', '')}/${namespaceOr('time', '0')}`;
  // The start time of the main thread is that of the process. /proc/self/stat is not used, because qemu invents its
  // content, and other processes would read another value.
  const startTicks = parseStat(readOr('/proc/thread-self/stat', ''))?.startTicks ?? 0;
  const self: ProcessIdentity = {
    // Without namespaces, a start time or its own /proc, a process cannot be identified. The boot ID is then empty and
    // matches nothing. So such a holder is never reclaimed, and such a contender reclaims nothing.
    bootId: foreignBecause !== undefined || namespaces.startsWith('/') || startTicks === 0 ? '' : bootId,
    namespaces,
    pid: runtime.pid,
    startTicks,
  };

  const exists = (pid: number): boolean => {
    try {
      return runtime.kill(pid, 0);
    } catch (error) {
      return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
    }
  };

  /** True when `other` is in the same namespaces, so that its pid names the same process here. */
  const isNeighbor = (other: ProcessIdentity): boolean =>
    self.bootId !== '' &&
    other.bootId === self.bootId &&
    other.namespaces === self.namespaces &&
    Number.isInteger(other.pid) &&
    other.pid > 0 &&
    other.startTicks > 0;

  const isDead = (other: ProcessIdentity): boolean => {
    if (!isNeighbor(other)) return false;
    if (!exists(other.pid)) return true;
    const stat = parseStat(readOr(`/proc/${other.pid}/stat`, ''));
    if (stat === undefined) return false;
    if (stat.startTicks !== other.startTicks) return true;
    // A zombie that is the last thread of its process has closed all its files.
    return isZombie(stat) && stat.threads <= 1;
  };

  const isEnding = (other: ProcessIdentity): boolean => {
    if (!isNeighbor(other)) return false;
    const stat = parseStat(readOr(`/proc/${other.pid}/stat`, ''));
    if (stat?.startTicks !== other.startTicks) return false;
    return isZombie(stat) ? stat.threads > 1 : (stat.flags & PF_EXITING) !== 0;
  };

  // Node's own function loads a module for this.
  const hostName = readOr('/proc/sys/kernel/hostname', '') || hostname();
  const readsAnswer = (pid: number): boolean => {
    const pipe = foreignBecause === undefined ? pipeBehind('/proc/self/fd/1') : undefined;
    return pipe !== undefined && hasOpen(pid, pipe);
  };
  return { self, hostName, parentPid: () => runtime.ppid, readsAnswer, isDead, isEnding };
}
