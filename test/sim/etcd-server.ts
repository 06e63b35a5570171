import type { EtcdErrorKind } from '../../src/base/errors.ts';
import type {
  ConfirmAnswer,
  Header,
  KeyValue,
  LeaseId,
  LockAnswer,
  RangeAnswer,
  LeaseAnswer,
  TimeToLiveAnswer,
} from '../../src/cluster/member.ts';
import type { Cluster } from './cluster.ts';
import type { EtcdNode, Watcher } from './etcd-node.ts';
import type { Author, Command, Outcome } from './store.ts';

export interface Refusal {
  readonly kind: EtcdErrorKind;
  readonly message: string;
}

/** An answer before it is on a connection. */
export type Unsent<Answer> = Omit<Answer, 'connection'>;

/** How a member answers one request; called at most once, and perhaps never. */
export interface Reply<T> {
  readonly answer: (answer: T) => void;
  readonly refuse: (refusal: Refusal) => void;
}

// The port's readers retry a read whose leader went away this often (etcd, server/etcdserver/v3_server.go).
const READ_RETRY_MS = 500;
const READ_TRIES = 14;

// How long after its grant, or after an election, a lease may still be unknown, with the quirk of etcd #13675.
const FRESH_MS = 150;

const GONE: Refusal = { kind: 'noLeader', message: 'etcdserver: no leader' };
const TIMED_OUT: Refusal = { kind: 'unavailable', message: 'etcdserver: request timed out' };
const NOT_PRIMARY: Refusal = { kind: 'unavailable', message: 'etcdserver: not a primary lessor' };

/** What one member does with the requests that arrive there. */
export class EtcdServer {
  readonly node: EtcdNode;
  readonly cluster: Cluster;
  /** Set while every request is refused: a role or a password was changed. */
  refusal: Refusal | undefined;
  /** Set while nothing may be stored (the NOSPACE alarm). */
  noSpace = false;

  constructor(cluster: Cluster, node: EtcdNode) {
    this.cluster = cluster;
    this.node = node;
  }

