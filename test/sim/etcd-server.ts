import type { EtcdErrorKind } from '../../src/base/errors.ts';
import type {
  ConfirmAnswer,
  Header,
  KeyValue,
  LeaseId,
  LockAnswer,
  MemberList,
  RangeAnswer,
  LeaseAnswer,
  TimeToLiveAnswer,
} from '../../src/cluster/member.ts';
import type { Cluster } from './cluster.ts';
import type { EtcdNode, Watcher } from './etcd-node.ts';
import type { RenewalAnswer } from './lessor.ts';
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

// etcd gives a request up after this, and looks again this often whether a lease can be renewed (v3_server.go).
const REQUEST_LIMIT_MS = 7_000;
const RENEW_AGAIN_MS = 50;

// How long after its grant, or after an election, a lease may still be unknown, with the quirk of etcd #13675.
const FRESH_MS = 150;

const GONE: Refusal = { kind: 'noLeader', message: 'etcdserver: no leader' };
const TIMED_OUT: Refusal = { kind: 'unavailable', message: 'etcdserver: request timed out' };
const LEADER_CHANGED: Refusal = { kind: 'unavailable', message: 'etcdserver: leader changed' };
const NOT_PRIMARY: Refusal = { kind: 'unavailable', message: 'etcdserver: not a primary lessor' };

/** What one member does with the requests that arrive there. */
export class EtcdServer {
  readonly node: EtcdNode;
  readonly cluster: Cluster;
  /** Set while every request is refused: a role or a password was changed. */
  refusal: Refusal | undefined;
  /** Who may use the lock's keys may not see the member list. */
  hidesMembers = false;
  /** Set while nothing may be stored (the NOSPACE alarm). */
  noSpace = false;

  constructor(cluster: Cluster, node: EtcdNode) {
    this.cluster = cluster;
    this.node = node;
  }

