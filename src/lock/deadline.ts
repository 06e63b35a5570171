import type { Clock, Disposer } from '../base/clock.ts';
import type { Timing } from '../config/timing.ts';

/**
 * Until when a lease lets us say "held", in ms on the scale of `Clock.now()`: from the send of the request that started or
 * restarted it, for its TTL, less the margin. The TTL that counts is the smaller of the one that we asked for and the one
 * that was answered: members raise a short TTL each to its own minimum, so the next leader may count less than was answered,
 * but none counts less than was asked for.
 *
 * @param sentAtMs the clock before the request was sent
 * @param answeredTtlMs in ms
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
 * The instant until which we may say "held". A one-way door: once it has passed, nothing moves it, whatever order a
 * process wakes up in after a freeze. It has a timer of its own, so nothing that hangs can postpone it.
 */
export class Deadline {
  /** Resolves when the deadline has passed; never rejects. */
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
   * Looks at the clock; to be asked before anything that relies on the lock, and again after each wait.
   * @param nowMs what somebody has just seen who did
   */
  hasPassed(nowMs = this.#clock.now()): boolean {
    if (!this.#hasPassed && nowMs >= this.#atMs) {
      this.#hasPassed = true;
      this.#stopTimer();
      this.#resolvePassed();
    }
    return this.#hasPassed;
  }

  /** Moves the deadline to a later instant, if it has not passed; an earlier instant changes nothing. */
  extendTo(atMs: number): boolean {
    if (this.hasPassed()) return false;
    if (atMs > this.#atMs) this.#moveTo(atMs);
    return true;
  }

  /** Moves the deadline to an earlier instant: what we believed of the time has become doubtful. */
  shortenTo(atMs: number): void {
    if (!this.hasPassed() && atMs < this.#atMs) this.#moveTo(atMs);
  }

  /** Stops the timer; for whoever lets go before the deadline. */
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
