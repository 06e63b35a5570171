import type { Clock } from '../base/clock.ts';

// A wall clock that gains this much on the monotonic one between two looks was stepped, or the machine stood still
// without its own clocks noticing (a paused virtual machine). Far above the 500 ppm that NTP slews.
const JUMP_MS = 1_000;

/** Notices when more time may have passed than the monotonic clock shows. */
export class WallClockWatch {
  readonly #clock: Clock;
  #leadMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#leadMs = clock.wallNow() - clock.now();
  }

  /** True when the wall clock has jumped ahead since the last look, or since the making of this. */
  hasJumped(nowMs = this.#clock.now()): boolean {
    const leadMs = this.#clock.wallNow() - nowMs;
    const gainMs = leadMs - this.#leadMs;
    this.#leadMs = leadMs;
    return gainMs > JUMP_MS;
  }
}
