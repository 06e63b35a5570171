import type { LeaseAnswer, LeaseId, MemberList } from '../../src/cluster/member.ts';
import type { EtcdServer, Reply, Unsent } from './etcd-server.ts';

interface Renewed {
  answer: Unsent<LeaseAnswer> | undefined;
  answeredAtMs: number;
  askedAtMs: number;
  waiting: Reply<Unsent<LeaseAnswer>>[];
}

// The client library on which etcd's proxy is built renews a lease at a third of its TTL (clientv3, lease.go).
const PACE = 1 / 3;
const FIRST_PACE_MS = 500;

/**
 * A proxy before one member, as etcd's `grpc-proxy`: it renews a lease at its own pace for as long as somebody asks for that, and
 * answers a keepalive with what it heard last. A lease that does not exist has a TTL below 0 there, and the member list is its own.
 */
export class GrpcProxy {
  readonly #server: EtcdServer;
  readonly #leases = new Map<LeaseId, Renewed>();

  constructor(server: EtcdServer) {
    this.#server = server;
  }

  keepAlive(leaseId: LeaseId, reply: Reply<Unsent<LeaseAnswer>>): void {
    const { nowMs } = this.#server.node;
    const known = this.#leases.get(leaseId);
    if (known !== undefined) {
      known.askedAtMs = nowMs;
      const { answer, answeredAtMs } = known;
      if (answer !== undefined && nowMs < answeredAtMs + answer.ttlMs) reply.answer(answer);
      else known.waiting.push(reply);
      return;
    }
    this.#leases.set(leaseId, {
      answer: undefined,
      answeredAtMs: nowMs,
      askedAtMs: nowMs,
      waiting: [reply],
    });
    this.#renew(leaseId);
  }

  listMembers(reply: Reply<MemberList>): void {
    const { id } = this.#server.node;
    reply.answer({ header: null, members: [{ id: '0', clientUrls: [`http://etcd${id}:2379`] }] });
  }

  #renew(leaseId: LeaseId): void {
    const renewed = this.#leases.get(leaseId);
    const { node, cluster } = this.#server;
    if (renewed === undefined) return;
    const paceMs = Math.max(FIRST_PACE_MS, (renewed.answer?.ttlMs ?? 0) * PACE);
    if (node.nowMs > renewed.askedAtMs + paceMs) {
      this.#leases.delete(leaseId);
      return;
    }
    const tell = (answer: Unsent<LeaseAnswer>): void => {
      for (const { answer: give } of renewed.waiting.splice(0)) give(answer);
    };
    node.run(() => {
      this.#server.keepAlive(leaseId, {
        answer: (answer) => {
          if (answer.ttlMs > 0) {
            renewed.answer = answer;
            renewed.answeredAtMs = node.nowMs;
            tell(answer);
          } else {
            this.#leases.delete(leaseId);
            tell({ ...answer, ttlMs: -1_000 });
          }
        },
        refuse: () => undefined,
      });
    });
    cluster.timeline.after(paceMs, () => {
      this.#renew(leaseId);
    });
  }
}
