import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { LocalHost, ProcessIdentity } from '../lock/local-host.ts';

/** What of /proc/PID/stat tells a living process from a dead one. */
interface ProcessStat {
  /** One letter: Z is a zombie, X is dead. */
  readonly state: string;
  /** PF_* of the kernel's include/linux/sched.h. */
  readonly flags: number;
  readonly threads: number;
  readonly startTicks: number;
}

/** Reads /proc/PID/stat (proc(5)); the command name in it may contain anything, so count from its closing parenthesis. */
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

/** The pipe behind a descriptor as /proc shows it, `pipe:[INODE]`; undefined for anything else, and what cannot be seen. */
function pipeBehind(path: string): string | undefined {
  try {
    const target = readlinkSync(path);
    return target.startsWith('pipe:') ? target : undefined;
  } catch {
    return undefined;
  }
}

const FOR_READING = 0o400;

/** Whether that process has the pipe open for reading. */
function hasOpen(pid: number, pipe: string): boolean {
  try {
    // The mode of the link says what the descriptor was opened for (proc(5)). A shell that is PID 1 can have the end for writing.
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const path = `/proc/${pid}/fd/${fd}`;
      return pipeBehind(path) === pipe && (lstatSync(path).mode & FOR_READING) !== 0;
    });
  } catch {
    return false;
  }
}

/** The process interface that we need; `process` of the runtime. */
interface RuntimeProcess {
  readonly pid: number;
  readonly ppid: number;
  kill(pid: number, signal: 0): true;
}

const readFile = (path: string): string => readFileSync(path, 'latin1');

/**
 * @param foreignBecause why /proc is not this process's own; no other process is judged then
 * @param read the text of a file in /proc, or an exception; the tests have their own.
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
  // A kernel without time namespaces has one time for all.
  const namespaces = `${namespaceOr('pid', '')}/${namespaceOr('time', '0')}`;
  // The main thread's is the process's. Not /proc/self/stat: qemu makes that one up, and others would not find the same.
  const startTicks = parseStat(readOr('/proc/thread-self/stat', ''))?.startTicks ?? 0;
  const self: ProcessIdentity = {
    // Without namespaces, a start time or a /proc of its own, a process cannot be told from another one. The empty boot ID
    // matches nothing, so such a holder is never reclaimed, and such a contender reclaims nothing.
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

  /** Its pid means to us what it means to it. */
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
    // A zombie has closed all its files once it is the last of its threads.
    return isZombie(stat) && stat.threads <= 1;
  };

  const isEnding = (other: ProcessIdentity): boolean => {
    if (!isNeighbor(other)) return false;
    const stat = parseStat(readOr(`/proc/${other.pid}/stat`, ''));
    if (stat?.startTicks !== other.startTicks) return false;
    return isZombie(stat) ? stat.threads > 1 : (stat.flags & PF_EXITING) !== 0;
  };

  // The runtime's own way there loads a module for it.
  const hostName = readOr('/proc/sys/kernel/hostname', '') || hostname();
  const readsAnswer = (pid: number): boolean => {
    const pipe = foreignBecause === undefined ? pipeBehind('/proc/self/fd/1') : undefined;
    return pipe !== undefined && hasOpen(pid, pipe);
  };
  return { self, hostName, parentPid: () => runtime.ppid, readsAnswer, isDead, isEnding };
}
