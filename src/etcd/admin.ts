/**
 * The second port to etcd: what the administrator's commands ask of one member, in addition to the lock's own port
 * (`cluster/member.ts`). `etcd/admin-client.ts` implements it. The helper does not use it.
 */
import type { EtcdError } from '../base/errors.ts';
import type { Endpoint } from '../config/config.ts';
import type {
  CallOptions,
  Header,
  KeyValue,
  LeaseId,
  Obstacle,
  TimeToLiveAnswer,
} from '../cluster/member.ts';
import type { Token } from './token.ts';

/** What a member says about itself. */
export interface MemberStatus {
  readonly header: Header;
  /** For example `3.4.23`. */
  readonly version: string;
  /** The raft leader that the member knows; '0' when it knows none. */
  readonly leaderId: string;
  readonly raftTerm: bigint;
  /** Size of the database file in bytes. */
  readonly dbSizeBytes: number;
  /** The part of the file that holds data, in bytes; 0 when the member does not say. */
  readonly dbInUseBytes: number;
  /** Size at which the member raises NOSPACE, bytes. Infinity without a limit; undefined before etcd 3.6, which does not say. */
  readonly dbQuotaBytes: number | undefined;
  /** True for a learner: it does not vote and does not answer linearizable reads. */
  readonly isLearner: boolean;
  /** The alarms of the cluster as this member knows them. Undefined before etcd 3.4, which does not report them. */
  readonly alarms: readonly Alarm[] | undefined;
}

export interface ListedMember {
  readonly id: string;
  /** Empty while the member has never been started. */
  readonly name: string;
  /** The URLs that the member announces to clients. */
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** One active alarm. */
export interface Alarm {
  readonly memberId: string;
  /** `NOSPACE` or `CORRUPT`. */
  readonly alarm: string;
}

/** All keys of a directory, oldest first. */
export interface Directory {
  readonly header: Header;
  readonly keys: readonly KeyValue[];
}

export interface DeleteAnswer {
  readonly header: Header;
  /** False: the key did not exist in that revision, so nothing was deleted. */
  readonly succeeded: boolean;
}

export interface DirectoryWatchHandlers {
  /** A key in the directory was written or deleted. */
  readonly onChange: () => void;
  /** The watch ended, and not by `stop`. Called at most once. */
  readonly onEnd: (error: EtcdError) => void;
}

/** One endpoint of the cluster. Calls reject with `EtcdError`. An expired login is renewed once. */
export interface AdminMember {
  /** The endpoint of the configuration, for messages: `host:port`. */
  readonly endpoint: string;
  readonly address: Endpoint;
  /** What calls wait for now. Undefined: the connection, or the answer. */
  readonly waitsFor?: () => Obstacle | undefined;
  /** Opens the connection and logs in. Resolves to undefined without a login, or when authentication is off. */
  logIn(call: CallOptions): Promise<Token | undefined>;
  status(call: CallOptions): Promise<MemberStatus>;
  listMembers(call: CallOptions): Promise<{ readonly header: Header; readonly members: ListedMember[] }>;
  /**
   * Reads the alarms. Each such request writes an entry into the raft log; `status` shows the same alarms and writes
   * none.
   */
  alarms(call: CallOptions): Promise<readonly Alarm[]>;
  /** Linearizable read of all keys under `directory`, which ends in `/`. */
  readDirectory(directory: string, call: CallOptions): Promise<Directory>;
  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer>;
  /**
   * Tests whether `key` may be written with a lease, by the lock's own transaction with a condition that is never true.
   * etcd checks the permission and the space for both branches before it looks at the condition. Nothing is written.
   */
  rehearse(directory: string, key: string, leaseId: LeaseId, call: CallOptions): Promise<Directory>;
  /** One transaction: deletes `key` if it was created and last written in these revisions. */
  deleteExactly(
    found: Pick<KeyValue, 'key' | 'createRevision' | 'modRevision'>,
    call: CallOptions,
  ): Promise<DeleteAnswer>;
  /**
   * Watches all keys under `directory` from `fromRevision` on.
   * @returns the function that stops the watch
   */
  watchDirectory(directory: string, fromRevision: bigint, handlers: DirectoryWatchHandlers): () => void;
  close(): void;
}

/** True for a key that is named as etcd's own tools and the helper name theirs: the directory and a lease ID in hex. */
export function isContenderKey(directory: string, key: string): boolean {
  return key.startsWith(directory) && /^[0-9a-f]{1,16}$/.test(key.slice(directory.length));
}
