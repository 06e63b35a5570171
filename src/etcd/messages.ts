import type {
  IKeyValue,
  ILeaseGrantResponse,
  ILeaseKeepAliveResponse,
  ILeaseTimeToLiveResponse,
  IMemberListResponse,
  IRangeRequest,
  IRangeResponse,
  IResponseHeader,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3/lib/rpc.js';
import type {
  ConfirmAnswer,
  Header,
  KeyValue,
  LeaseAnswer,
  LeaseId,
  LockAnswer,
  MemberList,
  RangeAnswer,
  TimeToLiveAnswer,
} from '../cluster/member.ts';

/**
 * An answer that etcd never gives, so another program listens there. The message says what is wrong with the answer.
 */
export class StrangeAnswer extends Error {
  override readonly name = 'StrangeAnswer';
}

/** An answer without its connection, which is added where the answer is received. */
type Unconnected<Answer> = Omit<Answer, 'connection'>;

/** Converts the seconds of etcd's messages to milliseconds. */
export function msFromSeconds(seconds: string): number {
  return Number(seconds) * 1000;
}

/** Converts to the whole seconds of etcd's messages, rounded up. */
export function secondsFromMs(ms: number): number {
  return Math.ceil(ms / 1000);
}

export function headerFrom(header: IResponseHeader | null | undefined): Header {
  if (header === null || header === undefined) throw new StrangeAnswer('the answer has no header');
  return {
    clusterId: header.cluster_id,
    memberId: header.member_id,
    revision: BigInt(header.revision),
    raftTerm: BigInt(header.raft_term),
  };
}

export function leaseAnswerFrom(
  leaseId: LeaseId,
  { header, ID, TTL }: ILeaseGrantResponse | ILeaseKeepAliveResponse,
): Unconnected<LeaseAnswer> {
  if (ID !== leaseId) throw new StrangeAnswer(`the answer is about lease ${ID}, not ${leaseId}`);
  // A missing TTL is decoded as 0. The server answers in this way for a lease that it does not know.
  return { header: headerFrom(header), ttlMs: msFromSeconds(TTL) };
}

export function timeToLiveFrom({ header, TTL, grantedTTL }: ILeaseTimeToLiveResponse): TimeToLiveAnswer {
  return {
    header: headerFrom(header),
    remainingMs: msFromSeconds(TTL),
    grantedTtlMs: msFromSeconds(grantedTTL),
  };
}

/** etcd3's type says that there always is a header. An answer of etcd's grpc-proxy has none. */
type ProxyMemberListResponse = Omit<IMemberListResponse, 'header'> & { header: IResponseHeader | null };

export function memberListFrom({ header, members }: ProxyMemberListResponse): MemberList {
  return {
    header: header === null ? null : headerFrom(header),
    members: members.map(({ ID, clientURLs }) => ({ id: ID, clientUrls: clientURLs })),
  };
}

export function keyValueFrom({ key, value, lease, create_revision, mod_revision }: IKeyValue): KeyValue {
  return {
    key: key.toString(),
    value: value.toString(),
    leaseId: lease as LeaseId,
    createRevision: BigInt(create_revision),
    modRevision: BigInt(mod_revision),
  };
}

function oldestIn(range: IRangeResponse | null | undefined): KeyValue | null {
  const first = range?.kvs[0];
  return first === undefined ? null : keyValueFrom(first);
}

export function rangeAnswerFrom(response: IRangeResponse): RangeAnswer {
  return { header: headerFrom(response.header), oldest: oldestIn(response) };
}

/** All keys that start with `directory`, which ends in `/`. The byte after `/` is `0`. */
export function rangeUnder(directory: string): { key: Buffer; range_end: Buffer } {
  return { key: Buffer.from(directory), range_end: Buffer.from(`${directory.slice(0, -1)}0`) };
}

export function keyRequest(key: string): IRangeRequest {
  return { key: Buffer.from(key), limit: 1, serializable: false };
}

export function oldestRequest(directory: string): IRangeRequest {
  return {
    ...rangeUnder(directory),
    sort_order: 'Ascend',
    sort_target: 'Create',
    limit: 1,
    serializable: false,
  };
}

/** One transaction: if no key exists under `directory`, put the key; else read the oldest key. */
export function putIfEmptyRequest(
  directory: string,
  key: string,
  value: string,
  leaseId: LeaseId,
): ITxnRequest {
  return {
    compare: [{ ...rangeUnder(directory), target: 'Create', result: 'Equal', create_revision: 0 }],
    success: [{ request_put: { key: Buffer.from(key), value: Buffer.from(value), lease: leaseId } }],
    failure: [{ request_range: oldestRequest(directory) }],
  };
}

/** One transaction: replaces the value of the key, if it is still the one that was created in `createRevision`. */
export function updateRequest(key: string, value: string, createRevision: bigint): ITxnRequest {
  const bytes = Buffer.from(key);
  return {
    compare: [{ key: bytes, target: 'Create', result: 'Equal', create_revision: createRevision.toString() }],
    success: [{ request_put: { key: bytes, value: Buffer.from(value), ignore_lease: true } }],
    failure: [],
  };
}

/** The transaction of `Member.confirmKey`. */
export function confirmRequest(key: string, createRevision: bigint): ITxnRequest {
  const bytes = Buffer.from(key);
  const read = { request_range: keyRequest(key) };
  return {
    compare: [{ key: bytes, target: 'Create', result: 'Equal', create_revision: createRevision.toString() }],
    success: [read],
    // The delete makes the transaction an entry of the raft log; a transaction that only reads is none. Its key never
    // exists. It is below the lock's key, so that a user who may write there may also send this delete.
    failure: [{ request_delete_range: { key: Buffer.from(`${key}/never`) } }, read],
  };
}

/** Both branches of the transaction end with the read of the key. */
export function confirmAnswerFrom({ header, responses }: ITxnResponse): Unconnected<ConfirmAnswer> {
  return { header: headerFrom(header), found: oldestIn(responses.at(-1)?.response_range) };
}

export function putIfEmptyAnswerFrom({
  header,
  succeeded,
  responses,
}: ITxnResponse): Unconnected<LockAnswer> {
  const [response] = responses;
  return {
    header: headerFrom(header),
    succeeded,
    oldest: succeeded ? null : oldestIn(response?.response_range),
  };
}
