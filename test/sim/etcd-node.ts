import type { Header, LeaseId } from '../../src/cluster/member.ts';
import { Lessor } from './lessor.ts';
import type { Random } from './random.ts';
import { RaftReads } from './raft-reads.ts';
import type { Entry, Store } from './store.ts';
import type { Timeline } from './timeline.ts';

export const CLUSTER_ID = '1234567890123456789';

/** The member ID of every etcd that was started with defaults and alone; the cluster ID is the same for all of them too. */
const ALONE_MEMBER_ID = '10276657743932975437';

/** What one member differs in from the others of its cluster. */
export interface NodeTraits {
  /** Started with defaults, and never made a cluster with the others of the list. */
  readonly isAlone: boolean;
  /** A process that has the member ID of the others. */
  readonly isCopy: boolean;
  /** `--election-timeout`. */
  readonly electionMs: number;
  /** How fast its clock is: real milliseconds for one of its own. */
  readonly pace: number;
  /** How long its lessor hesitates between its two looks at a lease. */
  readonly hesitation: () => number;
}

/** What a watcher wants to hear of one member. */
export interface Watcher {
  readonly key: string;
  /** The first revision not told yet. */
  fromRevision: number;
  readonly onEvent: (kind: 'put' | 'delete') => void;
  readonly onEnd: (reason: string) => void;
}

interface Parked {
  readonly retry: () => void;
  readonly fail: () => void;
}

/** Something that waits for the process, or for its raft loop, to go on. */
interface Pending {
  /** What comes from one source keeps its order. */
  readonly source: string;
  readonly isForRaft: boolean;
  readonly happen: () => void;
}

/** `--heartbeat-interval`: a hundredth of a long election timeout, a tenth of a short one. */
function heartbeatMsOf(electionMs: number): number {
  return electionMs < 1_000 ? electionMs / 10 : 100;
}

/** The smallest TTL that a member grants (etcd, server/etcdserver/server.go, NewServer). */
export function minTtlSOf(electionMs: number): number {
  const heartbeatMs = heartbeatMsOf(electionMs);
  const ticks = Math.floor((3 * Math.floor(electionMs / heartbeatMs)) / 2);
  return Math.ceil((ticks * heartbeatMs) / 1000);
}

/**
 * One etcd member as far as it differs from what the cluster has agreed upon: how much of the log it has applied, whom its
 * raft follows in which term, and what its lessor counts. It is one process, with a raft loop that can stand still alone.
 */
export class EtcdNode {
  readonly id: number;
  /** uint64 as a decimal string. */
  readonly memberId: string;
  readonly store: Store;
  readonly timeline: Timeline;
  readonly electionMs: number;
  readonly heartbeatMs: number;
  readonly pace: number;
  readonly lessor: Lessor;
  readonly reads: RaftReads;
  up = true;
  /** Stopped as a process: nothing is lost, nothing happens. */
  frozen = false;
  /** Raft stands still, for example because the disk does, while everything else goes on (etcd #15247). */
  stuck = false;
  /** Members on the same side of a partition reach each other. */
  side = 0;
  /** Its peers' connections to it have to be made anew until then. */
  unlinkedUntilMs = -Infinity;
  /** The leader of its raft's term, as far as it knows: itself, another, or nobody yet. */
  leader: EtcdNode | undefined;
  /** Its raft's term. */
  term = 0;
  /** What its headers show: the term of the last entry that was applied one by one (etcd, setTerm). */
  headerTerm = 0;
  /** What its headers showed before it applied the last entry. */
  #headerTermBefore = 0;
  /** The entries that came in the last raft snapshot. */
  #skipped = { fromIndex: 1, toIndex: 0 };
  applied = 0;
  /** It has not been told of everything that was committed. */
  missed = false;
  /** It is being sent a raft snapshot. */
  isRestoring = false;
  /** Changes with every restart: what belongs to an earlier life is dropped. */
  life = 0;
  /** How far it usually lags behind the leader, in milliseconds. */
  lagMs = 2;
  /** It ends every watch at once, as one that is overloaded or has just been given another role. */
  refusesWatches = false;
  /** It answers reads from so many entries ago (data inconsistency after a crash, etcd 3.5.0 to 3.5.2). */
  readsBack = 0;
  readonly watchers = new Set<Watcher>();
  readonly #random: Random;
  #stoppedAtMs = -Infinity;
  #ticksAgainMs = -Infinity;
  #backlog: Pending[] = [];
  #waiters: { readonly index: number; readonly happen: () => void }[] = [];
  #parked: Parked[] = [];

