/**
 * The port to etcd: the calls that the lock needs of one member, in the project's own types. `etcd/client.ts`
 * implements it over the network, the simulation in memory. The port promises one call to one member. It makes no
 * decision, repeats nothing and sets no time limit.
 */

/** A lease ID: a positive int64 as a decimal string, as the client library passes it. */
export type LeaseId = string & { readonly brand: 'LeaseId' };

/**
 * The identity of one connection to one member. Two answers with the same `ConnectionId` came over the same TCP
 * connection.
 */
export type ConnectionId = number & { readonly brand: 'ConnectionId' };

/** What each answer says about the member and its cluster. */
export interface Header {
  /** A uint64 as a decimal string. */
  readonly clusterId: string;
  /** A uint64 as a decimal string. */
  readonly memberId: string;
  /** The revision of the store, as far as this member has applied it. */
  readonly revision: bigint;
  /** The raft term of the last entry that this member has applied (etcd, `setTerm` in its apply loop). */
  readonly raftTerm: bigint;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** '0' when the key has no lease. */
  readonly leaseId: LeaseId;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
}

/** Why a call was given up. It is the argument of `AbortController.abort`. */
export type AbortReason =
  /** The attempt has reached its time limit. The connection is suspect and must be replaced. */
  | 'timeout'
  /** Another member answered first, although this one had its hedge delay. The connection is suspect too. */
  | 'outrun'
  /** The answer is no longer needed. The connection is not suspect. */
  | 'unwanted';

export interface CallOptions {
  /**
   * Ends the call. `signal.reason` is an `AbortReason`. The call then rejects with an `EtcdError` of kind `timeout`.
   */
  readonly signal: AbortSignal;
}

export interface LeaseAnswer {
  readonly header: Header;
  /** The connection of the call. */
  readonly connection: ConnectionId;
  /**
   * The TTL that the server granted or restarted, in milliseconds. 0: the server does not know the lease. etcd never
   * answers with less than 0, but its grpc-proxy does.
   */
  readonly ttlMs: number;
}

export interface TimeToLiveAnswer {
  readonly header: Header;
  /** Time left in milliseconds, rounded down to whole seconds by the server. Negative: the lease is unknown. */
  readonly remainingMs: number;
  /** In milliseconds. 0: the lease is unknown. */
  readonly grantedTtlMs: number;
}

export interface RangeAnswer {
  readonly header: Header;
  /** The key with the lowest create revision in the range; null when the range is empty. */
  readonly oldest: KeyValue | null;
}

export interface LockAnswer {
  readonly header: Header;
  /** The connection of the call. */
  readonly connection: ConnectionId;
  /** True when the directory was empty and the key was put. */
  readonly succeeded: boolean;
  /**
   * Set when `succeeded` is false: the oldest key in the directory. It can be the caller's own key, when an earlier try
   * took effect.
   */
  readonly oldest: KeyValue | null;
}

export interface ConfirmAnswer {
  readonly header: Header;
  /** The connection of the call. */
  readonly connection: ConnectionId;
  /**
   * The key as the transaction found it; null when there is none. It can have another create revision than the one that
   * was asked for.
   */
  readonly found: KeyValue | null;
}

/** The members of the cluster, as one of them knows them. */
export interface MemberList {
  /** Null in an answer that etcd's grpc-proxy makes up. */
  readonly header: Header | null;
  readonly members: readonly {
    /** A uint64 as a decimal string; '0' when the answer does not come from a member. */
    readonly id: string;
    /**
     * The URLs that the member announces to clients, such as `http://10.0.0.1:2379`. Empty while it has never been
     * started.
     */
    readonly clientUrls: readonly string[];
  }[];
}

export interface WatchHandlers {
  /** The key was deleted, by a client or because its lease ended. */
  readonly onDelete: () => void;
  /** Another client wrote the key. */
  readonly onPut: () => void;
  /** The watch ended, and not by `stop`. Called at most once; no other handler is called after it. */
  readonly onEnd: (reason: string) => void;
}

/** What a call waits for before it can be sent: the address of the host, or the check of a password. */
export type Obstacle = 'name' | 'login';

/**
 * One endpoint of the cluster. Calls reject with `EtcdError` only. Nothing below this interface repeats a call, limits
 * its time or sends it to another member. The only exception: an expired login is renewed once.
 */
export interface Member {
  /** The endpoint of the configuration, for messages: `host:port`. */
  readonly endpoint: string;
  /** Rejects with kind `leaseExists` when there is a lease with this ID. */
  grant(leaseId: LeaseId, ttlMs: number, call: CallOptions): Promise<LeaseAnswer>;
  /** Deletes the lease and its keys. Rejects with kind `leaseNotFound` when there is no such lease. */
  revoke(leaseId: LeaseId, call: CallOptions): Promise<{ readonly header: Header }>;
  /** Renews a lease once. For an unknown lease, `ttlMs` is 0 and there is no error. */
  keepAlive(leaseId: LeaseId, call: CallOptions): Promise<LeaseAnswer>;
  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer>;
  /**
   * Reads `key` in a transaction that goes through the raft log: if the key is the one created in `createRevision`,
   * read it; else delete a key that never exists, and read `key`. Because of the delete, which is never carried out,
   * etcd does not treat the transaction as a read. So it answers only after a quorum has accepted the entry of the
   * present raft leader. The transaction makes no revision and no watch event, and the NOSPACE alarm does not block it.
   */
  confirmKey(key: string, createRevision: bigint, call: CallOptions): Promise<ConfirmAnswer>;
  /** Linearizable read of one key. */
  readKey(key: string, call: CallOptions): Promise<RangeAnswer>;
  /** Linearizable read of the oldest key under `directory`, which ends in `/`. */
  readOldest(directory: string, call: CallOptions): Promise<RangeAnswer>;
  /**
   * One transaction: if no key exists under `directory`, put `key` with `value` and the lease; else read the oldest
   * key. Rejects with kind `leaseNotFound` when the lease has ended.
   */
  putIfEmpty(
    directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    call: CallOptions,
  ): Promise<LockAnswer>;
  /**
   * Writes `value` to `key`, which keeps its lease. Writes only if `key` is still the one created in `createRevision`.
   */
  updateValue(
    key: string,
    value: string,
    createRevision: bigint,
    call: CallOptions,
  ): Promise<{ readonly header: Header; readonly succeeded: boolean }>;
  /**
   * Watches one key from `fromRevision` on, with `hasleader`. Never throws.
   * @returns the function that stops the watch
   */
  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void;
  /** What calls wait for now. Undefined: the connection, or the answer. */
  readonly waitsFor?: () => Obstacle | undefined;
  /** The members as this member knows them. No quorum is asked. */
  listMembers(call: CallOptions): Promise<MemberList>;
  /** Opens the connection before the first call. Never throws. */
  connect(): void;
  /** Closes the connection. The member cannot be used afterwards. */
  close(): void;
}

/** A lease ID in lower-case hex without leading zeros. etcd's own tools name keys in this way. */
export function leaseHex(leaseId: LeaseId): string {
  return BigInt(leaseId).toString(16);
}

/** Makes a lease ID from 8 random bytes: 63 bits, never 0. */
export function leaseIdFrom(random: Uint8Array): LeaseId {
  const view = new DataView(random.buffer, random.byteOffset, 8);
  const id = view.getBigUint64(0) & 0x7fff_ffff_ffff_ffffn;
  return (id === 0n ? 1n : id).toString() as LeaseId;
}
