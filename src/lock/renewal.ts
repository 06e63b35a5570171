import type { Clock } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import { grpcProxy, spreadCalls } from '../cluster/refusals.ts';
import type { CallOptions, ConfirmAnswer, LeaseAnswer, LeaseId, Member } from '../cluster/member.ts';

/** The member that answered the transaction which took the lock. */
export interface Home {
  readonly endpoint: string;
  /** uint64 as a decimal string. */
  readonly clusterId: string;
  /** uint64 as a decimal string. */
  readonly memberId: string;
}

/** What we hold, as the transaction that took it told us. */
export interface HeldKey {
  readonly key: string;
  readonly leaseId: LeaseId;
  readonly createRevision: bigint;
  /** As it was put. */
  readonly value: string;
  readonly home: Home;
  /** When the request was sent that the first deadline counts from, on the clock's scale: the first renewal is due `refresh` later. */
  readonly restartedAtMs: number;
}

/** An answer to a transaction through the raft log: what the keepalive after it is held against. */
export type LogAnswer = Pick<ConfirmAnswer, 'header' | 'connection'>;

export type Renewal =
  | {
      /** The lease was restarted, at the earliest at `sentAtMs`, by a leader whose term no later election had ended. */
      readonly kind: 'proven';
      readonly sentAtMs: number;
      /** The TTL as the keepalive was answered. */
      readonly ttlMs: number;
      readonly revision: bigint;
    }
  /** The cluster has agreed that the lock is not ours any more. */
  | { readonly kind: 'keyLost'; readonly how: string };

/**
 * One renewal on one member, believed only when proven (docs/safety.md): first a transaction through the raft log that reads
 * our key, then, after its answer, a keepalive that the same process answers over the same connection.
 *
 * A keepalive alone proves nothing: an old raft leader that has lost its quorum still answers it (etcd #12528, #15247). A
 * read before it proves nothing either: it can be answered by a leader that has been deposed (#20418), and headers show an
 * old raft term after a raft snapshot. An entry of the log needs a quorum that was still there after the send, and the member
 * that has applied it hands the keepalive to no older leader.
 *
 * Rejects with `EtcdError` when this member proved nothing: silence, to be answered by asking another.
 */
export async function renewOn(
  member: Member,
  call: CallOptions,
  held: Pick<HeldKey, 'key' | 'leaseId' | 'createRevision'>,
  clock: Clock,
): Promise<Renewal> {
  const sentAtMs = clock.now();
  const confirmed = await member.confirmKey(held.key, held.createRevision, call);
  const { found } = confirmed;
  if (found === null) return { kind: 'keyLost', how: 'the key was deleted, or its lease has ended' };
  if (found.createRevision !== held.createRevision || found.leaseId !== held.leaseId) {
    return { kind: 'keyLost', how: 'the key was replaced by somebody else' };
  }
  const renewed = await member.keepAlive(held.leaseId, call);
  const ttlMs = provenTtlMs(confirmed, renewed, member.endpoint);
  return { kind: 'proven', sentAtMs, ttlMs, revision: confirmed.header.revision };
}

/**
 * What a keepalive proves that was sent after `confirmed`, an answer to a transaction through the log, had come: the TTL, as answered, in
 * milliseconds. The same process must have answered both.
 *
 * @throws {EtcdError} when it proves nothing
 */
export function provenTtlMs(confirmed: LogAnswer, renewed: LeaseAnswer, endpoint: string): number {
  if (renewed.connection !== confirmed.connection) {
    throw new EtcdError('unproven', endpoint, 'the connection was replaced during the renewal');
  }
  if (
    renewed.header.memberId !== confirmed.header.memberId ||
    renewed.header.clusterId !== confirmed.header.clusterId
  ) {
    throw spreadCalls(endpoint);
  }
  if (renewed.ttlMs < 0) throw grpcProxy(endpoint);
  if (renewed.ttlMs === 0) {
    // The key outlives its lease for an instant while the lease is being revoked, and a leader that has just been
    // elected may not know a lease yet (etcd #13675). Neither is an answer.
    throw new EtcdError('unproven', endpoint, 'does not know the lease, but has its key');
  }
  return renewed.ttlMs;
}
