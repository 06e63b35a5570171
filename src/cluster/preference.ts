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

  /**
   * Calls `moved` each time another member becomes the preferred one.
   * @returns the function that stops this
   */
  onMove(moved: () => void): Disposer {
    this.#onMove.add(moved);
    return () => {
      this.#onMove.delete(moved);
    };
  }
}
