import type { Clock, Disposer } from '../base/clock.ts';
import type { Timing } from '../config/timing.ts';

/**
 * The deadline of a lease, in milliseconds on the scale of `Clock.now()`: the send of the request that started or
 * restarted the lease, plus the TTL, minus the margin. The TTL is the smaller one of the asked and the answered TTL.
 * Each member raises a short TTL to its own minimum, so the next raft leader may use a shorter TTL than was answered,
 * but never a shorter one than was asked for.
 * @param sentAtMs the time that was read before the request was sent
 * @param answeredTtlMs the TTL in the answer, in milliseconds
 */
export function deadlineMsOf(
  { ttlMs, marginMs }: Pick<Timing, 'ttlMs' | 'marginMs'>,
  sentAtMs: number,
  answeredTtlMs: number,
): number {
  const countedTtlMs = Math.min(ttlMs, answeredTtlMs);
  return sentAtMs + countedTtlMs - marginMs(countedTtlMs);
}

/**
 * The instant until which the helper may claim the lock. Once it has passed, nothing moves it, in whatever order timers
 * and answers are handled after a freeze. It has its own timer, so a call that hangs cannot delay it.
 */
export class Deadline {
  /** Resolves when the deadline has passed. Never rejects. */
  readonly passed: Promise<void>;
  readonly #clock: Clock;
  readonly #resolvePassed: () => void;
  #atMs: number;
  #hasPassed = false;
  #stopTimer: Disposer;

  constructor(clock: Clock, atMs: number) {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.passed = promise;
    this.#resolvePassed = () => {
      resolve(undefined);
    };
    this.#clock = clock;
    this.#atMs = atMs;
    this.#stopTimer = this.#arm();
  }

  /** On the scale of `Clock.now()`. */
  get atMs(): number {
    return this.#atMs;
  }

  /**
   * Reads the clock. Called before each step that relies on the lock, and again after each wait.
   * @param nowMs the time, when the caller has just read it
   */
  hasPassed(nowMs = this.#clock.now()): boolean {
    if (!this.#hasPassed && nowMs >= this.#atMs) {
      this.#hasPassed = true;
      this.#stopTimer();
      this.#resolvePassed();
    }
    return this.#hasPassed;
  }

  /**
   * Moves the deadline to a later instant. An earlier instant changes nothing.
   * @returns false when the deadline has passed, and is not moved
   */
  extendTo(atMs: number): boolean {
    if (this.hasPassed()) return false;
    if (atMs > this.#atMs) this.#moveTo(atMs);
    return true;
  }

  /** Moves the deadline to an earlier instant, because the clock may have missed time. */
  shortenTo(atMs: number): void {
    if (!this.hasPassed() && atMs < this.#atMs) this.#moveTo(atMs);
  }

  /** Stops the timer, when the lock is released before the deadline. */
  dispose(): void {
    this.#stopTimer();
  }

  #moveTo(atMs: number): void {
    this.#stopTimer();
    this.#atMs = atMs;
    this.#stopTimer = this.#arm();
  }

  #arm(): Disposer {
    return this.#clock.at(this.#atMs, () => {
      this.hasPassed();
    });
  }
}
