/** Something that will happen; `cancelled` may be set until it does. */
export interface Appointment {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
  cancelled: boolean;
}

function isBefore(one: Appointment, other: Appointment): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/** Simulated time: a heap of appointments, kept in the order of their instants. */
export class Timeline {
  nowMs = 0;
  /** Appointments kept so far; a measure of the work. */
  steps = 0;
  readonly #heap: Appointment[] = [];
  #order = 0;

  /** Makes an appointment `inMs` from now. */
  after(inMs: number, happen: () => void): Appointment {
    return this.at(this.nowMs + Math.max(0, inMs), happen);
  }

  at(atMs: number, happen: () => void): Appointment {
    this.#order += 1;
    const added: Appointment = {
      atMs: Math.max(atMs, this.nowMs),
      order: this.#order,
      happen,
      cancelled: false,
    };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(added);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Appointment;
      if (!isBefore(added, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = added;
    return added;
  }

  /** Keeps the appointments until `untilMs` or until `enough` says so; the time is then that of the last one kept. */
  run(untilMs: number, enough: () => boolean): void {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return;
      }
      this.#removeFirst();
      if (next.cancelled) continue;
      this.nowMs = next.atMs;
      this.steps += 1;
      next.happen();
      if (enough()) return;
    }
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Appointment;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Appointment, heap[below] as Appointment))
        below += 1;
      const child = heap[below] as Appointment;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = last;
  }
}
