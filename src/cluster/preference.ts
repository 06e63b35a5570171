import type { Disposer } from '../base/clock.ts';

/** Which of several members is asked first. */
export class Preference {
  readonly #count: number;
  readonly #onMove = new Set<() => void>();
  #index = 0;

  constructor(count: number) {
    this.#count = count;
  }

  get index(): number {
    return this.#index;
  }

  moveTo(index: number): void {
    if (index === this.#index) return;
    this.#index = index;
    for (const moved of [...this.#onMove]) moved();
  }

  moveOn(): void {
    this.moveTo((this.#index + 1) % this.#count);
  }

  /** Calls `moved` whenever another one is preferred from then on, until it is stopped. */
  onMove(moved: () => void): Disposer {
    this.#onMove.add(moved);
    return () => {
      this.#onMove.delete(moved);
    };
  }
}
