import { monotonicMs } from '../support/mutex-parent.ts';
import type { CtdbNode } from './node.ts';
import { MEMBERS, type World } from './world.ts';

// After a member came or went, the others may need an election: 1 to 2 s, and twice that when votes are split.
const ELECTION_MS = 4_000;

interface Reading {
  readonly atMs: number;
  /** The nodes that can reach a member of a majority that works. */
  readonly fine: ReadonlySet<string>;
}

/**
 * Knows, for a run of overlapping faults, at which times a node could have renewed its lease: when a majority of members
 * worked and reached each other, and the node reached one of them both ways. Errs towards foul.
 */
export class Weather {
  readonly #world: World;
  readonly #readings: Reading[] = [];
  readonly #brokenMembers = new Map<string, number>();
  readonly #badNodes = new Map<string, number>();
  #shakenUntilMs = -Infinity;

  constructor(world: World) {
    this.#world = world;
    this.look();
  }

  /** A member stops to work, or works again (`change` -1), or what the members need of each other changes (no host). */
  member(host: string | undefined, change: 1 | -1 | 0): void {
    if (host !== undefined) this.#brokenMembers.set(host, (this.#brokenMembers.get(host) ?? 0) + change);
    this.#shakenUntilMs = monotonicMs() + ELECTION_MS;
    this.look();
  }

  /** A node itself is at fault: frozen, on a bad line. */
  node(host: string, change: 1 | -1): void {
    this.#badNodes.set(host, (this.#badNodes.get(host) ?? 0) + change);
    this.look();
  }

  /** To be called after each change of the network. */
  look(): void {
    const atMs = monotonicMs();
    this.#settle(atMs);
    this.#readings.push({ atMs, fine: atMs < this.#shakenUntilMs ? new Set() : this.#fineNodes() });
  }

  /** The longest span without a fault for the node, within a stretch of time. */
  longestFineMs(host: string, fromMs: number, toMs: number): number {
    this.#settle(monotonicMs());
    let longest = 0;
    let since: number | undefined;
    for (const [index, reading] of this.#readings.entries()) {
      const endMs = Math.min(this.#readings[index + 1]?.atMs ?? Infinity, toMs);
      const startMs = Math.max(reading.atMs, fromMs);
      if (!reading.fine.has(host)) since = undefined;
      else if (endMs > startMs) {
        since ??= startMs;
        longest = Math.max(longest, endMs - since);
      }
    }
    return longest;
  }

  /** True when the node had no fault in all of a stretch of time. */
  wasFine(host: string, fromMs: number, toMs: number): boolean {
    return this.longestFineMs(host, fromMs, toMs) >= toMs - fromMs;
  }

  /** Ends the time after a shock with a reading of its own. */
  #settle(nowMs: number): void {
    const last = this.#readings.at(-1);
    if (last === undefined || last.atMs >= this.#shakenUntilMs || nowMs < this.#shakenUntilMs) return;
    this.#readings.push({ atMs: this.#shakenUntilMs, fine: this.#fineNodes() });
  }

  #fineNodes(): ReadonlySet<string> {
    const { network, nodes } = this.#world;
    const both = (a: string, b: string): boolean => network.reaches(a, b) && network.reaches(b, a);
    const working = MEMBERS.filter((member) => (this.#brokenMembers.get(member) ?? 0) === 0);
    // Three members: a majority is two that see each other.
    const majority = working.filter((member) =>
      working.some((other) => other !== member && both(member, other)),
    );
    const isFine = (node: CtdbNode): boolean =>
      (this.#badNodes.get(node.host) ?? 0) === 0 && majority.some((member) => both(node.host, member));
    return new Set(nodes.filter(isFine).map(({ host }) => host));
  }
}
