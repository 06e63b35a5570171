import type { ClientDuplexStream, ClientUnaryCall, Metadata, ServiceError } from '@grpc/grpc-js';
import type { Host } from 'etcd3/lib/connection-pool.js';
import type * as rpc from 'etcd3/lib/rpc.js';

interface Exchange<Request, Response> {
  readonly request: Request;
  readonly response: Response;
}

/** The calls of etcd's `rpc.proto` that we use: one message there, one back. */
export interface UnaryCalls {
  readonly range: Exchange<rpc.IRangeRequest, rpc.IRangeResponse>;
  readonly txn: Exchange<rpc.ITxnRequest, rpc.ITxnResponse>;
  readonly leaseGrant: Exchange<rpc.ILeaseGrantRequest, rpc.ILeaseGrantResponse>;
  readonly leaseRevoke: Exchange<rpc.ILeaseRevokeRequest, rpc.ILeaseRevokeResponse>;
  readonly leaseTimeToLive: Exchange<rpc.ILeaseTimeToLiveRequest, rpc.ILeaseTimeToLiveResponse>;
  readonly authenticate: Exchange<rpc.IAuthenticateRequest, rpc.IAuthenticateResponse>;
  readonly status: Exchange<rpc.IStatusRequest, rpc.IStatusResponse>;
  readonly alarm: Exchange<rpc.IAlarmRequest, rpc.IAlarmResponse>;
  readonly memberList: Exchange<rpc.IMemberListRequest, rpc.IMemberListResponse>;
}

/** The calls that are streams both ways. */
export interface StreamCalls {
  readonly leaseKeepAlive: Exchange<rpc.ILeaseKeepAliveRequest, rpc.ILeaseKeepAliveResponse>;
  readonly watch: Exchange<rpc.IWatchRequest, rpc.IWatchResponse>;
}

const SERVICE_OF = {
  range: 'KV',
  txn: 'KV',
  leaseGrant: 'Lease',
  leaseRevoke: 'Lease',
  leaseTimeToLive: 'Lease',
  leaseKeepAlive: 'Lease',
  watch: 'Watch',
  authenticate: 'Auth',
  status: 'Maintenance',
  alarm: 'Maintenance',
  memberList: 'Cluster',
} as const satisfies Record<keyof UnaryCalls | keyof StreamCalls, string>;

/** Takes the end of a call: an error, or its answer. */
export type Done<T> = (error: ServiceError | null, answer?: T) => void;

/** A stream of one of our calls. */
export type Stream<Name extends keyof StreamCalls> = ClientDuplexStream<
  StreamCalls[Name]['request'],
  StreamCalls[Name]['response']
>;

/** Sends one message on etcd3's generated client of that service. */
export function startUnary<Name extends keyof UnaryCalls>(
  host: Host,
  name: Name,
  request: UnaryCalls[Name]['request'],
  metadata: Metadata,
  done: Done<UnaryCalls[Name]['response']>,
): ClientUnaryCall {
  // etcd3 types what it generates as a bare client; the methods are there.
  const client = host.getServiceClient(SERVICE_OF[name]) as unknown as Record<
    Name,
    (
      request: UnaryCalls[Name]['request'],
      metadata: Metadata,
      options: object,
      done: Done<UnaryCalls[Name]['response']>,
    ) => ClientUnaryCall
  >;
  return client[name](request, metadata, {}, done);
}

/** Opens a stream on etcd3's generated client of that service. */
export function openStream<Name extends keyof StreamCalls>(
  host: Host,
  name: Name,
  metadata: Metadata,
): Stream<Name> {
  // As above.
  const client = host.getServiceClient(SERVICE_OF[name]) as unknown as Record<
    Name,
    (metadata: Metadata) => Stream<Name>
  >;
  return client[name](metadata);
}
