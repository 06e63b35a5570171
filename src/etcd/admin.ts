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

/**
 * The second port to etcd: what the administrator's commands ask of one member, beside what the lock itself asks
 * (`etcd.ts`). `etcd-admin-client.ts` implements it. Nothing here is on the helper's way.
 */

/** What a member says about itself. */
export interface MemberStatus {
  readonly header: Header;
  /** Such as `3.4.23`. */
  readonly version: string;
  /** What the member believes; '0' when it knows no leader. */
  readonly leaderId: string;
  readonly raftTerm: bigint;
  /** Bytes that the database takes on disk. */
  readonly dbSizeBytes: number;
  /** Bytes of it that hold data; 0 when the member does not say. */
  readonly dbInUseBytes: number;
  /** It only listens: it neither votes nor answers linearizable reads. */
  readonly isLearner: boolean;
  /** The alarms of the cluster as this member knows them; undefined before etcd 3.4, which does not say. */
  readonly alarms: readonly Alarm[] | undefined;
}

export interface ListedMember {
  readonly id: string;
  /** '' while the member has never been started. */
  readonly name: string;
  /** What it tells clients to dial. */
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** One alarm that is raised. */
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
  /** False: the key was not there in that very revision, and nothing was done. */
  readonly succeeded: boolean;
}

export interface DirectoryWatchHandlers {
  /** Something in the directory was written or deleted. */
  readonly onChange: () => void;
  /** The watch ended for any reason other than `stop`; called at most once. */
  readonly onEnd: (error: EtcdError) => void;
}

/** One endpoint of the cluster. Calls reject with `EtcdError`; a login that has expired is renewed once. */
export interface AdminMember {
  /** As configured, for messages: `host:port`. */
  readonly endpoint: string;
  readonly address: Endpoint;
  /** What calls wait for now; undefined when that is the connection, or the answer itself. */
  readonly waitsFor?: () => Obstacle | undefined;
  /** Opens the connection and logs in. Resolves to undefined without a login, or when authentication is off. */
  logIn(call: CallOptions): Promise<Token | undefined>;
  status(call: CallOptions): Promise<MemberStatus>;
  listMembers(call: CallOptions): Promise<{ readonly header: Header; readonly members: ListedMember[] }>;
  /** Writes an entry into the raft log, as each request about alarms does; `status` shows the same and writes none. */
  alarms(call: CallOptions): Promise<readonly Alarm[]>;
  /** Linearizable read of all keys under `directory`, which ends in `/`. */
  readDirectory(directory: string, call: CallOptions): Promise<Directory>;
  timeToLive(leaseId: LeaseId, call: CallOptions): Promise<TimeToLiveAnswer>;
  /**
   * Asks for leave to write `key` under a lease, as the lock does it, in a transaction whose condition is never true: etcd
   * checks both branches of a transaction for permission and space before it looks at the condition, and then reads.
   */
  rehearse(directory: string, key: string, leaseId: LeaseId, call: CallOptions): Promise<Directory>;
  /** One transaction: deletes `key` if it is still the one that was created and last written in these revisions. */
  deleteExactly(
    found: Pick<KeyValue, 'key' | 'createRevision' | 'modRevision'>,
    call: CallOptions,
  ): Promise<DeleteAnswer>;
  /** Watches all keys under `directory` from `fromRevision` on. Returns the way to stop it. */
  watchDirectory(directory: string, fromRevision: bigint, handlers: DirectoryWatchHandlers): () => void;
  close(): void;
}

/** The key names etcd's own tools and ours give to contenders: the directory and a lease in hex. */
export function isContenderKey(directory: string, key: string): boolean {
  return key.startsWith(directory) && /^[0-9a-f]{1,16}$/.test(key.slice(directory.length));
}
