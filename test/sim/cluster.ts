import type { LeaseId } from '../../src/cluster/member.ts';
import { EtcdNode } from './etcd-node.ts';
import type { Random } from './random.ts';
import type { ReadNetwork } from './raft-reads.ts';
import { type Agreement, type Command, type Entry, Store } from './store.ts';
import type { Appointment, Timeline } from './timeline.ts';

/** When a member makes sure that it still leads, before it renews a lease or revokes one that has ended. */
export type LeadershipCheck =
  /** Never (etcd before 3.4.31 and 3.5.13, #15247). */
  | 'never'
  /** Always, by a linearizable read (until 3.4.33 and 3.5.15). */
  | 'always'
  /** Unless its raft has just ticked (since then, and in all of 3.6 and 3.7). */
  | 'unlessTicked';

/** How this cluster differs from others; drawn once for each schedule. */
export interface ClusterTraits {
  /** Each member's `--election-timeout`, milliseconds. */
  readonly electionMs: readonly number[];
  readonly checksLeadership: LeadershipCheck;
  /** A read that is sent again keeps its request ID (etcd #20418). */
  readonly reusesReadIds: boolean;
  /** A lessor now and then hesitates between its two looks at a lease that it renews. */
  readonly hesitates: boolean;
  /** A leader that loses its place while it promotes its lessor can promote it after the demotion. */
  readonly racesPromotion: boolean;
  /** So many entries are kept when the log is compacted, which is when it has twice as many. */
  readonly keptEntries: number;
  /** A lease just granted may be unknown for a moment (etcd #13675). */
  readonly forgetsFreshLeases: boolean;
  /** A keepalive of a lease that was revoked may report success (etcd #20590; FastLeaseKeepAlive in 3.7). */
  readonly renewsRevoked: boolean;
  /** The keys of a revoked lease go this long before the lease itself (etcd #14758). */
  readonly keysGoFirstMs: number;
  /** Between proposal and commit, milliseconds. */
  readonly commitMs: readonly [number, number];
  /** Clock rate error of the members, a fraction. */
  readonly drift: number;
  /** All processes have one member ID, as those that run on copies of one disk. */
  readonly areCopies: boolean;
  /** How long after the last renewal a lease is checkpointed, where it is (five minutes in etcd). */
  readonly checkpointMs: number;
}

interface Leadership {
  readonly node: EtcdNode;
  readonly term: number;
  ready: boolean;
  lost: boolean;
}

interface Uncommitted {
  readonly node: EtcdNode;
  readonly command: Command;
  readonly onEntry: (entry: Entry) => void;
  /** Stands in the logs of others as well, so that it outlives its leader. */
  readonly replicated: boolean;
}

const NOTHING = (): void => undefined;

/**
 * Raft as seen from outside: who leads in which term, which proposals are committed, and how long members go on believing
 * what is no longer true. At most one leader has a quorum; an old one may go on believing in itself.
 */
export class Cluster implements ReadNetwork {
  readonly store: Store;
  readonly nodes: readonly EtcdNode[];
  readonly traits: ClusterTraits;
  readonly timeline: Timeline;
  readonly random: Random;
  /** The leader that was elected last. */
  leader: Leadership;
  /** Whether that leader is followed by a quorum at this moment. */
  hasQuorum = true;
  /** Lessors hesitate for long between their two looks at a lease that they renew. */
  hesitates = false;
  /** What they hesitate over may not be done yet. */
  isHesitant = false;
  /** A slow disk: added to each commit, milliseconds. */
  slowMs = 0;
  onChange: () => void = NOTHING;
  onElection: (node: EtcdNode, term: number) => void = NOTHING;
  /** A member has caught up by a raft snapshot. */
  onSnapshot: (node: EtcdNode) => void = NOTHING;
  onConfirmed: (leader: EtcdNode, by: EtcdNode, reader: EtcdNode) => void = NOTHING;
  /** Has the next leader hesitate, and says when it does, after it has seen that it leads and before it promotes its lessor. */
  onPromoting: ((node: EtcdNode) => void) | undefined;
  /** A lessor is promoted although its member has been deposed meanwhile. */
  onLatePromotion: (node: EtcdNode) => void = NOTHING;
  onStale: (node: EtcdNode) => void = NOTHING;
  #term = 2;
  #isElecting = false;
  #lastReadId = 0;
  #uncommitted: Uncommitted[] = [];
  readonly #settling = new Map<EtcdNode, { readonly appointment: Appointment; readonly isAlone: boolean }>();

