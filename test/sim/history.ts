import type { Timeline } from './timeline.ts';

/** What happened, for people to read; kept only when a schedule is replayed. */
export class History {
  readonly lines: string[] = [];
  readonly #timeline: Timeline;
  readonly #isKept: boolean;

  constructor(timeline: Timeline, isKept: boolean) {
    this.#timeline = timeline;
    this.#isKept = isKept;
  }

  tell(who: string, what: () => string): void {
    if (!this.#isKept) return;
    const seconds = (this.#timeline.nowMs / 1000).toFixed(4).padStart(9);
    this.lines.push(`${seconds}  ${who.padEnd(14)} ${what()}`);
  }
}
