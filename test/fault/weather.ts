import { monotonicMs } from '../support/mutex-parent.ts';
import { MEMBERS } from './world.ts';

// After a member came or went, the others may need an election: 1 to 2 s, and twice that when votes are split.
const ELECTION_MS = 4_000;

/** What of a world it looks at. */
interface Ground {
  readonly nodes: readonly { readonly host: string }[];
  readonly network: { reaches(from: string, to: string): boolean };
}

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
  readonly #world: Ground;
  readonly #readings: Reading[] = [];
  readonly #brokenMembers = new Map<string, number>();
  readonly #badNodes = new Map<string, number>();
  /** When members came or went. */
  readonly #shocks: number[] = [];

  constructor(world: Ground) {
    this.#world = world;
    this.look();
  }

  /** A member stops to work, or works again (`change` -1), or what the members need of each other changes (no host). */
  member(host: string | undefined, change: 1 | -1 | 0): void {
    if (host !== undefined) this.#brokenMembers.set(host, (this.#brokenMembers.get(host) ?? 0) + change);
    this.#shocks.push(monotonicMs());
    this.look();
  }

  /** A node itself is at fault: frozen, on a bad line. */
  node(host: string, change: 1 | -1): void {
    this.#badNodes.set(host, (this.#badNodes.get(host) ?? 0) + change);
    this.look();
  }

  /** To be called after each change of the network. */
  look(): void {
    this.#readings.push({ atMs: monotonicMs(), fine: this.#fineNodes() });
  }

  /** The longest span without a fault for the node, within a stretch of time. */
  longestFineMs(host: string, fromMs: number, toMs: number): number {
    const shocks = this.#shocks.filter((atMs) => atMs + ELECTION_MS > fromMs && atMs < toMs);
    // All instants at which something may begin or end.
    const marks = [
      ...this.#readings.map(({ atMs }) => atMs),
      ...shocks.flatMap((atMs) => [atMs, atMs + ELECTION_MS]),
    ].filter((atMs) => atMs > fromMs && atMs < toMs);
    const edges = [fromMs, ...marks.sort((a, b) => a - b), toMs];
    let longest = 0;
    let since: number | undefined;
    for (const [index, startMs] of edges.slice(0, -1).entries()) {
      const reading = this.#readings.findLast(({ atMs }) => atMs <= startMs);
      const isShaken = shocks.some((atMs) => atMs <= startMs && startMs < atMs + ELECTION_MS);
      if (reading?.fine.has(host) !== true || isShaken) since = undefined;
      else {
        since ??= startMs;
        longest = Math.max(longest, (edges[index + 1] ?? toMs) - since);
      }
    }
    return longest;
  }

  /** True when there is no fault anywhere, and no election can be under way. */
  get isCalm(): boolean {
    const nowMs = monotonicMs();
    return (
      this.#readings.at(-1)?.fine.size === this.#world.nodes.length &&
      this.#shocks.every((atMs) => atMs + ELECTION_MS < nowMs)
    );
  }

  /** True when the node had no fault in all of a stretch of time. */
  wasFine(host: string, fromMs: number, toMs: number): boolean {
    return this.longestFineMs(host, fromMs, toMs) >= toMs - fromMs;
  }

  #fineNodes(): ReadonlySet<string> {
    const { network, nodes } = this.#world;
    const both = (a: string, b: string): boolean => network.reaches(a, b) && network.reaches(b, a);
    const working = MEMBERS.filter((member) => (this.#brokenMembers.get(member) ?? 0) === 0);
    // Three members: a majority is two that see each other.
    const majority = working.filter((member) =>
      working.some((other) => other !== member && both(member, other)),
    );
    const isFine = (node: Ground['nodes'][number]): boolean =>
      (this.#badNodes.get(node.host) ?? 0) === 0 && majority.some((member) => both(node.host, member));
    return new Set(nodes.filter(isFine).map(({ host }) => host));
  }
}
