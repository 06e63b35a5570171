import { openSync, readSync } from 'node:fs';
import { Alarms } from './alarms.ts';
import type { UptimeClock } from '../base/clock.ts';
import { inspectProcfs, type Procfs } from './procfs.ts';

// /proc/uptime has steps of 10 ms. A gap between the two clocks counts as a suspend only when it is well above them.
const SMALLEST_SUSPEND_MS = 50;

// After a suspend, the kernel moves the wall clock ahead by its length. Reading the wall clock costs a tenth of reading
// /proc, so /proc is read only after a leap of the wall clock, and every 2 s. When the wall clock is set back by
// exactly the length of a suspend, the suspend is noticed at the next regular look.
const SMALLEST_LEAP_MS = 20;
const LONGEST_WITHOUT_UPTIME_MS = 2_000;

const uptimeBuffer = Buffer.alloc(64);
let uptimeFd: number | undefined;

/**
 * Returns a function that reads the kernel's uptime. When /proc/uptime is not the kernel's, the function returns NaN
 * and opens nothing.
 */
export function uptimeReader({ noUptimeBecause }: Pick<Procfs, 'noUptimeBecause'>): () => number {
  return noUptimeBecause === undefined ? readUptimeMs : () => NaN;
}

/**
 * Milliseconds since boot, suspend included, in steps of 10 ms (first field of /proc/uptime). NaN when it cannot be
 * read.
 */
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
 * The real clock: `performance.now()` (CLOCK_MONOTONIC), moved ahead when /proc/uptime shows that more time has passed,
 * as after a suspend. /proc/uptime is read after a leap of the wall clock, and every 2 s. Without it, only the wall
 * clock shows a suspend (`WallClockWatch`).
 * @param uptimeNow returns NaN when there is no uptime; see `uptimeReader`
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
    // The order matters. With the other order, a freeze between the two looks would count as a suspend, and the clock
    // would stay ahead. A suspend between the two looks is counted at the next look.
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
