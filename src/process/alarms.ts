import { BEAT_MS, type Disposer, nextBeat } from '../base/clock.ts';

interface Alarm {
  atMs: number;
  /** 0 for an alarm that fires once. */
  readonly everyMs: number;
  readonly fire: (nowMs: number) => void;
}

// A wait up to this much shorter than a beat is made as long as a beat. One timer can then be restarted again and
// again, which costs half as much as a new timer. The 10 ms do not matter: a process can wake up later than that at any
// time, and the margin is a hundred times longer.
const SLACK_MS = 10;

/**
 * Calls that are due later on the helper's own clock. All of them share one timer of the event loop, so a holder wakes
 * up as seldom as possible.
 */
export class Alarms {
  readonly #now: () => number;
  /** In the order of the calls. An array and not a `Set`: see `#add`. */
  readonly #pending: Alarm[] = [];
  /** The timer for a wait of a whole beat. It is restarted for each such wait. */
  #beatTimer: NodeJS.Timeout | undefined;
  /** The timer for a shorter wait. */
  #timer: NodeJS.Timeout | undefined;
  /** When the current wait ends: at most SLACK_MS after the first alarm. */
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
    // A `Set` whose entries change often moves to new internal tables. V8 links each old table to the next one. Once an
    // old table has survived the small garbage collections, it keeps all later tables in memory until a full
    // collection.
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
    // Loops by index, here and below. Without a JIT, an iterator costs more than the rest of the function and allocates
    // memory.
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

  /**
   * Fires the first alarm that is due. Its consequences are handled before the next alarm, which fires in a later turn
   * of the event loop.
   */
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
    // No timer is needed until all alarms that are due have fired.
    this.#wakesAtMs = -Infinity;
    try {
      if (first !== undefined) {
        if (first.everyMs > 0) first.atMs = nextBeat(nowMs, first.everyMs);
        else this.#remove(first);
        first.fire(nowMs);
      }
    } finally {
      if (dueCount > 1) setImmediate(this.#onTimer);
      // The clock is read again. A process that was frozen in `fire` has missed alarms that became due meanwhile, such
      // as the deadline.
      else if (this.#pending.length > 0) this.#arm();
      else this.#disarm();
    }
  }
}
