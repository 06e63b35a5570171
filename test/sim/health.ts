import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** `well`: a majority is; `calm`: every member and every link of the machine is. */
type State = 'ill' | 'well' | 'calm';

interface Turn {
  readonly atMs: number;
  readonly state: State;
}

// A member that follows the leader within this much is not lagging.
const LAG_LIMIT_MS = 50;

/**
 * Since when, and until when, etcd was at a machine's service: a leader with a quorum, and a majority of members that are
 * well, follow it, and are reached from the machine over links without fault. What else is broken then is a minority.
 */
export class Health {
  readonly #turns = new Map<Machine, Turn[]>();
  readonly #world: Pick<World, 'timeline' | 'cluster' | 'servers' | 'network' | 'machines' | 'traits'>;

  constructor(world: Pick<World, 'timeline' | 'cluster' | 'servers' | 'network' | 'machines' | 'traits'>) {
    this.#world = world;
    for (const machine of world.machines) this.#turns.set(machine, []);
    this.assess();
  }

  /** Looks anew; to be called whenever a fault begins or ends. */
  assess(): void {
    for (const [machine, turns] of this.#turns) {
      const state = this.#stateFor(machine);
      if (turns[turns.length - 1]?.state !== state) turns.push({ atMs: this.#world.timeline.nowMs, state });
    }
  }

  /** The longest time within [fromMs, untilMs] for which etcd served the machine without a break. */
  longestMs(machine: Machine, fromMs: number, untilMs: number): number {
    let [longest, sinceMs] = [0, Infinity];
    for (const turn of this.#turns.get(machine) ?? []) {
      if (turn.atMs >= untilMs) break;
      longest = Math.max(longest, turn.atMs - sinceMs);
      if (turn.state === 'ill') sinceMs = Infinity;
      else if (sinceMs === Infinity) sinceMs = Math.max(turn.atMs, fromMs);
    }
    return Math.max(longest, untilMs - sinceMs);
  }

  wasWell(machine: Machine, fromMs: number, untilMs: number): boolean {
    return this.longestMs(machine, fromMs, untilMs) >= untilMs - fromMs;
  }

  wasCalm(machine: Machine, fromMs: number, untilMs: number): boolean {
    const turns = this.#turns.get(machine) ?? [];
    return turns.every((turn, index) => {
      const endMs = turns[index + 1]?.atMs ?? Infinity;
      return turn.state === 'calm' || endMs <= fromMs || turn.atMs >= untilMs;
    });
  }

  #stateFor(machine: Machine): State {
    const { cluster, servers, network, traits } = this.#world;
    const { leader } = cluster;
    // Through a balancer, or by several stores, nobody is promised an answer.
    if (traits.balancing !== 'none' || traits.isSplit) return 'ill';
    if (!cluster.isReady() || cluster.slowMs > 0 || cluster.isHesitant) return 'ill';
    if (servers.some(({ refusal, noSpace }) => refusal !== undefined || noSpace)) return 'ill';
    const links = network.linksOf(machine);
    const serving = servers.filter(({ node }, index) => {
      if (!node.responsive || node.leader !== leader.node || !node.reaches(leader.node)) return false;
      return node.lagMs < LAG_LIMIT_MS && node.readsBack === 0 && links[index]?.isFine === true;
    });
    if (serving.length === servers.length && !servers.some(({ node }) => node.refusesWatches)) return 'calm';
    const only = traits.onlyMember === undefined ? undefined : servers[traits.onlyMember];
    if (only !== undefined && !serving.includes(only)) return 'ill';
    return serving.length >= cluster.quorum ? 'well' : 'ill';
  }
}
