import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Host, ProcessIdentity } from './host.ts';

/** What of /proc/PID/stat tells a living process from a dead one. */
interface ProcessStat {
  /** One letter: Z is a zombie, X is dead. */
  readonly state: string;
  readonly threads: number;
  readonly startTicks: number;
}

/** Reads /proc/PID/stat (proc(5)); the command name in it may contain anything, so count from its closing parenthesis. */
function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, threads, startTicks] = [fields[0], Number(fields[17]), Number(fields[19])];
  if (state === undefined || !Number.isInteger(threads) || !Number.isInteger(startTicks)) return undefined;
  return { state, threads, startTicks };
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return otherwise;
  }
}

function namespaceOr(name: string, otherwise: string): string {
  try {
    return /\d+/.exec(readlinkSync(`/proc/self/ns/${name}`))?.[0] ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** The process interface that we need; `process` of the runtime. */
interface RuntimeProcess {
  readonly pid: number;
  readonly ppid: number;
  kill(pid: number, signal: 0): true;
}

export function makeLinuxHost(runtime: RuntimeProcess): Host {
  const bootId = readOr('/proc/sys/kernel/random/boot_id', '');
  // A kernel without time namespaces has one time for all.
  const namespaces = `${namespaceOr('pid', '')}/${namespaceOr('time', '0')}`;
  const self: ProcessIdentity = {
    bootId: namespaces.startsWith('/') ? '' : bootId,
    namespaces,
    pid: runtime.pid,
    startTicks: parseStat(readOr('/proc/self/stat', ''))?.startTicks ?? 0,
  };

  const exists = (pid: number): boolean => {
    try {
      return runtime.kill(pid, 0);
    } catch (error) {
      return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
    }
  };

  const isDead = (other: ProcessIdentity): boolean => {
    if (self.bootId === '' || other.bootId !== self.bootId || other.namespaces !== self.namespaces)
      return false;
    if (!Number.isInteger(other.pid) || other.pid <= 0) return false;
    if (!exists(other.pid)) return true;
    const stat = parseStat(readOr(`/proc/${other.pid}/stat`, ''));
    if (stat === undefined) return false;
    if (stat.startTicks !== other.startTicks) return true;
    // A zombie has closed all its files once it is the last of its threads.
    return (stat.state === 'Z' || stat.state === 'X') && stat.threads <= 1;
  };

  return { self, hostName: hostname(), parentPid: () => runtime.ppid, isDead };
}