  constructor(id: number, store: Store, timeline: Timeline, random: Random, traits: NodeTraits) {
    this.id = id;
    this.memberId = traits.isAlone ? ALONE_MEMBER_ID : String(traits.isCopy ? 1000 : 1000 + id);
    this.store = store;
    this.timeline = timeline;
    this.#random = random;
    this.electionMs = traits.electionMs;
    this.heartbeatMs = heartbeatMsOf(traits.electionMs);
    this.pace = traits.pace;
    this.lessor = new Lessor(this, minTtlSOf(traits.electionMs), traits.hesitation);
    this.reads = new RaftReads(this);
    this.applyUpTo(store.lastIndex);
  }

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  get responsive(): boolean {
    return this.up && !this.frozen && !this.stuck;
  }

  get leads(): boolean {
    return this.leader === this;
  }

  /** Its raft has ticked in the last three heartbeats (etcd, isActive). */
  get isActive(): boolean {
    const { nowMs } = this.timeline;
    if (!this.stuck && nowMs >= this.#ticksAgainMs) return true;
    return nowMs - this.#stoppedAtMs < 3 * this.heartbeatMs;
  }

  header(index = this.applied): Header {
    return {
      clusterId: CLUSTER_ID,
      memberId: this.memberId,
      revision: BigInt(this.store.entry(index).revision),
      raftTerm: BigInt(this.headerTerm),
    };
  }

  /**
   * The header of the answer to a command of the log. etcd wakes the call before it sets the term of the entry, so the
   * header may still show the term from before.
   */
  headerOfEntry(): Header {
    const header = this.header();
    return this.#random.chance(0.1) ? { ...header, raftTerm: BigInt(this.#headerTermBefore) } : header;
  }

  reaches(other: EtcdNode): boolean {
    if (this === other) return true;
    const { nowMs } = this.timeline;
    return this.side === other.side && nowMs >= Math.max(this.unlinkedUntilMs, other.unlinkedUntilMs);
  }

  /** Runs something in this member's process: now, once it is continued, or never if it has ended in the meantime. */
  run(happen: () => void, source = 'itself'): void {
    if (!this.up) return;
    if (this.frozen) this.#backlog.push({ source, isForRaft: false, happen });
    else happen();
  }

  /** Has its raft loop do something: now, or once that goes on. */
  step(happen: () => void, source = 'itself'): void {
    if (!this.up) return;
    if (this.frozen || this.stuck) this.#backlog.push({ source, isForRaft: true, happen });
    else happen();
  }

  after(inMs: number, happen: () => void): void {
    const { life } = this;
    this.timeline.after(inMs, () => {
      if (this.life === life) this.run(happen);
    });
  }

  freeze(): void {
    this.frozen = true;
    this.#stop();
  }

  /** Continues, with what has come meanwhile: in the order of each source, and in whichever order among them. */
  thaw(): void {
    this.frozen = false;
    this.#goOn();
    // Its peers have given up their connections to it.
    if (this.timeline.nowMs - this.#stoppedAtMs > this.electionMs && this.#random.chance(0.6))
      this.unlinkedUntilMs = this.timeline.nowMs + this.#random.between(0, 400);
    this.#workOff();
    this.lessor.wake();
  }

  stick(): void {
    this.stuck = true;
    if (!this.frozen) this.#stop();
  }

  unstick(): void {
    if (!this.stuck) return;
    this.stuck = false;
    this.#goOn();
    if (!this.frozen) this.#workOff();
  }

  crash(): void {
    this.up = false;
    this.frozen = false;
    this.stuck = false;
    this.life += 1;
    this.leader = undefined;
    this.isRestoring = false;
    this.#backlog = [];
    this.#waiters = [];
    this.#parked = [];
    this.lessor.stop();
    this.reads.stop();
    this.endWatches('the connection was reset');
  }

  /** Comes back with what it had on disk: `index` of the log. */
  restart(index: number): void {
    this.up = true;
    this.missed = true;
    this.applied = 0;
    this.applyUpTo(Math.max(index, this.store.restoredIndex));
  }

  endWatches(reason: string): void {
    for (const watcher of this.watchers) watcher.onEnd(reason);
    this.watchers.clear();
  }

  /** Calls back once the log up to `index` has been applied here. */
  whenApplied(index: number, happen: () => void): void {
    if (this.applied >= index) happen();
    else this.#waiters.push({ index, happen });
  }

  applyUpTo(index: number): void {
    for (let next = this.applied + 1; next <= index; next += 1) {
      this.applied = next;
      const entry = this.store.entry(next);
      this.#headerTermBefore = this.headerTerm;
      this.headerTerm = entry.headerTerm;
      this.#apply(entry);
    }
    this.#onApplied();
  }

  /** Takes over the state of another in one piece: its headers go on showing the term from before (etcd, applySnapshot). */
  applySnapshot(index: number, leases: Iterable<readonly [LeaseId, number]>): void {
    if (index <= this.applied) return;
    this.#skipped = { fromIndex: this.applied + 1, toIndex: index };
    this.applied = index;
    this.lessor.recover(leases);
    this.#onApplied();
  }

  /**
   * Whether this entry came in a raft snapshot. A member answers a proposal when it applies its entry, so a proposal
   * whose entry came in a snapshot is never answered.
   */
  wasSkipped(index: number): boolean {
    return this.#skipped.fromIndex <= index && index <= this.#skipped.toIndex;
  }

  /** Tells a watcher what has been applied here and was not told yet. */
  tell(watcher: Watcher): void {
    if (watcher.fromRevision <= this.store.compactedRevision && this.store.compactedRevision > 0) {
      this.watchers.delete(watcher);
      watcher.onEnd('compacted');
      return;
    }
    for (const event of this.store.events) {
      if (event.index > this.applied || event.revision < watcher.fromRevision) continue;
      if (event.key === watcher.key) watcher.onEvent(event.kind);
      watcher.fromRevision = event.revision + 1;
    }
  }

  /** Keeps something until a leader is known; etcd gives up after 7 s. */
  park(parked: Parked): void {
    this.#parked.push(parked);
    this.after(7_000, () => {
      if (!this.#parked.includes(parked)) return;
      this.#parked = this.#parked.filter((each) => each !== parked);
      parked.fail();
    });
  }

  /**
   * Its raft learns who leads in a term that is its own or later; `undefined` when it only learns that its own is over. The
   * change of state comes first, and the lessor's demotion with it: what arrived together with it is handled after that
   * (etcd, server/etcdserver/raft.go).
   */
  hear(term: number, leader: EtcdNode | undefined): void {
    const isNewTerm = term > this.term;
    this.term = Math.max(this.term, term);
    if (this.leader === leader && !isNewTerm) return;
    const isNewLeader = leader !== undefined && leader !== this.leader;
    this.leader = leader;
    this.reads.reset();
    if (leader !== this && this.lessor.isPrimary) this.lessor.demote();
    if (isNewLeader) this.reads.onNewLeader();
    if (leader === undefined) {
      this.endWatches('no leader');
      return;
    }
    const parked = this.#parked;
    this.#parked = [];
    for (const { retry } of parked) retry();
  }

  #stop(): void {
    this.#stoppedAtMs = this.timeline.nowMs;
    this.#ticksAgainMs = Infinity;
  }

  #goOn(): void {
    if (this.frozen || this.stuck) return;
    this.#ticksAgainMs = this.timeline.nowMs + this.#random.between(0, this.#random.pick([0.5, 20]));
  }

  #workOff(): void {
    const mayRun = ({ isForRaft }: Pending): boolean => !isForRaft || !this.stuck;
    const due = this.#backlog.filter(mayRun);
    this.#backlog = this.#backlog.filter((pending) => !mayRun(pending));
    const bySource = new Map<string, Pending[]>();
    for (const pending of due) {
      const queue = bySource.get(pending.source);
      if (queue === undefined) bySource.set(pending.source, [pending]);
      else queue.push(pending);
    }
    const queues = [...bySource.values()];
    let inMs = 0;
    while (queues.length > 0) {
      const queue = this.#random.pick(queues);
      const next = queue.shift();
      if (queue.length === 0) queues.splice(queues.indexOf(queue), 1);
      if (next === undefined) continue;
      inMs += this.#random.between(0, 0.2);
      this.#handleIn(inMs, next);
    }
  }

  #handleIn(inMs: number, { isForRaft, happen, source }: Pending): void {
    const { life } = this;
    this.timeline.after(inMs, () => {
      if (this.life !== life) return;
      if (isForRaft) this.step(happen, source);
      else this.run(happen, source);
    });
  }

  #apply({ command, outcome }: Entry): void {
    if (command.kind === 'grant' && outcome.kind === 'done') this.lessor.grant(command.leaseId, command.ttlS);
    else if (command.kind === 'revoke' && outcome.kind === 'done') this.lessor.revoke(command.leaseId);
    else if (command.kind === 'restore')
      this.lessor.recover([...command.leases].map(([leaseId, { ttlS }]) => [leaseId, ttlS] as const));
    else if (command.kind === 'checkpoint') this.lessor.checkpoint(command.leaseId, command.remainingS);
  }

  #onApplied(): void {
    if (this.watchers.size > 0) for (const watcher of [...this.watchers]) this.tell(watcher);
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.index <= this.applied);
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.applied);
    for (const { happen } of due) happen();
  }
}
