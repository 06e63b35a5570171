import type { Clock, Disposer } from '../../src/base/clock.ts';
import { everyBeat } from './beats.ts';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly fire: (nowMs: number) => void;
}

/** Resolves when every promise that could settle without time passing has settled. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Time that a test turns by hand. */
export class FakeClock implements Clock {
  wallOffsetMs = 1_700_000_000_000;
  #nowMs = 1_000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs + this.wallOffsetMs;
  }

  at(atMs: number, fire: (nowMs: number) => void): Disposer {
    this.#order += 1;
    const timer = { atMs, order: this.#order, fire };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  every(everyMs: number, fire: (nowMs: number) => void): Disposer {
    return everyBeat(this, everyMs, fire);
  }

  /** How many timers are set: 0 after something has let go of all that it held. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The process lives through the time, each timer at its own moment. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#due(endMs)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.fire(this.#nowMs);
      await settle();
    }
    this.#nowMs = endMs;
  }

  /** Milliseconds until `isSo`, living through them; fails after `limitMs`. */
  async advanceUntil(isSo: () => boolean, limitMs: number): Promise<number> {
    const startMs = this.#nowMs;
    while (!isSo()) {
      if (this.#nowMs - startMs >= limitMs) throw new Error(`Not so within ${limitMs} ms`);
      await this.advance(10);
    }
    return this.#nowMs - startMs;
  }

  /**
   * SIGSTOP, or a paused machine: the time is gone, and whatever `meanwhile` makes happen (an answer that arrives) is seen
   * first when the process goes on; then all overdue timers fire, the latest first, which is the worst order there is.
   */
  async stall(ms: number, meanwhile: () => void = () => undefined): Promise<void> {
    await settle();
    this.#nowMs += ms;
    meanwhile();
    await settle();
    for (const timer of this.#due(this.#nowMs).reverse()) {
      if (!this.#timers.delete(timer)) continue;
      timer.fire(this.#nowMs);
      await settle();
    }
  }

  #due(untilMs: number): Timer[] {
    return [...this.#timers]
      .filter(({ atMs }) => atMs <= untilMs)
      .sort((one, other) => one.atMs - other.atMs || one.order - other.order);
  }
}
