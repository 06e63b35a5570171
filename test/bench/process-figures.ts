import { readdirSync, readFileSync } from 'node:fs';
import { childrenOf, isRunning } from '../support/processes.ts';

/** What a process occupies at one moment. */
export interface Footprint {
  readonly rssKb: number;
  readonly pssKb: number;
  /** Pages of its own that it has written: what nobody else can share, and nothing but swap can take. */
  readonly privateDirtyKb: number;
  readonly anonymousKb: number;
  readonly threads: number;
  readonly descriptors: number;
}

/** What a process has done since it was started, by the threads that it has now. */
export interface Work {
  readonly cpuMs: number;
  readonly contextSwitches: number;
}

/** The number behind `name:` in a file of /proc. */
function field(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`Cannot find ${name} in what the kernel says`);
  return Number(found);
}

/** Sums over a process and its children: a helper's watchdog is part of what it costs. */
function sumOverFamily<T extends object>(pid: number, measure: (pid: number) => T): T {
  const all = [pid, ...childrenOf(pid).filter(isRunning)].map(
    (member) => Object.entries(measure(member)) as [keyof T, number][],
  );
  const sum = new Map<keyof T, number>();
  for (const [name, value] of all.flat()) sum.set(name, (sum.get(name) ?? 0) + value);
  return Object.fromEntries(sum) as T;
}

/** Of the process alone. */
export function footprintOf(pid: number): Footprint {
  const memory = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    rssKb: field(memory, 'Rss'),
    pssKb: field(memory, 'Pss'),
    privateDirtyKb: field(memory, 'Private_Dirty'),
    anonymousKb: field(memory, 'Anonymous'),
    threads: readdirSync(`/proc/${pid}/task`).length,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

export function familyFootprintOf(pid: number): Footprint {
  return sumOverFamily(pid, footprintOf);
}

function workOf(pid: number): Work {
  let [cpuMs, contextSwitches] = [0, 0];
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    // Nanoseconds on a processor; /proc/PID/stat counts in steps of 10 ms.
    const schedstat = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    cpuMs += Number(schedstat.split(' ')[0]) / 1e6;
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    contextSwitches += field(status, 'voluntary_ctxt_switches') + field(status, 'nonvoluntary_ctxt_switches');
  }
  return { cpuMs, contextSwitches };
}

/** Of the process and its children. */
export function familyWorkOf(pid: number): Work {
  return sumOverFamily(pid, workOf);
}
