import { BEAT_MS, type Disposer, nextBeat } from '../base/clock.ts';

interface Alarm {
  atMs: number;
  /** 0 for one that comes once. */
  readonly everyMs: number;
  readonly fire: (nowMs: number) => void;
}

// A wait that is shorter than a beat by no more than this is as long as a beat: one timer can be wound up again and again, for half
// of what a new one costs. A process that wakes up is late by more now and then; the margin is a hundred times as much.
const SLACK_MS = 10;

/**
 * Calls that are due later, on a clock of ours, with one timer of the event loop at work for all of them: a holder that does
 * nothing else wakes up as seldom as that allows.
 */
export class Alarms {
  readonly #now: () => number;
  /** In the order in which they were asked for. Not a `Set`: see `#add`. */
  readonly #pending: Alarm[] = [];
  /** Kept, and wound up for each wait of a beat. */
  #beatTimer: NodeJS.Timeout | undefined;
  /** For a shorter wait. */
  #timer: NodeJS.Timeout | undefined;
  /** When the wait ends: at most the slack after the first alarm. */
  #wakesAtMs = Infinity;
  readonly #onTimer = (): void => {
    this.#wake();
  };

  constructor(now: () => number) {
    this.#now = now;
  }

  at(atMs: number, fire: (nowMs: number) => void): Disposer {
    return this.#add({ atMs, everyMs: 0, fire });
  }

  every(everyMs: number, fire: (nowMs: number) => void): Disposer {
    return this.#add({ atMs: nextBeat(this.#now(), everyMs), everyMs, fire });
  }

  #add(alarm: Alarm): Disposer {
    // A `Set` of what comes and goes moves from table to table, and V8 has each of them point to the next: one that lives
    // long enough to be passed over by the small collections keeps all that come after it, until a full one.
    this.#pending.push(alarm);
    if (alarm.atMs < this.#wakesAtMs) this.#arm();
    return () => {
      if (!this.#remove(alarm)) return;
      if (this.#pending.length === 0) this.#disarm();
      else if (alarm.atMs <= this.#wakesAtMs) this.#arm();
    };
  }

  #remove(alarm: Alarm): boolean {
    const index = this.#pending.indexOf(alarm);
    if (index >= 0) this.#pending.splice(index, 1);
    return index >= 0;
  }

  #arm(): void {
    const nowMs = this.#now();
    let waitMs = BEAT_MS;
    const pending = this.#pending;
    // By index, here and below: without a JIT, an iterator is dearer than all of the rest, and makes rubbish.
    for (let index = 0; index < pending.length; index += 1)
      waitMs = Math.min(waitMs, (pending[index]?.atMs ?? Infinity) - nowMs);
    if (waitMs >= BEAT_MS - SLACK_MS) waitMs = BEAT_MS;
    this.#wakesAtMs = nowMs + waitMs;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (waitMs < BEAT_MS) this.#timer = setTimeout(this.#onTimer, Math.ceil(Math.max(0, waitMs)));
    else if (this.#beatTimer === undefined) this.#beatTimer = setTimeout(this.#onTimer, BEAT_MS);
    else this.#beatTimer.refresh();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#beatTimer);
    this.#timer = undefined;
    this.#beatTimer = undefined;
    this.#wakesAtMs = Infinity;
  }

  /** Calls the first of those that are due; what that leads to comes before the next, which has a turn of its own. */
  #wake(): void {
    const nowMs = this.#now();
    let first: Alarm | undefined;
    let dueCount = 0;
    const pending = this.#pending;
    for (let index = 0; index < pending.length; index += 1) {
      const alarm = pending[index];
      if (alarm === undefined || alarm.atMs > nowMs) continue;
      dueCount += 1;
      if (first === undefined || alarm.atMs < first.atMs) first = alarm;
    }
    // Until all that are due have been called, no timer is needed.
    this.#wakesAtMs = -Infinity;
    try {
      if (first !== undefined) {
        if (first.everyMs > 0) first.atMs = nextBeat(nowMs, first.everyMs);
        else this.#remove(first);
        first.fire(nowMs);
      }
    } finally {
      if (dueCount > 1)
        setImmediate(() => {
          this.#wake();
        });
      // By a new look: who was frozen in `fire` has missed what was due meanwhile, the deadline above all.
      else if (this.#pending.length > 0) this.#arm();
      else this.#disarm();
    }
  }
}
