import { EtcdNode } from './etcd-node.ts';
import type { Random } from './random.ts';
import { type Agreement, type Command, type Entry, Store } from './store.ts';
import type { Appointment, Timeline } from './timeline.ts';

/** How this cluster differs from others; drawn once for each schedule. */
export interface ClusterTraits {
  readonly size: number;
  /** Grants below it are raised to it. */
  readonly smallestTtlS: number;
  /** A leader makes sure that it still is one before it renews (etcd 3.4.31, 3.5.13 and later). */
  readonly verifiesRenewals: boolean;
  /** Revokes queued by an old leader get through (etcd #15247; the same releases mend it). */
  readonly earlyRevokes: boolean;
  /** A lease just granted may be unknown for a moment (etcd #13675). */
  readonly forgetsFreshLeases: boolean;
  /** A keepalive of a lease that was revoked may report success (etcd #20590). */
  readonly renewsRevoked: boolean;
  /** The keys of a revoked lease go this long before the lease itself (etcd #14758). */
  readonly keysGoFirstMs: number;
  /** Between proposal and commit, milliseconds. */
  readonly commitMs: readonly [number, number];
  /** Clock rate error of the members, a fraction. */
  readonly drift: number;
}

interface Uncommitted {
  readonly node: EtcdNode;
  readonly command: Command;
  readonly onEntry: (entry: Entry) => void;
  /** Stands in the logs of others as well, so that it outlives its leader. */
  readonly replicated: boolean;
}

// etcd's default election timeout, and its randomised upper end (etcd raft, electionTimeout to 2x).
const ELECTION_MS = [1_000, 2_000] as const;

/**
 * Raft as seen from outside: who leads in which term, which proposals are committed, and how long members go on believing
 * what is no longer true. At most one leader has a quorum; an old one may go on believing in itself.
 */
export class Cluster {
  readonly store: Store;
  readonly nodes: readonly EtcdNode[];
  readonly traits: ClusterTraits;
  readonly timeline: Timeline;
  readonly random: Random;
  /** The leader that was elected last. */
  leader: { readonly node: EtcdNode; readonly term: number; ready: boolean; lost: boolean };
  /** Whether that leader is followed by a quorum at this moment. */
  hasQuorum = true;
  /** A slow disk: added to each commit, milliseconds. */
  slowMs = 0;
  onChange: () => void = () => undefined;
  onElection: (node: EtcdNode, term: number) => void = () => undefined;
  #term = 2;
  #isElecting = false;
  #uncommitted: Uncommitted[] = [];
  readonly #settling = new Map<EtcdNode, Appointment>();

