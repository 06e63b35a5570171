import type { KeyValue, LeaseId } from '../cluster/member.ts';
import { leaseHex } from '../cluster/member.ts';
import { isContenderKey, type AdminMember } from '../etcd/admin.ts';
import { EtcdError } from '../base/errors.ts';
import { parseHolder, type HolderRecord } from '../lock/holder-record.ts';
import type { Members } from '../cluster/members.ts';

/** The time left of a lease, as the raft leader counts it. */
export interface LeaseTime {
  /** Whole seconds in milliseconds, rounded down by the server. */
  readonly remainingMs: number;
  readonly grantedTtlMs: number;
}

/** A key in the lock's directory. The oldest key holds the lock. */
export interface Contender {
  readonly key: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** '0' without a lease. Such a key stays until it is deleted. */
  readonly leaseId: LeaseId;
  /** The record that a helper wrote; null for a key that no helper wrote. */
  readonly record: HolderRecord | null;
  /** True for keys that are named after a lease, as helpers and etcd's own lock client name theirs. */
  readonly isNamedByLease: boolean;
  readonly value: string;
  /** Null when the lease has ended, when the key has none, or when this user may not read leases. */
  readonly lease: LeaseTime | null;
}

/** The lock in etcd at one revision. */
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
    // A user who may read the directory may still not be allowed to read leases. The rest is then shown without them.
    if (error instanceof EtcdError) return null;
    throw error;
  }
}

/**
 * Reads the lock's directory, with a quorum, and the lease of each key.
 * @throws {EtcdError} when the directory cannot be read
 */
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

/** The lease ID in lower-case hex, as `etcdctl lease` takes it; '' without a lease. */
export function leaseText({ leaseId }: Pick<Contender, 'leaseId'>): string {
  return leaseId === NO_LEASE ? '' : leaseHex(leaseId);
}
