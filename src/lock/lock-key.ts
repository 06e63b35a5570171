import type { Clock } from '../base/clock.ts';
import { leaseHex, type KeyValue, type LeaseId, type Member } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { LogAnswer } from './renewal.ts';

/** The place of the lock in etcd. */
export interface LockPlace {
  /** Ends in `/`. */
  readonly directory: string;
  /** The helper's own key in the directory. It is named after its lease, as etcd's own tools name theirs. */
  readonly key: string;
}

/** The result of a transaction that took the lock. */
export interface TakenKey {
  readonly kind: 'ours';
  /** The revision of the put. It is the fencing number. */
  readonly createRevision: bigint;
  /** The value of the put. Each try has another value. */
  readonly value: string;
  /** The member that answered the transaction, which was sent at `sentAtMs` on the scale of `Clock.now()`. */
  readonly member: Member;
  readonly sentAtMs: number;
  readonly answer: LogAnswer;
}

export type TryLock = TakenKey | { readonly kind: 'theirs'; readonly holder: KeyValue };

/** `{prefix}/{locks_dir}/{name}/`, as in Samba's manual page ctdb-etcd(7). */
export function lockDirectory(lockPrefix: string, locksDir: string, lockName: string): string {
  return `${lockPrefix}/${locksDir}/${lockName}/`;
}

export function lockPlace(directory: string, leaseId: LeaseId): LockPlace {
  return { directory, key: directory + leaseHex(leaseId) };
}

/**
 * Takes the lock if its directory is empty, in one transaction. It can be repeated: when an earlier try was carried
 * out, the next one finds the helper's own key. Rejects with `EtcdError`. The outcome is then unknown, and the lease
 * must be revoked. After `signal` is aborted, no further try is sent.
 */
export async function tryLock(
  members: Members,
  place: LockPlace,
  leaseId: LeaseId,
  valueFor: (endpoint: string) => string,
  clock: Clock,
  byMs: number,
  signal: AbortSignal,
): Promise<TryLock> {
  const { member, sentAtMs, value, answer } = await members.ask(
    async (member, call) => {
      const value = valueFor(member.endpoint);
      const sentAtMs = clock.now();
      const answer = await member.putIfEmpty(place.directory, place.key, value, leaseId, call);
      return { member, sentAtMs, value, answer };
    },
    byMs,
    signal,
    'await',
  );
  const taken = { kind: 'ours', member, sentAtMs, answer } as const;
  if (answer.succeeded) return { ...taken, createRevision: answer.header.revision, value };
  const { oldest } = answer;
  if (oldest === null) {
    // The transaction saw a key, and its else branch saw none. etcd never answers in this way.
    throw new Error(`Lock transaction on "${place.directory}" contradicts itself`);
  }
  if (oldest.key === place.key && oldest.leaseId === leaseId) {
    return { ...taken, createRevision: oldest.createRevision, value: oldest.value };
  }
  return { kind: 'theirs', holder: oldest };
}
