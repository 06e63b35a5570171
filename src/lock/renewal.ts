import type { Clock } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { CallOptions, LeaseId, Member } from '../cluster/member.ts';

/** What we hold, as the transaction that took it told us. */
export interface HeldKey {
  readonly key: string;
  readonly leaseId: LeaseId;
  readonly createRevision: bigint;
}

export type Renewal =
  /** The lease was restarted by a leader that still had its quorum afterwards. */
  | { readonly kind: 'proven'; readonly sentAtMs: number; readonly ttlMs: number; readonly revision: bigint }
  /** The cluster has agreed that the lock is not ours any more. */
  | { readonly kind: 'leaseLost' | 'keyLost'; readonly how: string };

/**
 * One renewal on one member, believed only when proven (docs/safety.md): keepalive, then a linearizable read of our key
 * that was sent after the keepalive's answer, and the same raft term in both headers.
 *
 * A keepalive alone proves nothing: an old raft leader that has lost its quorum still answers it (etcd #12528, #15247),
 * and some versions report success for a lease that was revoked (#20590) or whose key is gone (#14758). The server fills
 * the keepalive's header before it renews; the read needs a quorum after that, so equal terms mean that no later leader
 * had been elected when the lease was restarted, and every later one restarts it in full.
 *
 * Rejects with `EtcdError` when this member proved nothing: silence, to be answered by asking another.
 */
export async function renewOn(
  member: Member,
  call: CallOptions,
  held: HeldKey,
  clock: Clock,
): Promise<Renewal> {
  const sentAtMs = clock.now();
  const renewed = await member.keepAlive(held.leaseId, call);
  const read = await member.readKey(held.key, call);
  const found = read.oldest;
  if (found === null) {
    return renewed.ttlMs > 0
      ? { kind: 'keyLost', how: 'the key was deleted' }
      : { kind: 'leaseLost', how: 'the lease has ended or was revoked' };
  }
  if (found.createRevision !== held.createRevision || found.leaseId !== held.leaseId) {
    return { kind: 'keyLost', how: 'the key was replaced by somebody else' };
  }
  if (renewed.ttlMs <= 0) {
    // The key outlives its lease for an instant while the lease is being revoked, and a leader that has just been
    // elected may not know a lease yet (etcd #13675). Neither is an answer.
    throw new EtcdError('unproven', member.endpoint, 'does not know the lease, but has its key');
  }
  if (renewed.header.raftTerm !== read.header.raftTerm) {
    throw new EtcdError('unproven', member.endpoint, 'the raft term changed during the renewal');
  }
  return { kind: 'proven', sentAtMs, ttlMs: renewed.ttlMs, revision: read.header.revision };
}
