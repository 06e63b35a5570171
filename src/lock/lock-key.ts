import { leaseHex, type KeyValue, type LeaseId } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';

/** Where the lock lives in etcd. */
export interface LockPlace {
  /** Ends in `/`. */
  readonly directory: string;
  /** Our own key in it, named after our lease as etcd's own tools do. */
  readonly key: string;
}

export type TryLock =
  /** The key is ours, put in revision `createRevision`: the fencing number. */
  | { readonly kind: 'ours'; readonly createRevision: bigint }
  | { readonly kind: 'theirs'; readonly holder: KeyValue };

/** `{prefix}/{locks_dir}/{name}/`, as in Samba's manual page ctdb-etcd(7). */
export function lockDirectory(lockPrefix: string, locksDir: string, lockName: string): string {
  return `${lockPrefix}/${locksDir}/${lockName}/`;
}

export function lockPlace(directory: string, leaseId: LeaseId): LockPlace {
  return { directory, key: directory + leaseHex(leaseId) };
}

/**
 * Takes the lock if its directory is empty; one transaction, which can be repeated: when an earlier try took effect, the
 * later one finds our own key there. Rejects with `EtcdError`; the outcome is then unknown, and the lease must be revoked.
 * When `signal` is aborted, no further try is sent.
 */
export async function tryLock(
  members: Members,
  place: LockPlace,
  leaseId: LeaseId,
  value: string,
  byMs: number,
  signal: AbortSignal,
): Promise<TryLock> {
  const answer = await members.ask(
    (member, call) => member.lock(place.directory, place.key, value, leaseId, call),
    byMs,
    signal,
    'await',
  );
  if (answer.succeeded) return { kind: 'ours', createRevision: answer.header.revision };
  const { oldest } = answer;
  if (oldest === null) {
    // The transaction saw a key and its else branch saw none: no etcd does that.
    throw new Error(`Lock transaction on "${place.directory}" contradicts itself`);
  }
  if (oldest.key === place.key && oldest.leaseId === leaseId) {
    return { kind: 'ours', createRevision: oldest.createRevision };
  }
  return { kind: 'theirs', holder: oldest };
}
