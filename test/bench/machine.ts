import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** How busy the machine was: with others before and after, and with everything in between. */
export interface Busyness {
  /** Share of all processors' time that went to others in a pause of the measurements, before and after. */
  readonly othersBefore: number;
  readonly othersAfter: number;
  /** Share of the time in which some process waited for a processor (/proc/pressure/cpu); undefined without that file. */
  readonly waiting: number | undefined;
  readonly load: number;
}

const LOOK_MS = 2_000;

function busyTicks(): { readonly busy: number; readonly all: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, value) => sum + value, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: all - idle, all };
}

/** The share of processor time that is used while we do nothing. */
async function shareOfOthers(): Promise<number> {
  const before = busyTicks();
  await delay(LOOK_MS);
  const after = busyTicks();
  return (after.busy - before.busy) / (after.all - before.all);
}

/** Microseconds in which some process waited for a processor. */
function waitedUs(): number | undefined {
  try {
    const total = /^some .*total=(\d+)/m.exec(readFileSync('/proc/pressure/cpu', 'utf8'))?.[1];
    return total === undefined ? undefined : Number(total);
  } catch {
    return undefined; // a kernel without pressure stall information
  }
}

/** Runs `work` and looks at how busy the machine is around it. */
export async function watchBusyness<T>(work: () => Promise<T>): Promise<{ result: T; busyness: Busyness }> {
  const othersBefore = await shareOfOthers();
  const [startedMs, waitedBeforeUs] = [performance.now(), waitedUs()];
  const result = await work();
  const [tookMs, waitedAfterUs] = [performance.now() - startedMs, waitedUs()];
  const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
  const othersAfter = await shareOfOthers();
  const waiting =
    waitedBeforeUs === undefined || waitedAfterUs === undefined
      ? undefined
      : (waitedAfterUs - waitedBeforeUs) / 1_000 / tookMs;
  return { result, busyness: { othersBefore, othersAfter, waiting, load } };
}

/** `2 × Some Processor, 4.1 GB, Linux 6.1` */
export function describeMachine(): string {
  const processors = cpus();
  const gigabytes = (totalmem() / 1e9).toFixed(1);
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'processor'}, ${gigabytes} GB, Linux ${release()}`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function describeBusyness({ othersBefore, othersAfter, waiting, load }: Busyness): string {
  const waited =
    waiting === undefined ? '' : `; some process waited for a processor in ${percent(waiting)} of the time`;
  return `processors used by others in a pause before ${percent(othersBefore)}, after ${percent(othersAfter)}${waited}; load ${load.toFixed(1)}`;
}
