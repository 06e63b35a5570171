import type { Clock } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import { grpcProxy, spreadCalls } from '../cluster/refusals.ts';
import type { CallOptions, ConfirmAnswer, LeaseAnswer, LeaseId, Member } from '../cluster/member.ts';

/** The member that answered the lock's transaction. */
export interface Home {
  readonly endpoint: string;
  /** A uint64 as a decimal string. */
  readonly clusterId: string;
  /** A uint64 as a decimal string. */
  readonly memberId: string;
}

/** The held key, as the answer to the lock's transaction showed it. */
export interface HeldKey {
  readonly key: string;
  readonly leaseId: LeaseId;
  readonly createRevision: bigint;
  /** The value of the put. */
  readonly value: string;
  readonly home: Home;
  /**
   * When the request was sent from which the first deadline counts, on the scale of `Clock.now()`. The first renewal is
   * due `refresh` later.
   */
  readonly restartedAtMs: number;
}

/** The answer to a transaction through the raft log. The keepalive after it is compared with it. */
export type LogAnswer = Pick<ConfirmAnswer, 'header' | 'connection'>;

export type Renewal =
  | {
      /** The lease was restarted, not before `sentAtMs`, by a raft leader whose term no later election had ended. */
      readonly kind: 'proven';
      readonly sentAtMs: number;
      /** The TTL in the answer to the keepalive, in milliseconds. */
      readonly ttlMs: number;
      readonly revision: bigint;
    }
  /** A quorum confirmed that this helper does not hold the lock any more. */
  | { readonly kind: 'keyLost'; readonly how: string };

/**
 * One renewal on one member. It counts only when it is proven (docs/safety.md): first a transaction through the raft
 * log reads the lock's key; after its answer, a keepalive is sent, which the same process must answer over the same
 * connection.
 *
 * - A keepalive alone proves nothing: an old raft leader that has lost its quorum still answers it (etcd #12528,
 *   #15247).
 * - A read before the keepalive proves nothing: a deposed raft leader can answer it (etcd #20418), and after a raft
 *   snapshot a header shows an old raft term.
 * - An entry of the log needs a quorum that still existed after the send. The member that has applied the entry does
 *   not pass the keepalive to an older raft leader.
 *
 * Rejects with `EtcdError` when this member proved nothing. Another member is then asked.
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
  if (found === null) return { kind: 'keyLost', how: 'the key was deleted, or its lease ended' };
  if (found.createRevision !== held.createRevision || found.leaseId !== held.leaseId) {
    return { kind: 'keyLost', how: 'another client replaced the key' };
  }
  const renewed = await member.keepAlive(held.leaseId, call);
  const ttlMs = provenTtlMs(confirmed, renewed, member.endpoint);
  return { kind: 'proven', sentAtMs, ttlMs, revision: confirmed.header.revision };
}

/**
 * The TTL that a keepalive proves, in milliseconds. It must have been sent after `confirmed` arrived, the answer to a
 * transaction through the log, and the same process must have answered both.
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
    // While a lease is revoked, its key exists a moment longer than the lease. A new raft leader may not know a lease
    // yet (etcd #13675). Neither is an answer.
    throw new EtcdError('unproven', endpoint, 'does not know the lease, but has its key');
  }
  return renewed.ttlMs;
}
