import { parentPort, workerData } from 'node:worker_threads';
import { hookLoader, type Mutation } from './hooks.ts';
import type { Property } from './properties.ts';
import type { ScheduleResult } from './schedule.ts';

export interface WorkerTask {
  readonly mutation: Mutation | undefined;
  /** The properties that are looked at; all of them when undefined. */
  readonly only?: readonly Property[] | undefined;
  /** The seeds are firstSeed, firstSeed + stride, and so on, `schedules` of them. */
  readonly firstSeed: number;
  readonly stride: number;
  readonly schedules: number;
}

/** What a worker tells now and then: the sum of what it has run since it told last. */
export interface WorkerReport {
  readonly schedules: number;
  readonly steps: number;
  readonly simulatedMs: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly violations: readonly Pick<ScheduleResult, 'seed' | 'violation'>[];
}

// Schedules between two turns of the event loop, and between two reports.
const BATCH = 100;

// Nobody looks at where an error was made, and finding out takes a fifth of the time.
Error.stackTraceLimit = 0;

const task = workerData as WorkerTask;
hookLoader(task.mutation);
// Only now, so that these and all below them come through the hooks.
const { onUnhandled, runSchedule } = await import('./schedule.ts');
process.on('unhandledRejection', onUnhandled);

function runBatch(from: number): void {
  const until = Math.min(from + BATCH, task.schedules);
  const counts = new Map<string, number>();
  const violations: WorkerReport['violations'][number][] = [];
  let [steps, simulatedMs] = [0, 0];
  for (let index = from; index < until; index += 1) {
    const result = runSchedule(task.firstSeed + index * task.stride, false, task.only);
    steps += result.steps;
    simulatedMs += result.simulatedMs;
    for (const what of result.counts) counts.set(what, (counts.get(what) ?? 0) + 1);
    if (result.violation !== undefined) violations.push({ seed: result.seed, violation: result.violation });
  }
  parentPort?.postMessage({
    schedules: until - from,
    steps,
    simulatedMs,
    counts,
    violations,
  } satisfies WorkerReport);
  if (until < task.schedules) setImmediate(runBatch, until);
}

// A schedule drains the queue of jobs itself, which only works outside of a job.
setImmediate(runBatch, 0);
