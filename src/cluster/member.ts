/**
 * The port to etcd: the few calls that the lock needs, on one member, in our own types. `etcd-client.ts` implements it
 * over the network, the simulation in memory. Everything that decides is above it.
 */

/** A lease ID: int64, positive, as a decimal string, which is how it travels through the client library. */
export type LeaseId = string & { readonly brand: 'LeaseId' };

/**
 * The identity of one connection to one member. Two answers with the same `ConnectionId` came over one and the same transport
 * connection: the same TCP connection, never dialed anew in between.
 */
export type ConnectionId = number & { readonly brand: 'ConnectionId' };

/** What every answer of a member says about the member and the cluster behind it. */
export interface Header {
  /** uint64 as a decimal string. */
  readonly clusterId: string;
  /** uint64 as a decimal string. */
  readonly memberId: string;
  /** The store's revision as this member has applied it. */
  readonly revision: bigint;
  /** The raft term of the last entry that this member has applied (`setTerm` in etcd's apply loop). */
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

/** Why a call was given up, handed to `AbortController.abort` by whoever gives up. */
export type AbortReason =
  /** The attempt used up its time: the connection is suspect and must be replaced. */
  | 'timeout'
  /** Another member answered first although this one had its hedge delay: suspect as well. */
  | 'outrun'
  /** The answer is no longer wanted; it says nothing about the connection. */
  | 'unwanted';

export interface CallOptions {
  /** Ends the call; `signal.reason` is an `AbortReason`. The call then rejects, soon, with an `EtcdError` of kind `timeout`. */
  readonly signal: AbortSignal;
}

export interface LeaseAnswer {
  readonly header: Header;
  /** The connection that the call ran on. */
  readonly connection: ConnectionId;
  /**
   * The TTL that the server granted or restarted, in milliseconds; 0 means that it does not know the lease. No etcd answers
   * with less than 0, but its grpc-proxy does.
   */
  readonly ttlMs: number;
}

export interface TimeToLiveAnswer {
  readonly header: Header;
  /** Time left in milliseconds, rounded down to whole seconds by the server; negative when the lease is unknown. */
  readonly remainingMs: number;
  /** 0 when the lease is unknown. */
  readonly grantedTtlMs: number;
}

export interface RangeAnswer {
  readonly header: Header;
  /** The key with the lowest create revision in the range; null when the range is empty. */
  readonly oldest: KeyValue | null;
}

export interface LockAnswer {
  readonly header: Header;
  /** The connection that the call ran on. */
  readonly connection: ConnectionId;
  /** True when the directory was empty and our key was put. */
  readonly succeeded: boolean;
  /** When not succeeded: the oldest key in the directory. It can be our own, when an earlier try took effect. */
  readonly oldest: KeyValue | null;
}

export interface ConfirmAnswer {
  readonly header: Header;
  /** The connection that the call ran on. */
  readonly connection: ConnectionId;
  /** The key as the transaction found it; null when there is none. It can be another one than the one asked for. */
  readonly found: KeyValue | null;
}

/** The cluster's members, as one of them knows them. */
export interface MemberList {
  /** Null in an answer that etcd's grpc-proxy makes up itself. */
  readonly header: Header | null;
  readonly members: readonly {
    /** uint64 as a decimal string; '0' for what is no member. */
    readonly id: string;
    /** What it tells clients to dial, such as `http://10.0.0.1:2379`; none while it has never been started. */
    readonly clientUrls: readonly string[];
  }[];
}

export interface WatchHandlers {
  /** The key was deleted, by hand or because its lease ended. */
  readonly onDelete: () => void;
  /** The key was written again by somebody. */
  readonly onPut: () => void;
  /** The watch ended for any reason other than `stop`; called at most once, nothing follows. */
  readonly onEnd: (reason: string) => void;
}

/** What the calls to a member wait for before they can be made: the address of its host, or the check of a password. */
export type Obstacle = 'name' | 'login';

/**
 * One endpoint of the cluster. Calls reject with `EtcdError`, and with nothing else. No call is ever repeated, timed out
 * or sent elsewhere below this interface, except that an expired login is renewed once.
 */
export interface Member {
  /** As configured, for messages: `host:port`. */
  readonly endpoint: string;
  /** Rejects with kind `leaseExists` when the lease is there already. */
  grant(leaseId: LeaseId, ttlMs: number, call: CallOptions): Promise<LeaseAnswer>;
  /** Rejects with kind `leaseNotFound` when there is no such lease. Deletes the lease's keys. */
  revoke(leaseId: LeaseId, call: CallOptions): Promise<{ readonly header: Header }>;
  /** One renewal; a lease that the server does not know is `ttlMs` 0, not an error. */
  keepAlive(leaseId: LeaseId, call: CallOptions): Promise<LeaseAnswer>;
  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer>;
  /**
   * Reads `key` in a transaction through the raft log: if the key is the one created in `createRevision`, read it; else delete
   * a key that never exists, and read it. The delete is never needed, but with it etcd does not take the transaction for a
   * read, so it is answered only after a quorum has accepted it as an entry of the present leader's log. It makes no revision
   * and no watch event, and is not refused under the NOSPACE alarm.
   */
  confirmKey(key: string, createRevision: bigint, call: CallOptions): Promise<ConfirmAnswer>;
  /** Linearizable read of one key. */
  readKey(key: string, call: CallOptions): Promise<RangeAnswer>;
  /** Linearizable read of the oldest key under `directory`, which ends in `/`. */
  readOldest(directory: string, call: CallOptions): Promise<RangeAnswer>;
  /** One transaction: if no key exists under `directory`, put `key` with `value` under the lease; else read the oldest.
   *  Rejects with kind `leaseNotFound` when the lease is gone. */
  putIfEmpty(
    directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    call: CallOptions,
  ): Promise<LockAnswer>;
  /** Writes `value` to `key`, which keeps its lease, if it is still the key that was created in `createRevision`. */
  updateValue(
    key: string,
    value: string,
    createRevision: bigint,
    call: CallOptions,
  ): Promise<{ readonly header: Header; readonly succeeded: boolean }>;
  /** Watches one key from `fromRevision` on, with `hasleader`. Returns the way to stop it. Never throws. */
  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void;
  /** What calls wait for now; undefined when that is the connection, or the answer itself. */
  readonly waitsFor?: () => Obstacle | undefined;
  /** The members as this one knows them; no quorum is asked. */
  listMembers(call: CallOptions): Promise<MemberList>;
  /** Opens the connection ahead of the first call. Never throws. */
  connect(): void;
  /** Closes the connection; the member is not used again. */
  close(): void;
}

/** A lease ID in lower-case hex without leading zeros, as etcd's own tools name keys by it. */
export function leaseHex(leaseId: LeaseId): string {
  return BigInt(leaseId).toString(16);
}

/** Makes a lease ID out of 8 random bytes: 63 bits, never 0. */
export function leaseIdFrom(random: Uint8Array): LeaseId {
  const view = new DataView(random.buffer, random.byteOffset, 8);
  const id = view.getBigUint64(0) & 0x7fff_ffff_ffff_ffffn;
  return (id === 0n ? 1n : id).toString() as LeaseId;
}