  constructor(traits: ClusterTraits, timeline: Timeline, random: Random, agreement: Agreement) {
    this.traits = traits;
    this.timeline = timeline;
    this.random = random;
    this.store = new Store(traits.smallestTtlS, agreement);
    this.nodes = Array.from({ length: traits.size }, (_, id) => {
      const pace = 1 + random.between(-traits.drift, traits.drift);
      return new EtcdNode(id, this.store, timeline, pace);
    });
    const first = random.pick(this.nodes);
    this.leader = { node: first, term: this.#term, ready: true, lost: false };
    for (const node of this.nodes) {
      node.follow(first);
      node.onExpired = (leaseId) => {
        this.#onExpired(node, leaseId);
      };
    }
    this.commit({ kind: 'empty' });
    first.promote();
  }

  get quorum(): number {
    return (this.nodes.length >> 1) + 1;
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
      this.timeline.after(this.random.between(...ELECTION_MS), () => {
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

  /** Lets a member that has fallen behind apply at once what it has of the log. */
  catchUp(node: EtcdNode): void {
    if (this.hasQuorum && node.responsive && node.reaches(this.leader.node))
      node.applyUpTo(this.store.lastIndex);
  }

  /** Hands leadership to `node` without a fault, as `etcdctl move-leader` does. */
  moveLeader(node: EtcdNode): void {
    if (this.hasQuorum && this.peersOf(node).length >= this.quorum && node.responsive) this.#install(node);
  }

  /** Puts a command before the leader that `at` knows; `onEntry` when `at` has applied it, `onFail` after 7 s without. */
  propose(at: EtcdNode, command: Command, onEntry: (entry: Entry) => void, onFail: () => void): void {
    const target = at.leader;
    if (target === undefined) {
      const retry = (): void => {
        this.propose(at, command, onEntry, onFail);
      };
      at.park({ retry, fail: onFail });
      return;
    }
    const arrived = (): void => {
      this.#append(target, command, (entry) => {
        at.whenApplied(entry.index, () => {
          onEntry(entry);
        });
      });
    };
    if (target === at) arrived();
    else if (at.reaches(target)) target.after(this.hopMs(), arrived);
  }

  /** Between two members that reach each other. */
  hopMs(): number {
    return this.random.between(0.2, 2);
  }

  commit(command: Command): Entry {
    return this.commitAs(command, this.leader.term);
  }

  commitAs(command: Command, term: number): Entry {
    const entry = this.store.commit(command, term);
    const { node: leader } = this.leader;
    leader.applyUpTo(entry.index);
    for (const node of this.nodes) {
      if (node === leader || !node.responsive || !node.reaches(leader)) continue;
      const lagMs = node.lagMs * this.random.between(0.1, 2);
      node.after(lagMs, () => {
        if (!node.stuck) node.applyUpTo(entry.index);
      });
    }
    return entry;
  }

  #append(node: EtcdNode, command: Command, onEntry: (entry: Entry) => void): void {
    const { leader } = this;
    if (node !== leader.node || !this.isReady()) {
      if (node.leader === node) this.#uncommitted.push({ node, command, onEntry, replicated: false });
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

  #elect(): void {
    if (this.hasQuorum) return;
    const candidates = this.nodes.filter(
      (node) => node.responsive && this.peersOf(node).length >= this.quorum,
    );
    if (candidates.length > 0) this.#install(this.random.pick(candidates));
  }

  #install(node: EtcdNode): void {
    this.#term += this.random.chance(0.2) ? this.random.integer(2, 3) : 1;
    this.leader = { node, term: this.#term, ready: false, lost: false };
    this.#uncommitted = this.#uncommitted.filter((each) => each.replicated || each.node === node);
    this.onElection(node, this.#term);
    node.follow(undefined); // as a candidate
    node.follow(node);
    this.reconsider();
  }

  /** The new leader commits what it found in its log, and an entry of its own term; only then does it serve. */
  #establish(): void {
    const { leader } = this;
    this.timeline.after(this.random.between(3, 60), () => {
      if (this.leader !== leader || leader.ready || !this.hasQuorum) return;
      leader.node.applyUpTo(this.store.lastIndex);
      const inherited = this.#uncommitted;
      this.#uncommitted = [];
      const term = this.store.entry(this.store.lastIndex).term;
      for (const { command, onEntry } of inherited) onEntry(this.commitAs(command, term));
      leader.ready = true;
      this.commit({ kind: 'empty' });
      leader.node.promote();
      this.reconsider();
    });
  }

  /** Lets a member find out, in its own time, whom to follow, and catch up with the log. */
  #settle(node: EtcdNode): void {
    if (!node.responsive) return;
    const leader = this.#leaderFor(node);
    if (node.leader === leader && (leader === undefined || node.applied === this.store.lastIndex)) return;
    if (this.#settling.has(node)) return;
    const inMs =
      leader === undefined
        ? this.random.between(...ELECTION_MS)
        : this.random.between(3, this.random.pick([20, 300]));
    const { life } = node;
    const settling = this.timeline.after(inMs, () => {
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
      // A leader that has not heard from a quorum for so long steps down (CheckQuorum).
      if (current === undefined && node === this.leader.node) this.leader.lost = true;
      node.follow(current);
      if (current !== undefined) node.applyUpTo(this.store.lastIndex);
      this.onChange();
    });
    this.#settling.set(node, settling);
  }

  #leaderFor(node: EtcdNode): EtcdNode | undefined {
    const { leader } = this;
    return this.hasQuorum && node.reaches(leader.node) ? leader.node : undefined;
  }

  /** A primary lessor, real or old, finds a lease ended: it is revoked through the log, keys and all. */
  #onExpired(node: EtcdNode, leaseId: Parameters<EtcdNode['renew']>[0]): void {
    if (node.stuck || (node !== this.leader.node && node.leader === node)) {
      if (!this.traits.earlyRevokes) return;
      // The revoke waits until this member knows the new leader, and nobody asks whether the lease has been renewed.
      node.onceDemoted(() => {
        node.after(this.random.between(5, 500), () => {
          const command: Command = { kind: 'revoke', leaseId, author: { kind: 'staleExpiry' } };
          this.propose(
            node,
            command,
            () => undefined,
            () => undefined,
          );
        });
      });
      return;
    }
    const command: Command = { kind: 'revoke', leaseId, author: { kind: 'expiry' } };
    this.propose(
      node,
      command,
      () => undefined,
      () => undefined,
    );
  }
}
