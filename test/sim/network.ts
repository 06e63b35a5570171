import type { EtcdNode } from './etcd-node.ts';
import type { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export type Direction = 'to' | 'from';

/** What a message travels on. TCP delivers in the end, or, once the connection was given up, perhaps not at all. */
export interface Carrier {
  readonly alive: boolean;
}

interface Held {
  readonly direction: Direction;
  readonly carrier: Carrier;
  readonly happen: () => void;
}

/** The way between one machine and one member. */
export class Link {
  readonly machine: Machine;
  readonly node: EtcdNode;
  readonly cut: Record<Direction, boolean> = { to: false, from: false };
  /** Added to each message, milliseconds. */
  slowMs = 0;
  /** How many messages of a hundred need another try, or never arrive. */
  lossPercent = 0;
  /** Answers of changes get lost on the way back, although the change was made. */
  losesAnswers = false;
  readonly #timeline: Timeline;
  readonly #random: Random;
  #held: Held[] = [];

  constructor(machine: Machine, node: EtcdNode, timeline: Timeline, random: Random) {
    this.machine = machine;
    this.node = node;
    this.#timeline = timeline;
    this.#random = random;
  }

  get isFine(): boolean {
    return (
      !this.cut.to && !this.cut.from && this.slowMs === 0 && this.lossPercent === 0 && !this.losesAnswers
    );
  }

  /**
   * @param carrier the connection, if it stands, so that TCP keeps on trying to deliver what met a cut.
   * @param notBeforeMs keeps the order of a stream.
   * @returns when it arrives, on the timeline's scale; Infinity when it does not, or not before the link is mended.
   */
  send(direction: Direction, carrier: Carrier | undefined, happen: () => void, notBeforeMs = 0): number {
    const random = this.#random;
    if (this.cut[direction]) {
      if (carrier !== undefined) this.#held.push({ direction, carrier, happen });
      return Infinity;
    }
    let delayMs = random.chance(0.01) ? random.between(20, 150) : random.between(0.2, 4);
    if (this.slowMs > 0) delayMs += this.slowMs * random.between(0.5, 1.5);
    if (this.lossPercent > 0 && random.chance(this.lossPercent / 100)) {
      if (carrier === undefined && random.chance(0.2)) return Infinity;
      delayMs += random.between(200, 3_000);
    }
    const atMs = Math.max(this.#timeline.nowMs + delayMs, notBeforeMs);
    this.#timeline.at(atMs, happen);
    return atMs;
  }

  mend(direction: Direction): void {
    if (!this.cut[direction]) return;
    this.cut[direction] = false;
    const due = this.#held.filter((held) => held.direction === direction);
    this.#held = this.#held.filter((held) => held.direction !== direction);
    for (const { carrier, happen } of due) {
      if (carrier.alive || this.#random.chance(0.5))
        this.#timeline.after(this.#random.between(1, 2_000), happen);
    }
  }
}

export class Network {
  readonly links: readonly Link[];
  readonly #byMachine = new Map<Machine, Link[]>();

  constructor(machines: readonly Machine[], nodes: readonly EtcdNode[], timeline: Timeline, random: Random) {
    for (const machine of machines) {
      this.#byMachine.set(
        machine,
        nodes.map((node) => new Link(machine, node, timeline, random)),
      );
    }
    this.links = [...this.#byMachine.values()].flat();
  }

  linksOf(machine: Machine): readonly Link[] {
    return this.#byMachine.get(machine) ?? [];
  }
}