  grant(leaseId: LeaseId, ttlS: number, author: Author, reply: Reply<Unsent<LeaseAnswer>>): void {
    this.#change({ kind: 'grant', leaseId, ttlS, author }, reply, (outcome) => ({
      header: this.node.header(),
      ttlMs: outcome.kind === 'done' ? outcome.ttlS * 1000 : 0,
    }));
  }

  revoke(leaseId: LeaseId, author: Author, reply: Reply<Pick<LeaseAnswer, 'header'>>): void {
    this.#change({ kind: 'revoke', leaseId, author }, reply, () => ({ header: this.node.header() }));
  }

  lock(command: Command & { kind: 'lock' }, reply: Reply<Unsent<LockAnswer>>): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.header(), revision: BigInt(revision) },
      succeeded: outcome.kind === 'locked',
      oldest: outcome.kind === 'notLocked' ? outcome.oldest : null,
    }));
  }

  describe(
    command: Command & { kind: 'describe' },
    reply: Reply<{ readonly header: Header; readonly succeeded: boolean }>,
  ): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.header(), revision: BigInt(revision) },
      succeeded: outcome.kind === 'done',
    }));
  }

  confirm(command: Command & { kind: 'confirm' }, reply: Reply<Unsent<ConfirmAnswer>>): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.header(), revision: BigInt(revision) },
      found: outcome.kind === 'confirmed' ? outcome.found : null,
    }));
  }

  keepAlive(leaseId: LeaseId, reply: Reply<Unsent<LeaseAnswer>>): void {
    if (this.#isRefused(reply)) return;
    // The header is filled before the lease is renewed.
    const header = this.node.header();
    this.#atPrimary(reply, (primary, back) => {
      this.#renewAt(primary, leaseId, {
        answer: (ttlMs) => {
          back(() => {
            reply.answer({ header, ttlMs });
          });
        },
        refuse: (refusal) => {
          back(() => {
            reply.refuse(refusal);
          });
        },
      });
    });
  }

  timeToLive(leaseId: LeaseId, reply: Reply<TimeToLiveAnswer>): void {
    if (this.#isRefused(reply)) return;
    this.#atPrimary(reply, (primary, back) => {
      const leftMs = primary.leftMs(leaseId);
      const granted = primary.leases.get(leaseId);
      back(() => {
        const header = this.node.header();
        if (leftMs === undefined || granted === undefined)
          reply.answer({ header, remainingMs: -1_000, grantedTtlMs: 0 });
        else {
          const remainingMs = Math.floor(leftMs / 1000) * 1000;
          reply.answer({ header, remainingMs, grantedTtlMs: granted * 1000 });
        }
      });
    });
  }

  /** A linearizable read of the keys that `select` picks. */
  read(select: (keys: readonly KeyValue[]) => KeyValue | undefined, reply: Reply<RangeAnswer>): void {
    if (this.#isRefused(reply)) return;
    const { node } = this;
    this.#confirmIndex(READ_TRIES, reply, (index) => {
      node.whenApplied(index, () => {
        const shown = Math.max(1, node.applied - node.readsBack);
        reply.answer({ header: node.header(shown), oldest: select(node.store.keysAt(shown)) ?? null });
      });
    });
  }

  watch(watcher: Watcher): void {
    if (this.node.refusesWatches) {
      watcher.onEnd('refused');
      return;
    }
    this.node.watchers.add(watcher);
    this.node.tell(watcher);
  }

  #isRefused(reply: Reply<never>): boolean {
    if (this.refusal === undefined) return false;
    reply.refuse(this.refusal);
    return true;
  }

  #change<T>(command: Command, reply: Reply<T>, shape: (outcome: Outcome, revision: number) => T): void {
    if (this.#isRefused(reply)) return;
    if (this.noSpace && (command.kind === 'grant' || command.kind === 'lock')) {
      reply.refuse({ kind: 'noSpace', message: 'etcdserver: mvcc: database space exceeded' });
      return;
    }
    this.cluster.propose(
      this.node,
      command,
      ({ outcome, revision }) => {
        if (outcome.kind === 'leaseNotFound')
          reply.refuse({ kind: 'leaseNotFound', message: 'lease not found' });
        else if (outcome.kind === 'leaseExists')
          reply.refuse({ kind: 'leaseExists', message: 'lease already exists' });
        else reply.answer(shape(outcome, revision));
      },
      () => {
        reply.refuse(this.cluster.random.chance(0.5) ? GONE : TIMED_OUT);
      },
    );
  }

  /**
   * Leases live at the primary lessor; other members hand the request on to whom they believe to be the leader. `back`
   * carries the answer to this member.
   */
  #atPrimary(
    reply: Reply<never>,
    ask: (primary: EtcdNode, back: (deliver: () => void) => void) => void,
  ): void {
    const { node, cluster } = this;
    const target = node.leader;
    if (target === undefined) {
      node.park({
        retry: () => {
          this.#atPrimary(reply, ask);
        },
        fail: () => {
          reply.refuse(GONE);
        },
      });
      return;
    }
    const here = (deliver: () => void): void => {
      if (target === node) node.run(deliver);
      else if (target.reaches(node)) node.after(cluster.hopMs(), deliver);
    };
    const arrived = (): void => {
      if (target.primary) ask(target, here);
      else
        here(() => {
          reply.refuse(NOT_PRIMARY);
        });
    };
    if (target === node) arrived();
    else if (node.reaches(target)) target.after(cluster.hopMs(), arrived);
  }

  #renewAt(primary: EtcdNode, leaseId: LeaseId, reply: Reply<number>): void {
    const { cluster } = this;
    const { traits, random, timeline } = cluster;
    const isLeader = primary === cluster.leader.node && cluster.isReady();
    if (traits.verifiesRenewals && !isLeader) {
      primary.onceDemoted(() => {
        reply.refuse(NOT_PRIMARY);
      });
      return;
    }
    const granted = primary.leases.get(leaseId);
    const leftMs = primary.leftMs(leaseId);
    if (granted === undefined || leftMs === undefined) {
      const revokedAtMs = primary.revokedAtMs.get(leaseId);
      const isKeyLast = revokedAtMs !== undefined && timeline.nowMs - revokedAtMs < traits.keysGoFirstMs;
      const isRevived = revokedAtMs !== undefined && traits.renewsRevoked && random.chance(0.8);
      reply.answer(isKeyLast || isRevived ? 3_000 : 0);
      return;
    }
    const freshSinceMs = Math.max(primary.promotedAtMs, primary.grantedAtMs.get(leaseId) ?? 0);
    const ageMs = timeline.nowMs - freshSinceMs;
    if (traits.forgetsFreshLeases && ageMs < FRESH_MS && random.chance(0.3)) reply.answer(0);
    else if (leftMs > 0) {
      primary.renew(leaseId);
      reply.answer(granted * 1000);
    } else {
      // Ended but not revoked yet: etcd waits for one of the two (lease/lessor.go, Renew).
      this.#awaitEnd(primary, leaseId, reply);
    }
  }

  #awaitEnd(primary: EtcdNode, leaseId: LeaseId, reply: Reply<number>): void {
    primary.after(50, () => {
      if (!primary.primary) reply.refuse(NOT_PRIMARY);
      else if (!primary.leases.has(leaseId)) reply.answer(0);
      else this.#awaitEnd(primary, leaseId, reply);
    });
  }

  /** ReadIndex: how far the leader's log is, and that a quorum still follows it after the question arrived. */
  #confirmIndex(tries: number, reply: Reply<never>, onIndex: (index: number) => void): void {
    const { node, cluster } = this;
    const { random, store } = cluster;
    const again = (): void => {
      if (tries <= 1) reply.refuse(TIMED_OUT);
      else
        node.after(READ_RETRY_MS, () => {
          this.#confirmIndex(tries - 1, reply, onIndex);
        });
    };
    const target = node.leader;
    if (target === undefined || !node.reaches(target)) {
      again();
      return;
    }
    const ask = (): void => {
      const { leader } = cluster;
      if (leader.node !== target || !cluster.isReady()) {
        again();
        return;
      }
      const index = store.lastIndex;
      // The quorum's answers may have been given at once, or just before they arrive.
      const isEarly = random.chance(0.3);
      node.after(cluster.hopMs() + cluster.hopMs(), () => {
        if (isEarly || (cluster.leader === leader && cluster.isReady())) onIndex(index);
        else again();
      });
    };
    if (target === node) ask();
    else node.after(cluster.hopMs(), ask);
  }
}