  /** @param place of its first member in the list of endpoints, where it is a store of its own beside others */
  constructor(
    traits: ClusterTraits,
    timeline: Timeline,
    random: Random,
    agreement: Agreement,
    place?: number,
  ) {
    this.traits = traits;
    this.timeline = timeline;
    this.random = random;
    this.store = new Store(traits.keptEntries, agreement);
    const hesitation = (): number =>
      this.hesitates && random.chance(0.5)
        ? random.between(1, 4_000)
        : traits.hesitates && random.chance(0.1)
          ? random.between(1, 100)
          : 0;
    const isAlone = place !== undefined;
    this.nodes = traits.electionMs.map((electionMs, index) => {
      const id = index + (place ?? 0);
      const pace = 1 + random.between(-traits.drift, traits.drift);
      return new EtcdNode(id, this.store, timeline, random, {
        isAlone,
        isCopy: traits.areCopies,
        electionMs,
        pace,
        hesitation,
      });
    });
    const first = random.pick(this.nodes);
    this.leader = { node: first, term: this.#term, ready: true, lost: false };
    for (const node of this.nodes) {
      node.reads.network = this;
      node.hear(this.#term, first);
      node.lessor.checkpointMs = traits.checkpointMs;
      node.lessor.onExpired = (leaseId) => {
        this.#onExpired(node, leaseId);
      };
      node.lessor.onCheckpoint = (leaseId, remainingS) => {
        this.propose(node, { kind: 'checkpoint', leaseId, remainingS }, NOTHING, NOTHING);
      };
    }
    this.commit({ kind: 'empty' });
    first.lessor.promote(first.electionMs);
  }

  get quorum(): number {
    return (this.nodes.length >> 1) + 1;
  }

  get reusesReadIds(): boolean {
    return this.traits.reusesReadIds;
  }

  newReadId(): number {
    this.#lastReadId += 1;
    return this.#lastReadId;
  }

  threadMs(): number {
    return this.random.between(0, this.random.pick([0.1, 0.1, 2]));
  }

  servesReads(node: EtcdNode): boolean {
    const { leader } = this;
    // One that was deposed, and has not heard of it, had its first entry committed, or nobody would have followed it.
    return node !== leader.node || leader.ready;
  }

  send(from: EtcdNode, to: EtcdNode, happen: () => void): void {
    if (!from.reaches(to)) return;
    const { life } = to;
    this.timeline.after(this.hopMs(), () => {
      if (to.life === life) to.step(happen, `etcd${from.id}`);
    });
  }

  /** The members that `node` can work with, itself included. */
  peersOf(node: EtcdNode): EtcdNode[] {
    return this.nodes.filter((other) => other.responsive && other.reaches(node));
  }

  isReady(): boolean {
    return this.hasQuorum && this.leader.ready;
  }

  /** Looks anew at who can lead; to be called whenever members or links have changed. */
  reconsider(): void {
    const { leader } = this;
    this.hasQuorum =
      !leader.lost && leader.node.responsive && this.peersOf(leader.node).length >= this.quorum;
    if (this.hasQuorum) {
      if (!leader.ready) this.#establish();
      else this.#recommit();
    } else if (!this.#isElecting) {
      this.#isElecting = true;
      this.timeline.after(this.#electionInMs(), () => {
        this.#isElecting = false;
        this.#elect();
      });
    }
    for (const node of this.nodes) this.#settle(node);
    this.onChange();
  }

  crash(node: EtcdNode): void {
    node.crash();
    if (this.leader.node === node) this.leader.lost = true;
    this.reconsider();
  }

  /**
   * All members, which have ended, begin anew from one backup, with their old IDs: what came after it is gone, and the terms
   * that they show begin anew.
   * @param index how far the log was that the backup holds
   */
  restore(index: number): void {
    this.#uncommitted = [];
    this.#term += 1;
    this.store.restore(index, this.#term);
    for (const node of this.nodes) {
      node.restart(this.store.lastIndex);
      node.missed = false;
      node.readsBack = 0;
    }
    this.leader = { node: this.leader.node, term: this.#term, ready: false, lost: true };
    this.reconsider();
  }

  thaw(node: EtcdNode): void {
    node.thaw();
    this.reconsider();
    const linkedInMs = node.unlinkedUntilMs - this.timeline.nowMs;
    if (linkedInMs > 0) {
      this.timeline.after(linkedInMs, () => {
        this.reconsider();
      });
    }
  }

  /** Lets a member that has fallen behind apply what it has been sent of the log. */
  catchUp(node: EtcdNode): void {
    if (this.hasQuorum && node.responsive && node.reaches(this.leader.node)) this.#sendLog(node);
  }

  /** Hands leadership to `node` without a fault, as `etcdctl move-leader` does. */
  moveLeader(node: EtcdNode): void {
    if (this.hasQuorum && this.peersOf(node).length >= this.quorum && node.responsive && !node.missed)
      this.#install(node);
  }

  /** Puts a command before the leader that `at` knows; `onEntry` when `at` has applied it, `onFail` after 7 s without. */
  propose(at: EtcdNode, command: Command, onEntry: (entry: Entry) => void, onFail: () => void): void {
    const whenHere = (entry: Entry): void => {
      at.whenApplied(entry.index, () => {
        if (!at.wasSkipped(entry.index)) onEntry(entry);
      });
    };
    at.step(() => {
      if (at.leader !== undefined) {
        this.#forward(at, command, whenHere);
        return;
      }
      const retry = (): void => {
        this.propose(at, command, onEntry, onFail);
      };
      at.park({ retry, fail: onFail });
    });
  }

  /** Between two members that reach each other. */
  hopMs(): number {
    return this.random.between(0.2, 2);
  }

  commit(command: Command): Entry {
    return this.commitAs(command, this.leader.term);
  }

  commitAs(command: Command, term: number): Entry {
    const { leader } = this;
    const entry = this.store.commit(command, term);
    leader.node.applyUpTo(entry.index);
    for (const node of this.nodes) {
      if (node === leader.node) continue;
      if (!node.up || !node.reaches(leader.node)) {
        node.missed = true;
        continue;
      }
      const { life } = node;
      this.timeline.after(node.lagMs * this.random.between(0.1, 2), () => {
        if (node.life !== life) return;
        if (node.frozen || node.stuck) node.missed = true;
        node.step(() => {
          if (leader.term < node.term) return;
          this.#follow(node, leader);
          if (!node.missed) node.applyUpTo(entry.index);
        }, `etcd${leader.node.id}`);
      });
    }
    return entry;
  }

  /** A proposal goes to whom the member believes to be the leader, and on from there. */
  #forward(node: EtcdNode, command: Command, onEntry: (entry: Entry) => void): void {
    const { leader } = node;
    if (leader === node) this.#append(node, command, onEntry);
    else if (leader !== undefined) {
      this.send(node, leader, () => {
        this.#forward(leader, command, onEntry);
      });
    }
  }

  #append(node: EtcdNode, proposed: Command, onEntry: (entry: Entry) => void): void {
    const { leader } = this;
    const command = asProposed(proposed, node);
    if (node !== leader.node || !this.isReady()) {
      this.#uncommitted.push({ node, command, onEntry, replicated: false });
      return;
    }
    const slowMs = this.slowMs * this.random.between(0.3, 1.5);
    this.timeline.after(slowMs + this.random.between(...this.traits.commitMs), () => {
      if (this.leader === leader && this.isReady()) onEntry(this.commit(command));
      else {
        const replicated = this.random.chance(0.5);
        this.#uncommitted.push({ node, command, onEntry, replicated });
      }
    });
  }

  #recommit(): void {
    const waiting = this.#uncommitted.filter(({ node }) => node === this.leader.node);
    if (waiting.length === 0) return;
    this.#uncommitted = this.#uncommitted.filter(({ node }) => node !== this.leader.node);
    for (const { node, command, onEntry } of waiting) this.#append(node, command, onEntry);
  }

