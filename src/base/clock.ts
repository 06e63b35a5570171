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
  /** Like `at`, on each beat (`nextBeat`) of `everyMs`, until it is stopped. */
  every(everyMs: number, fire: (nowMs: number) => void): Disposer;
}

/** A clock that can be told to others, who read it from the kernel. */
export interface UptimeClock extends Clock {
  /**
   * What /proc/uptime shows at an instant on the scale of `now()`, milliseconds: to 10 ms, or up to 60 ms less, after suspends too
   * short to be told from its steps; NaN where it cannot be read. A suspend that `now()` does not know of yet changes
   * nothing about it.
   */
  uptimeOf(atMs: number): number;
}

/**
 * Between two looks at whatever has to be looked at all the time. A timer of the event loop counts CLOCK_MONOTONIC, which
 * stands still in suspend: no wait is longer than this, so that a resumed machine looks at its clock within the half second.
 */
export const BEAT_MS = 500;

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

/** Resolves when `signal` is aborted; never rejects. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
