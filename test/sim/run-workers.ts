import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { WorkerReport, WorkerTask } from './worker.ts';

/**
 * Runs one worker until it has done its task, or until `onReport` returns false.
 * Rejects when the worker fails, which a schedule never makes it do.
 */
export async function runWorker(
  task: WorkerTask,
  onReport: (report: WorkerReport) => boolean,
): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: task,
    // Schedules make much garbage that is dead at once: a large nursery saves a sixth of the time.
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  });
  worker.on('message', (report: WorkerReport) => {
    if (!onReport(report)) void worker.terminate();
  });
  const failed = once(worker, 'error').then(([error]) => {
    throw error;
  });
  await Promise.race([once(worker, 'exit'), failed]);
}
