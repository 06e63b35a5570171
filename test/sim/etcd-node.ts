import type { Header, LeaseId } from '../../src/cluster/member.ts';
import type { Entry, Store } from './store.ts';
import type { Timeline } from './timeline.ts';

export const CLUSTER_ID = '1234567890123456789';

// The lessor looks for ended leases this often (etcd, lease/lessor.go).
const EXPIRY_CHECK_MS = 500;

// What a promoted lessor adds to each lease: an election timeout (etcd, lease/lessor.go, Promote).
const PROMOTION_EXTRA_MS = 1_000;

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

/**
 * One etcd member as far as it differs from what the cluster has agreed upon: how much of the log it has applied, whom it
 * believes to be the leader, and when its lessor, if it believes to be the primary one, would let leases end.
 */
export class EtcdNode {
  readonly id: number;
  readonly store: Store;
  readonly timeline: Timeline;
  /** How fast its clock is: real milliseconds for one of its own. */
  readonly pace: number;
  up = true;
  /** Stopped as a process: nothing is lost, nothing happens. */
  frozen = false;
  /** Raft stands still, for example because the disk does, while everything else goes on (etcd #15247). */
  stuck = false;
  /** Members on the same side of a partition reach each other. */
  side = 0;
  leader: EtcdNode | undefined;
  primary = false;
  promotedAtMs = -Infinity;
  applied = 0;
  /** Changes with every restart: what belongs to an earlier life is dropped. */
  life = 0;
  /** How far it usually lags behind the leader, in milliseconds. */
  lagMs = 2;
  /** It ends every watch at once, as one that is overloaded or has just been given another role. */
  refusesWatches = false;
  /** It answers reads from so many entries ago (data inconsistency after a crash, etcd 3.5.0 to 3.5.2). */
  readsBack = 0;
  readonly leases = new Map<LeaseId, number>();
  /** By the primary lessor's belief, on the timeline's scale. */
  readonly expiries = new Map<LeaseId, number>();
  readonly revokedAtMs = new Map<LeaseId, number>();
  readonly grantedAtMs = new Map<LeaseId, number>();
  readonly watchers = new Set<Watcher>();
  /** Told by whoever runs the lessor that these leases have ended. */
  onExpired: (leaseId: LeaseId) => void = () => undefined;
  #backlog: (() => void)[] = [];
  #waiters: { readonly index: number; readonly happen: () => void }[] = [];
  #parked: Parked[] = [];
  #demoted: (() => void)[] = [];
  #checkAtMs = Infinity;

  constructor(id: number, store: Store, timeline: Timeline, pace: number) {
    this.id = id;
    this.store = store;
    this.timeline = timeline;
    this.pace = pace;
    this.applyUpTo(store.lastIndex);
  }

  get responsive(): boolean {
    return this.up && !this.frozen && !this.stuck;
  }

  header(index = this.applied): Header {
    const { revision, term } = this.store.entry(index);
    return {
      clusterId: CLUSTER_ID,
      memberId: String(1000 + this.id),
      revision: BigInt(revision),
      raftTerm: BigInt(term),
    };
  }

  reaches(other: EtcdNode): boolean {
    return this === other || this.side === other.side;
  }

  /** Runs something in this member's process: now, once it is continued, or never if it has ended in the meantime. */
  run(happen: () => void): void {
    if (!this.up) return;
    if (this.frozen) this.#backlog.push(happen);
    else happen();
  }

  after(inMs: number, happen: () => void): void {
    const { life } = this;
    this.timeline.after(inMs, () => {
      if (this.life === life) this.run(happen);
    });
  }

