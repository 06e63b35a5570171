import { readSync, openSync } from 'node:fs';

/** Stops a timer; calling it again, or after the timer has fired, does nothing. */
export type Disposer = () => void;

/** Time as a value passed in, so that tests can turn it by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary origin. Never steps back. Counts the time that the machine was suspended. */
  now(): number;
  /** Milliseconds of wall-clock time since 1970. May step either way; never used for a deadline. */
  wallNow(): number;
  /**
   * Calls `fire` once, at or after `atMs` on the scale of `now()`; never from within this call.
   * @param fire is told the time, as it has just been looked at
   */
  at(atMs: number, fire: (nowMs: number) => void): Disposer;
}

/** Resolves at or after `atMs`, or as soon as `signal` is aborted; never rejects. */
export function sleepUntil(clock: Clock, atMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = clock.at(atMs, done);
    signal.addEventListener('abort', done);
  });
}

/**
 * When something that is done every `everyMs` is to be done next, on a beat that all who ask share: two that keep the same
 * pace wake the processor once, not twice.
 */
export function nextBeat(nowMs: number, everyMs: number): number {
  return (Math.floor(nowMs / everyMs) + 1) * everyMs;
}

/** Calls `fire` with the time on each of those beats, until it is stopped. */
export function onBeat(clock: Clock, everyMs: number, fire: (nowMs: number) => void): Disposer {
  let isStopped = false;
  let stop: Disposer = () => undefined;
  const arm = (nowMs: number): void => {
    if (!isStopped) stop = clock.at(nextBeat(nowMs, everyMs), beat);
  };
  const beat = (nowMs: number): void => {
    fire(nowMs);
    arm(nowMs);
  };
  arm(clock.now());
  return () => {
    isStopped = true;
    stop();
  };
}

/** Resolves when `signal` is aborted; never rejects. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

// A timer of the event loop counts CLOCK_MONOTONIC, which stands still in suspend. No single wait is longer than
// this, so that a resumed machine looks at its clock within the half second.
const LONGEST_WAIT_MS = 500;

// /proc/uptime counts in steps of 10 ms; a gap between the two clocks is a suspend only when it is well above that.
const SMALLEST_SUSPEND_MS = 50;

// What a suspend takes, the kernel adds to the wall clock in the same step, and to look at that costs a tenth of a look into
// /proc. A wall clock that is put back by as much while the machine is suspended, to this very length, has us notice later.
const SMALLEST_LEAP_MS = 20;
const LONGEST_WITHOUT_UPTIME_MS = 2_000;

const uptimeBuffer = Buffer.alloc(64);
let uptimeFd: number | undefined;

/** Milliseconds since boot, suspend included, in steps of 10 (first field of /proc/uptime); NaN when it cannot be read. */
export function readUptimeMs(): number {
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
 * passed than that, as after a suspend. It is read when the wall clock has leapt, and every 2 s. The arguments are for the
 * tests.
 */
export function makeRealClock(
  monotonicNow = (): number => performance.now(),
  uptimeNow = readUptimeMs,
  wallNow = Date.now,
): Clock {
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
  return { now, wallNow, at: (atMs, fire) => alarms.at(atMs, fire) };
}

interface Alarm {
  readonly atMs: number;
  readonly fire: (nowMs: number) => void;
}

/**
 * Calls that are due later, on a clock of ours, with one timer of the event loop for all of them: a holder that does
 * nothing else wakes up as seldom as that allows.
 */
class Alarms {
  readonly #now: () => number;
  /** In the order in which they were asked for. Not a `Set`: see `at`. */
  readonly #pending: Alarm[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When the timer ends: never later than the first alarm. */
  #wakesAtMs = Infinity;

  constructor(now: () => number) {
    this.#now = now;
  }

  at(atMs: number, fire: (nowMs: number) => void): Disposer {
    const alarm = { atMs, fire };
    // A `Set` of what comes and goes moves from table to table, and V8 has each of them point to the next: one that lives
    // long enough to be passed over by the small collections keeps all that come after it, until a full one.
    this.#pending.push(alarm);
    if (atMs < this.#wakesAtMs) this.#arm();
    return () => {
      if (!this.#remove(alarm)) return;
      if (this.#pending.length === 0) this.#disarm();
      else if (atMs <= this.#wakesAtMs) this.#arm();
    };
  }

  #remove(alarm: Alarm): boolean {
    const index = this.#pending.indexOf(alarm);
    if (index >= 0) this.#pending.splice(index, 1);
    return index >= 0;
  }

  #arm(): void {
    this.#disarm();
    const nowMs = this.#now();
    let waitMs = LONGEST_WAIT_MS;
    for (const alarm of this.#pending) waitMs = Math.min(waitMs, alarm.atMs - nowMs);
    this.#wakesAtMs = nowMs + waitMs;
    this.#timer = setTimeout(
      () => {
        this.#wake();
      },
      Math.ceil(Math.max(0, waitMs)),
    );
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#wakesAtMs = Infinity;
  }

  /** Calls the first of those that are due; what that leads to comes before the next, which has a turn of its own. */
  #wake(): void {
    this.#timer = undefined;
    const nowMs = this.#now();
    let first: Alarm | undefined;
    let dueCount = 0;
    for (const alarm of this.#pending) {
      if (alarm.atMs > nowMs) continue;
      dueCount += 1;
      if (first === undefined || alarm.atMs < first.atMs) first = alarm;
    }
    // Until all that are due have been called, no timer is needed.
    this.#wakesAtMs = -Infinity;
    if (first !== undefined) this.#remove(first);
    try {
      first?.fire(nowMs);
    } finally {
      if (dueCount > 1)
        setImmediate(() => {
          this.#wake();
        });
      // By a new look: who was frozen in `fire` has missed what was due meanwhile, the deadline above all.
      else if (this.#pending.length > 0) this.#arm();
      else this.#disarm();
    }
  }
}
