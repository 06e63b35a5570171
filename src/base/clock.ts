/**
 * The folder `base` has what every other folder may use: the clock, the log, errors, and functions for text and small
 * files. It imports no other folder. This file declares the clock; `process/real-clock.ts` implements it.
 *
 * It decides nothing about the lock, opens no connection and starts no program.
 */

/** Stops a timer. A second call, or a call after the timer has fired, has no effect. */
export type Disposer = () => void;

/** The source of time. It is passed in as a value, so that tests can move it by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary origin. Never steps back. Counts the time that the machine was suspended. */
  now(): number;
  /** Milliseconds of wall-clock time since 1970. It can step in either direction, so no deadline uses it. */
  wallNow(): number;
  /**
   * Calls `fire` once, at or after `atMs` on the scale of `now()`, and never from within this call.
   * @param fire receives the time that was read just before the call, in milliseconds
   */
  at(atMs: number, fire: (nowMs: number) => void): Disposer;
  /** Like `at`, on each beat of `everyMs` (see `nextBeat`), until it is stopped. */
  every(everyMs: number, fire: (nowMs: number) => void): Disposer;
}

/** A clock whose instants another process can read too, from /proc/uptime. */
export interface UptimeClock extends Clock {
  /**
   * The value of /proc/uptime at an instant on the scale of `now()`, in milliseconds. It is exact to 10 ms. After
   * suspends that are shorter than those 10 ms steps it can be up to 60 ms too low. NaN where /proc/uptime cannot be
   * read. A suspend that `now()` has not counted yet does not change the result.
   */
  uptimeOf(atMs: number): number;
}

/**
 * The longest wait between two looks at the clock, in milliseconds. Timers of the event loop count CLOCK_MONOTONIC,
 * which stops during suspend. Because no wait is longer than this, a resumed machine reads its clock within half a
 * second.
 */
export const BEAT_MS = 500;

/** Resolves at or after `atMs` on the scale of `now()`, or when `signal` is aborted. Never rejects. */
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
 * The next instant for work that is repeated every `everyMs`. All work with the same interval gets the same instants,
 * so that the processor wakes once for all of it.
 */
export function nextBeat(nowMs: number, everyMs: number): number {
  return (Math.floor(nowMs / everyMs) + 1) * everyMs;
}

/** Resolves when `signal` is aborted. Never rejects. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