  thaw(): void {
    this.frozen = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const happen of backlog) this.run(happen);
    if (this.primary) this.#checkExpiries();
  }

  crash(): void {
    this.up = false;
    this.frozen = false;
    this.stuck = false;
    this.life += 1;
    this.leader = undefined;
    this.primary = false;
    this.#backlog = [];
    this.#waiters = [];
    this.#parked = [];
    this.#demoted = [];
    this.#checkAtMs = Infinity;
    this.expiries.clear();
    this.endWatches('the connection was reset');
  }

  /** Comes back with what it had on disk: `index` of the log. */
  restart(index: number): void {
    this.up = true;
    this.applied = 0;
    this.leases.clear();
    this.applyUpTo(index);
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
      this.#apply(this.store.entry(next));
    }
    if (this.watchers.size > 0) for (const watcher of [...this.watchers]) this.tell(watcher);
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.index <= this.applied);
    this.#waiters = this.#waiters.filter((waiter) => waiter.index > this.applied);
    for (const { happen } of due) happen();
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

  follow(leader: EtcdNode | undefined): void {
    if (this.leader === leader) return;
    this.leader = leader;
    if (leader !== this && this.primary) this.#demote();
    if (leader === undefined) {
      this.endWatches('no leader');
      return;
    }
    const parked = this.#parked;
    this.#parked = [];
    for (const { retry } of parked) retry();
  }

  /** Becomes the primary lessor: every lease starts anew, with some more (etcd, Promote). */
  promote(): void {
    this.primary = true;
    this.promotedAtMs = this.timeline.nowMs;
    for (const [leaseId, ttlS] of this.leases) this.#restartLease(leaseId, ttlS * 1000 + PROMOTION_EXTRA_MS);
  }

  /** Milliseconds until the lease ends by this lessor's belief; undefined when it does not know it. */
  leftMs(leaseId: LeaseId): number | undefined {
    const expiry = this.expiries.get(leaseId);
    return expiry === undefined ? undefined : (expiry - this.timeline.nowMs) / this.pace;
  }

  renew(leaseId: LeaseId): void {
    this.#restartLease(leaseId, (this.leases.get(leaseId) ?? 0) * 1000);
  }

  onceDemoted(happen: () => void): void {
    this.#demoted.push(happen);
  }

  #demote(): void {
    this.primary = false;
    this.expiries.clear();
    const demoted = this.#demoted;
    this.#demoted = [];
    for (const happen of demoted) happen();
  }

  #apply({ command, outcome }: Entry): void {
    if (command.kind === 'grant' && outcome.kind === 'done') {
      this.leases.set(command.leaseId, outcome.ttlS);
      this.grantedAtMs.set(command.leaseId, this.timeline.nowMs);
      if (this.primary) this.renew(command.leaseId);
    } else if (command.kind === 'revoke' && outcome.kind === 'done') {
      this.leases.delete(command.leaseId);
      this.expiries.delete(command.leaseId);
      this.revokedAtMs.set(command.leaseId, this.timeline.nowMs);
    }
  }

  #restartLease(leaseId: LeaseId, ttlMs: number): void {
    const expiry = this.timeline.nowMs + ttlMs * this.pace;
    this.expiries.set(leaseId, expiry);
    this.#checkAt(expiry);
  }

  /** Plans the next look at the leases, on the lessor's own grid, unless an earlier one is planned. */
  #checkAt(expiry: number): void {
    const phaseMs = this.id * 97;
    const atMs = Math.ceil((expiry - phaseMs) / EXPIRY_CHECK_MS) * EXPIRY_CHECK_MS + phaseMs;
    if (atMs >= this.#checkAtMs) return;
    this.#checkAtMs = atMs;
    this.after(atMs - this.timeline.nowMs, () => {
      if (this.#checkAtMs === atMs) this.#checkExpiries();
    });
  }

  #checkExpiries(): void {
    this.#checkAtMs = Infinity;
    let nextMs = Infinity;
    for (const [leaseId, expiry] of this.expiries) {
      if (expiry <= this.timeline.nowMs) {
        this.onExpired(leaseId);
        nextMs = Math.min(nextMs, this.timeline.nowMs + EXPIRY_CHECK_MS);
      } else nextMs = Math.min(nextMs, expiry);
    }
    if (nextMs < Infinity) this.#checkAt(nextMs);
  }
}
