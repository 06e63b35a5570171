import { openSync, readSync } from 'node:fs';
import { Alarms } from './alarms.ts';
import type { UptimeClock } from '../base/clock.ts';
import { inspectProcfs, type Procfs } from './procfs.ts';

// /proc/uptime counts in steps of 10 ms; a gap between the two clocks is a suspend only when it is well above that.
const SMALLEST_SUSPEND_MS = 50;

// What a suspend takes, the kernel adds to the wall clock in the same step, and to look at that costs a tenth of a look into
// /proc. A wall clock that is put back by as much while the machine is suspended, to this very length, has us notice later.
const SMALLEST_LEAP_MS = 20;
const LONGEST_WITHOUT_UPTIME_MS = 2_000;

const uptimeBuffer = Buffer.alloc(64);
let uptimeFd: number | undefined;

/** Reads the kernel's uptime; where /proc/uptime is not the kernel's, what is returned gives NaN and opens nothing. */
export function uptimeReader({ noUptimeBecause }: Pick<Procfs, 'noUptimeBecause'>): () => number {
  return noUptimeBecause === undefined ? readUptimeMs : () => NaN;
}

/** Milliseconds since boot, suspend included, in steps of 10 (first field of /proc/uptime); NaN when it cannot be read. */
function readUptimeMs(): number {
  try {
    uptimeFd ??= openSync('/proc/uptime', 'r');
    const length = readSync(uptimeFd, uptimeBuffer, 0, uptimeBuffer.length, 0);
    return Number.parseFloat(uptimeBuffer.toString('latin1', 0, length)) * 1000;
  } catch {
    return NaN;
  }
}

/**
 * The real clock: `performance.now()` (CLOCK_MONOTONIC), moved ahead whenever /proc/uptime shows that more time has
 * passed than that, as after a suspend. It is read when the wall clock has leapt, and every 2 s. Where the uptime cannot be
 * had, a suspend is seen by the wall clock alone (`WallClockWatch`), which the kernel moves ahead by its length.
 *
 * @param uptimeNow NaN when there is no uptime; see `uptimeReader`
 */
export function makeRealClock(
  monotonicNow = (): number => performance.now(),
  uptimeNow = uptimeReader(inspectProcfs(process.pid)),
  wallNow = Date.now,
): UptimeClock {
  const originMs = uptimeNow() - monotonicNow();
  let suspendedMs = 0;
  let uptimeDueMs = -Infinity;
  let wallLeadMs = NaN;

  const now = (): number => {
    const wallMs = wallNow();
    const steadyMs = monotonicNow();
    const leadMs = wallMs - steadyMs;
    const isSteady = Math.abs(leadMs - wallLeadMs) < SMALLEST_LEAP_MS;
    if (isSteady && steadyMs < uptimeDueMs) return steadyMs + suspendedMs;
    wallLeadMs = leadMs;
    // In this order: a process that is frozen between the two looks must not take that for a suspend, and be ahead of time
    // for good. What a suspend between them takes is seen at the next look, as if it had come after this one.
    const uptimeMs = uptimeNow();
    const monotonicMs = monotonicNow();
    uptimeDueMs = monotonicMs + LONGEST_WITHOUT_UPTIME_MS;
    const gapMs = uptimeMs - monotonicMs - originMs;
    if (gapMs - suspendedMs > SMALLEST_SUSPEND_MS) suspendedMs = gapMs;
    return monotonicMs + suspendedMs;
  };

  const alarms = new Alarms(now);
  return {
    now,
    wallNow,
    uptimeOf: (atMs) => atMs + originMs,
    at: (atMs, fire) => alarms.at(atMs, fire),
    every: (everyMs, fire) => alarms.every(everyMs, fire),
  };
}
