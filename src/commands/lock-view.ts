import type { KeyValue, LeaseId } from '../cluster/member.ts';
import { leaseHex } from '../cluster/member.ts';
import { isContenderKey, type AdminMember } from '../etcd/admin.ts';
import { EtcdError } from '../base/errors.ts';
import { parseHolder, type HolderRecord } from '../lock/holder-record.ts';
import type { Members } from '../cluster/members.ts';

/** Time that a lease has, as the raft leader counts it. */
export interface LeaseTime {
  /** Whole seconds, rounded down by the server. */
  readonly remainingMs: number;
  readonly grantedTtlMs: number;
}

/** A key in the lock's directory; the oldest one holds the lock. */
export interface Contender {
  readonly key: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** '0' without a lease: such a key never goes by itself. */
  readonly leaseId: LeaseId;
  /** What a helper of ours wrote; null for anybody else's key. */
  readonly record: HolderRecord | null;
  /** True for keys named after a lease, as helpers and etcd's own lock client name them. */
  readonly isNamedByLease: boolean;
  readonly value: string;
  /** Null when the lease has ended, when there is none, or when we may not ask. */
  readonly lease: LeaseTime | null;
}

/** The lock as etcd shows it at one revision. */
export interface LockView {
  readonly directory: string;
  readonly clusterId: string;
  readonly revision: bigint;
  /** Oldest first. */
  readonly contenders: readonly Contender[];
}

const NO_LEASE = '0';

async function leaseTimeOf(
  { leaseId }: KeyValue,
  members: Members<AdminMember>,
  byMs: number,
): Promise<LeaseTime | null> {
  if (leaseId === NO_LEASE) return null;
  try {
    const time = await members.ask((member, call) => member.timeToLive(leaseId, call), byMs);
    return time.remainingMs < 0 ? null : time;
  } catch (error) {
    // Who may read the directory need not be allowed to ask about leases; the rest is worth showing.
    if (error instanceof EtcdError) return null;
    throw error;
  }
}

/** Reads the lock's directory, with a quorum, and asks about the lease of each key. Rejects with `EtcdError`. */
export async function viewLock(
  directory: string,
  members: Members<AdminMember>,
  byMs: number,
): Promise<LockView> {
  const { header, keys } = await members.ask((member, call) => member.readDirectory(directory, call), byMs);
  const contenders = await Promise.all(
    keys.map(async (found): Promise<Contender> => ({
      key: found.key,
      createRevision: found.createRevision,
      modRevision: found.modRevision,
      leaseId: found.leaseId,
      record: parseHolder(found.value),
      isNamedByLease: isContenderKey(directory, found.key),
      value: found.value,
      lease: await leaseTimeOf(found, members, byMs),
    })),
  );
  return { directory, clusterId: header.clusterId, revision: header.revision, contenders };
}

/** Lower-case hex, as `etcdctl lease` takes it; '' without a lease. */
export function leaseText({ leaseId }: Pick<Contender, 'leaseId'>): string {
  return leaseId === NO_LEASE ? '' : leaseHex(leaseId);
}