  /** A candidate waits for one to two of its own election timeouts; who has heard of a leader waits for one to vote. */
  #electionInMs(): number {
    const delays = this.nodes.map((candidate) => {
      const others = this.nodes.filter((node) => node !== candidate && node.responsive);
      const patience = others.map(({ electionMs }) => electionMs).sort((one, other) => one - other);
      const votesMs = patience[this.quorum - 2] ?? 0;
      return Math.max(votesMs, candidate.electionMs * this.random.between(1, 2));
    });
    return Math.min(...delays);
  }

  #elect(): void {
    if (this.hasQuorum) return;
    const able = this.nodes.filter((node) => node.responsive && this.peersOf(node).length >= this.quorum);
    // Nobody votes for a log that lacks what was committed.
    const candidates = able.filter((node) => !node.missed);
    if (candidates.length > 0) this.#install(this.random.pick(candidates));
    else if (able.length > 0)
      this.#install(able.reduce((one, other) => (other.applied > one.applied ? other : one)));
  }

  #install(node: EtcdNode): void {
    this.#term += this.random.chance(0.2) ? this.random.integer(2, 3) : 1;
    this.leader = { node, term: this.#term, ready: false, lost: false };
    this.#uncommitted = this.#uncommitted.filter((each) => each.replicated || each.node === node);
    this.onElection(node, this.#term);
    node.hear(this.#term, undefined); // as a candidate
    node.hear(this.#term, node);
    node.missed = false;
    this.reconsider();
  }

  /** The new leader commits what it found in its log, and an entry of its own term; only then does it serve. */
  #establish(): void {
    const { leader } = this;
    const { node } = leader;
    node.after(this.random.between(3, 60), () => {
      if (this.leader !== leader || leader.ready || !this.hasQuorum) return;
      node.applyUpTo(this.store.lastIndex);
      const isInherited = (each: Uncommitted): boolean => each.replicated || each.node === node;
      const inherited = this.#uncommitted.filter(isInherited);
      this.#uncommitted = this.#uncommitted.filter((each) => !isInherited(each));
      const term = this.store.entry(this.store.lastIndex).term;
      for (const { command, onEntry } of inherited) onEntry(this.commitAs(command, term));
      leader.ready = true;
      this.commit({ kind: 'empty' });
      this.#promote(node);
      this.reconsider();
    });
  }

  /** On applying its own empty entry a leader promotes its lessor: a look at whether it leads, then the deed. */
  #promote(node: EtcdNode): void {
    const promote = (): void => {
      if (!node.leads) this.onLatePromotion(node);
      node.lessor.promote(node.electionMs);
    };
    const isHeldUp = this.onPromoting !== undefined;
    if (isHeldUp || (this.traits.racesPromotion && this.random.chance(0.3))) {
      node.after(this.random.between(1, 40), promote);
      this.onPromoting?.(node);
      this.onPromoting = undefined;
    } else promote();
  }

  /** Lets a member find out, in its own time, whom to follow, and catch up with the log. */
  #settle(node: EtcdNode): void {
    if (!node.responsive) return;
    const leader = this.#leaderFor(node);
    const hasAll = !node.missed && node.applied === this.store.lastIndex;
    if (node.leader === leader && (leader === undefined || hasAll)) return;
    const pending = this.#settling.get(node);
    if (pending !== undefined) {
      // Whoever is about to find itself alone hears from the leader first.
      if (pending.isAlone && leader !== undefined) pending.appointment.cancelled = true;
      else return;
    }
    const inMs =
      leader === undefined
        ? node.electionMs * this.random.between(1, 2)
        : this.random.between(3, this.random.pick([20, 300]));
    const { life } = node;
    const appointment = this.timeline.after(inMs, () => {
      this.#settling.delete(node);
      if (!node.responsive || node.life !== life) {
        this.#settle(node);
        return;
      }
      const current = this.#leaderFor(node);
      if (current === undefined && leader !== undefined) {
        this.#settle(node);
        return;
      }
      if (current === undefined) {
        // A leader that has not heard from a quorum for so long steps down (CheckQuorum).
        if (node === this.leader.node) this.leader.lost = true;
        node.hear(node.term, undefined);
      } else {
        const { term } = this.leader;
        this.#follow(node, this.leader);
        // The leader finds out how far this one's log is.
        this.timeline.after(this.random.between(0.5, 8), () => {
          if (node.life === life && this.leader.term === term) this.catchUp(node);
        });
      }
      this.onChange();
    });
    this.#settling.set(node, { appointment, isAlone: leader === undefined });
  }

  /** A member hears from a leader, whose log replaces what its own has and nobody else accepted. */
  #follow(node: EtcdNode, leader: Leadership): void {
    if (node !== leader.node && this.#uncommitted.length > 0)
      this.#uncommitted = this.#uncommitted.filter((each) => each.replicated || each.node !== node);
    node.hear(leader.term, leader.node);
  }

  /** What a member lacks of the log: entry by entry, or, where the log does not go back so far, as a snapshot. */
  #sendLog(node: EtcdNode): void {
    const { store, leader } = this;
    if (node === leader.node) return;
    if (node.applied + 1 >= store.firstIndex) {
      node.missed = false;
      node.applyUpTo(store.lastIndex);
      return;
    }
    if (node.isRestoring) return;
    node.isRestoring = true;
    node.after(this.random.between(2, this.random.pick([20, 200])), () => {
      node.isRestoring = false;
      if (this.leader.term !== leader.term || !this.hasQuorum || !node.reaches(leader.node)) return;
      const leases = [...leader.node.lessor.leases].map(([leaseId, { ttlS }]) => [leaseId, ttlS] as const);
      node.missed = false;
      node.applySnapshot(store.lastIndex, leases);
      this.onSnapshot(node);
    });
  }

  #leaderFor(node: EtcdNode): EtcdNode | undefined {
    const { leader } = this;
    return this.hasQuorum && node.reaches(leader.node) ? leader.node : undefined;
  }

  /** A primary lessor, real or old, finds a lease ended: it is revoked through the log, keys and all. */
  #onExpired(node: EtcdNode, leaseId: LeaseId): void {
    const revoke = (): void => {
      const author = { kind: 'expiry', by: node.id } as const;
      this.propose(node, { kind: 'revoke', leaseId, author }, NOTHING, NOTHING);
    };
    // Between the lessor's account and the proposal lie other threads.
    node.after(this.random.between(0, this.random.pick([1, 1, 20])), () => {
      this.ensureLeadership(node, revoke, NOTHING);
    });
  }

  /** Whether a member still leads, as far as its release asks. */
  ensureLeadership(node: EtcdNode, onYes: () => void, onNo: () => void): void {
    const { checksLeadership } = this.traits;
    if (checksLeadership === 'never' || (checksLeadership === 'unlessTicked' && node.isActive)) {
      onYes();
      return;
    }
    node.reads.ask({
      onReady: () => {
        if (node.leads) onYes();
        else onNo();
      },
      onFail: onNo,
    });
  }
}

/** A revoke by a lessor that was not the leader's when it came to be is no end of the lease (etcd #15247). */
function asProposed(command: Command, leader: EtcdNode): Command {
  if (command.kind !== 'revoke' || command.author.kind !== 'expiry' || command.author.by === leader.id)
    return command;
  return { ...command, author: { kind: 'staleExpiry' } };
}
