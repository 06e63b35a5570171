import { readFileSync } from 'node:fs';
import { childrenOf } from '../support/processes.ts';

/** A process in a pid namespace, seen from outside. */
export interface InnerProcess {
  readonly hostPid: number;
  /** In its own namespace, as is `parent`. */
  readonly pid: number;
  readonly parent: number;
  /** The state letter of /proc/PID/stat. */
  readonly state: string;
  readonly name: string;
}

/** All descendants of a process, by their pids inside their own namespace. */
export function processesBelow(hostPid: number, innerPid = 0): InnerProcess[] {
  return childrenOf(hostPid).flatMap((child) => {
    try {
      const status = readFileSync(`/proc/${child}/status`, 'latin1');
      const pid = Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1] ?? 0);
      const state = /^State:\t(\w)/m.exec(status)?.[1] ?? '?';
      const name = readFileSync(`/proc/${child}/cmdline`, 'latin1').replaceAll('\0', ' ').slice(0, 120);
      return [{ hostPid: child, pid, parent: innerPid, state, name }, ...processesBelow(child, pid)];
    } catch {
      return []; // it has just ended
    }
  });
}