  grant(leaseId: LeaseId, ttlS: number, author: Author, reply: Reply<Unsent<LeaseAnswer>>): void {
    this.#change({ kind: 'grant', leaseId, ttlS, author }, reply, (outcome) => ({
      header: this.node.headerOfEntry(),
      // From this member's own lessor.
      ttlMs: outcome.kind === 'done' ? Math.max(ttlS, this.node.lessor.minTtlS) * 1000 : 0,
    }));
  }

  revoke(leaseId: LeaseId, author: Author, reply: Reply<Pick<LeaseAnswer, 'header'>>): void {
    this.#change({ kind: 'revoke', leaseId, author }, reply, () => ({ header: this.node.headerOfEntry() }));
  }

  putIfEmpty(command: Command & { kind: 'lock' }, reply: Reply<Unsent<LockAnswer>>): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.headerOfEntry(), revision: BigInt(revision) },
      succeeded: outcome.kind === 'locked',
      oldest: outcome.kind === 'notLocked' ? outcome.oldest : null,
    }));
  }

  updateValue(
    command: Command & { kind: 'describe' },
    reply: Reply<{ readonly header: Header; readonly succeeded: boolean }>,
  ): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.headerOfEntry(), revision: BigInt(revision) },
      succeeded: outcome.kind === 'done',
    }));
  }

  /** The log transaction of a renewal. */
  confirm(command: Command & { kind: 'confirm' }, reply: Reply<Unsent<ConfirmAnswer>>): void {
    this.#change(command, reply, (outcome, revision) => ({
      header: { ...this.node.headerOfEntry(), revision: BigInt(revision) },
      found: outcome.kind === 'confirmed' ? outcome.found : null,
    }));
  }

  keepAlive(leaseId: LeaseId, reply: Reply<Unsent<LeaseAnswer>>): void {
    if (this.#isRefused(reply)) return;
    // The header is filled before the lease is renewed.
    const header = this.node.header();
    const byMs = this.node.nowMs + REQUEST_LIMIT_MS;
    this.#renew(leaseId, byMs, {
      answer: (ttlMs) => {
        reply.answer({ header, ttlMs });
      },
      refuse: reply.refuse,
    });
  }

  timeToLive(leaseId: LeaseId, reply: Reply<TimeToLiveAnswer>): void {
    if (this.#isRefused(reply)) return;
    this.#atPrimary(reply, (primary, back) => {
      const leftMs = primary.lessor.leftMs(leaseId);
      const lease = primary.lessor.leases.get(leaseId);
      back(() => {
        const header = this.node.header();
        if (leftMs === undefined || lease === undefined)
          reply.answer({ header, remainingMs: -1_000, grantedTtlMs: 0 });
        else {
          const remainingMs = Math.floor(leftMs / 1000) * 1000;
          reply.answer({ header, remainingMs, grantedTtlMs: lease.ttlS * 1000 });
        }
      });
    });
  }

  /** A linearizable read of the keys that `select` picks. */
  read(select: (keys: readonly KeyValue[]) => KeyValue | undefined, reply: Reply<RangeAnswer>): void {
    if (this.#isRefused(reply)) return;
    const { node } = this;
    node.reads.ask({
      onReady: () => {
        const shown = Math.max(node.store.restoredIndex, node.applied - node.readsBack);
        reply.answer({ header: node.header(shown), oldest: select(node.store.keysAt(shown)) ?? null });
      },
      onFail: (why) => {
        reply.refuse(why === 'timed out' ? TIMED_OUT : LEADER_CHANGED);
      },
    });
  }

  /** As this member knows them. */
  listMembers(reply: Reply<MemberList>): void {
    if (this.#isRefused(reply)) return;
    if (this.hidesMembers) {
      reply.refuse({ kind: 'permission', message: 'etcdserver: permission denied' });
      return;
    }
    const members = this.cluster.nodes.map(({ id, memberId }) => ({
      id: memberId,
      clientUrls: [`http://etcd${id}:2379`],
    }));
    reply.answer({ header: this.node.header(), members });
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

  /** Whoever leads renews by its own lessor, after a look at whether it still leads; others hand the lease on. */
  #renew(leaseId: LeaseId, byMs: number, reply: Reply<number>): void {
    const { node, cluster } = this;
    if (!node.leads) {
      this.#forwardRenewal(leaseId, byMs, reply);
      return;
    }
    const renew = (): void => {
      this.#renewAt(node, leaseId, {
        renewed: (ttlS) => {
          reply.answer(ttlS * 1000);
        },
        notFound: () => {
          reply.answer(0);
        },
        notPrimary: () => {
          this.#forwardRenewal(leaseId, byMs, reply);
        },
      });
    };
    const refuse = (): void => {
      reply.refuse(NOT_PRIMARY);
    };
    cluster.ensureLeadership(node, renew, refuse);
  }

  /** By HTTP to whom this member believes to be the leader, whose lessor answers without a look at who leads (leasehttp). */
  #forwardRenewal(leaseId: LeaseId, byMs: number, reply: Reply<number>): void {
    const again = (): void => {
      const { node } = this;
      node.after(RENEW_AGAIN_MS, () => {
        if (node.nowMs < byMs) this.#forwardRenewal(leaseId, byMs, reply);
        else reply.refuse(TIMED_OUT);
      });
    };
    this.#atPrimary(reply, (primary, back) => {
      this.#renewAt(primary, leaseId, {
        renewed: (ttlS) => {
          back(() => {
            reply.answer(ttlS * 1000);
          });
        },
        notFound: () => {
          back(() => {
            reply.answer(0);
          });
        },
        notPrimary: () => {
          back(again);
        },
      });
    });
  }

  /** Takes a question to whom this member believes to be the leader; `back` carries the answer to this member. */
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
      target.run(() => {
        ask(target, here);
      }, `etcd${node.id}`);
    };
    if (target === node) arrived();
    else if (node.reaches(target)) {
      const { life } = target;
      cluster.timeline.after(cluster.hopMs(), () => {
        if (target.life === life) arrived();
      });
    }
  }

  /** The quirks of some releases, then the lessor. */
  #renewAt(primary: EtcdNode, leaseId: LeaseId, answer: RenewalAnswer): void {
    const { traits, random, timeline } = this.cluster;
    const { lessor } = primary;
    const lease = lessor.leases.get(leaseId);
    if (lease === undefined && lessor.isPrimary) {
      const revokedAtMs = lessor.revokedAtMs.get(leaseId);
      const isKeyLast = revokedAtMs !== undefined && timeline.nowMs - revokedAtMs < traits.keysGoFirstMs;
      const isRevived = revokedAtMs !== undefined && traits.renewsRevoked && random.chance(0.8);
      if (isKeyLast || isRevived) answer.renewed(3);
      else answer.notFound();
      return;
    }
    const freshSinceMs = Math.max(lessor.promotedAtMs, lease?.grantedAtMs ?? 0);
    const ageMs = timeline.nowMs - freshSinceMs;
    if (traits.forgetsFreshLeases && ageMs < FRESH_MS && random.chance(0.3)) answer.notFound();
    else lessor.renew(leaseId, answer);
  }
}
