import { credentials } from '@grpc/grpc-js';
import { Host } from 'etcd3/lib/connection-pool.js';
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

type Calls = UnaryCalls & StreamCalls;

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
} as const satisfies Record<keyof Calls, string>;

/** One of etcd's calls: where it goes, and its messages as bytes. */
export interface Method<Request, Response> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  /** Throws when the bytes are no such message. */
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

type Methods = { readonly [Name in keyof Calls]: Method<Calls[Name]['request'], Calls[Name]['response']> };

let host: Host | undefined;

/** The call as etcd3 has it, on the clients that it generates from `rpc.proto`; they are never connected. */
export function methodOf<Name extends keyof Calls>(name: Name): Methods[Name] {
  // A channel of our own keeps the clients from making one.
  host ??= new Host('', credentials.createInsecure(), { channelOverride: {} as never });
  // etcd3 types what it generates as a bare client; the methods are there, and what they are made of is on them.
  const client = host.getServiceClient(SERVICE_OF[name]) as unknown as Methods;
  return client[name];
}
