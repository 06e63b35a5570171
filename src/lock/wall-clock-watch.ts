import type { Clock } from '../base/clock.ts';

// When the wall clock gains this much on the monotonic clock between two looks, it was stepped, or the machine was
// paused without its monotonic clock noticing (a paused virtual machine). A time service that slews moves both clocks
// alike (clock_gettime(2)).
const JUMP_MS = 1_000;

/** Notices when more time may have passed than the monotonic clock shows. */
export class WallClockWatch {
  readonly #clock: Clock;
  #leadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadMs = clock.wallNow() - clock.now();
  }

  /** True when the wall clock has jumped ahead since the last look, or since this object was made. */
  hasJumped(nowMs = this.#clock.now()): boolean {
    const leadMs = this.#clock.wallNow() - nowMs;
    const gainMs = leadMs - this.#leadMs;
    this.#leadMs = leadMs;
    return gainMs > JUMP_MS;
  }
}
