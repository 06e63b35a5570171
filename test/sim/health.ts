import type { Cluster } from './cluster.ts';
import type { EtcdServer } from './etcd-server.ts';
import type { Machine } from './machine.ts';
import type { Network } from './network.ts';
import type { Timeline } from './timeline.ts';

interface Turn {
  readonly atMs: number;
  readonly isWell: boolean;
}

// A member that follows the leader within this much is not lagging.
const LAG_LIMIT_MS = 50;

/**
 * Since when, and until when, etcd was at a machine's service: a leader with a quorum, and a majority of members that are
 * well, follow it, and are reached from the machine over links without fault. What else is broken then is a minority.
 */
export class Health {
  readonly #turns = new Map<Machine, Turn[]>();
  readonly #timeline: Timeline;
  readonly #cluster: Cluster;
  readonly #servers: readonly EtcdServer[];
  readonly #network: Network;

  constructor(
    timeline: Timeline,
    cluster: Cluster,
    servers: readonly EtcdServer[],
    network: Network,
    machines: readonly Machine[],
  ) {
    this.#timeline = timeline;
    this.#cluster = cluster;
    this.#servers = servers;
    this.#network = network;
    for (const machine of machines) this.#turns.set(machine, []);
    this.assess();
  }

  /** Looks anew; to be called whenever a fault begins or ends. */
  assess(): void {
    for (const [machine, turns] of this.#turns) {
      const isWell = this.#isWell(machine);
      if (turns[turns.length - 1]?.isWell !== isWell) turns.push({ atMs: this.#timeline.nowMs, isWell });
    }
  }

  /** The longest time within [fromMs, untilMs] for which etcd served the machine without a break. */
  longestMs(machine: Machine, fromMs: number, untilMs: number): number {
    const turns = this.#turns.get(machine) ?? [];
    let longest = 0;
    turns.forEach((turn, index) => {
      if (!turn.isWell) return;
      const endMs = Math.min(turns[index + 1]?.atMs ?? Infinity, untilMs);
      longest = Math.max(longest, endMs - Math.max(turn.atMs, fromMs));
    });
    return longest;
  }

  wasWell(machine: Machine, fromMs: number, untilMs: number): boolean {
    return this.longestMs(machine, fromMs, untilMs) >= untilMs - fromMs;
  }

  #isWell(machine: Machine): boolean {
    const { leader } = this.#cluster;
    if (!this.#cluster.isReady()) return false;
    const links = this.#network.linksOf(machine);
    const serving = this.#servers.filter(({ node, refusal, noSpace }, index) => {
      if (refusal !== undefined || noSpace) return false;
      if (!node.responsive || node.leader !== leader.node || !node.reaches(leader.node)) return false;
      return node.lagMs < LAG_LIMIT_MS && links[index]?.isFine === true;
    });
    const isRefused = this.#servers.some(({ refusal, noSpace }) => refusal !== undefined || noSpace);
    return !isRefused && this.#cluster.slowMs === 0 && serving.length >= this.#cluster.quorum;
  }
}
