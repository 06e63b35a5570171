/** etcd's calls, made by the clients that etcd3 generates from `rpc.proto`. */
import {
  type CallOptions,
  type Channel,
  type Client,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { Host } from 'etcd3/lib/connection-pool.js';
import {
  AuthClient,
  ClusterClient,
  type ICallable,
  KVClient,
  LeaseClient,
  MaintenanceClient,
  type Services,
  WatchClient,
} from 'etcd3/lib/rpc.js';
import type * as rpc from 'etcd3/lib/rpc.js';
import { grpcOnly } from './grpc-only.ts';

type ServiceName = keyof typeof Services;

/** The calls with one request message and one answer. */
const UNARY = {
  range: (on: OneCall, request: rpc.IRangeRequest) => new KVClient(on).range(request),
  txn: (on: OneCall, request: rpc.ITxnRequest) => new KVClient(on).txn(request),
  leaseGrant: (on: OneCall, request: rpc.ILeaseGrantRequest) => new LeaseClient(on).leaseGrant(request),
  leaseRevoke: (on: OneCall, request: rpc.ILeaseRevokeRequest) => new LeaseClient(on).leaseRevoke(request),
  leaseTimeToLive: (on: OneCall, request: rpc.ILeaseTimeToLiveRequest) =>
    new LeaseClient(on).leaseTimeToLive(request),
  authenticate: (on: OneCall, request: rpc.IAuthenticateRequest) => new AuthClient(on).authenticate(request),
  status: (on: OneCall) => new MaintenanceClient(on).status(),
  alarm: (on: OneCall, request: rpc.IAlarmRequest) => new MaintenanceClient(on).alarm(request),
  memberList: (on: OneCall, request: rpc.IMemberListRequest) => new ClusterClient(on).memberList(request),
};

/** The calls with a stream in both directions. */
const STREAMS = {
  leaseKeepAlive: (on: OneCall) => new LeaseClient(on).leaseKeepAlive(),
  watch: (on: OneCall) => new WatchClient(on).watch(),
};

export type UnaryName = keyof typeof UNARY;
export type StreamName = keyof typeof STREAMS;
/** The request message. Empty for calls whose generated method takes none. */
export type UnaryRequest<Name extends UnaryName> =
  Parameters<(typeof UNARY)[Name]> extends [OneCall, infer Request]
    ? Request
    : Readonly<Record<string, never>>;
export type UnaryAnswer<Name extends UnaryName> = Awaited<ReturnType<(typeof UNARY)[Name]>>;
export type Stream<Name extends StreamName> = Awaited<ReturnType<(typeof STREAMS)[Name]>>;

/** The metadata of a call: a token, an option. */
export type CallMetadata = Readonly<Record<string, string>>;

/** A call that was started: its answer, and the function that cancels it. */
export interface Started<T> {
  /** Rejects with grpc-js's error, or with another one. */
  readonly answer: Promise<T>;
  readonly cancel: () => void;
}

const hosts = new WeakMap<Channel, Host>();

/** etcd3's clients on that channel. */
function clientsOn(channel: Channel): Host {
  const known = hosts.get(channel);
  if (known !== undefined) return known;
  // The channel is given, so the client uses neither a name nor credentials.
  const options = { channelOverride: channel, interceptors: [grpcOnly] };
  const host = new Host('member', credentials.createInsecure(), options);
  hosts.set(channel, host);
  return host;
}

/** Starts a call with one request message and one answer. */
export function startUnary<Name extends UnaryName>(
  channel: Channel,
  name: Name,
  request: UnaryRequest<Name>,
  metadata: CallMetadata,
): Started<UnaryAnswer<Name>> {
  const call = new OneCall(clientsOn(channel), metadata);
  const start: (on: OneCall, request: never) => Promise<unknown> = UNARY[name];
  return { answer: start(call, request as never) as Promise<UnaryAnswer<Name>>, cancel: call.cancel };
}

/** Opens a stream. */
export function openStream<Name extends StreamName>(
  channel: Channel,
  name: Name,
  metadata: CallMetadata,
): Started<Stream<Name>> {
  const call = new OneCall(clientsOn(channel), metadata);
  const open: (on: OneCall) => Promise<unknown> = STREAMS[name];
  return { answer: open(call) as Promise<Stream<Name>>, cancel: call.cancel };
}

/** A method of the clients that grpc-js makes, with the arguments that etcd3 passes. */
type StartUnary = (
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | null, answer?: unknown) => void,
) => ClientUnaryCall;

/**
 * Makes each call of etcd3's clients once, on one connection, with the given metadata. It replaces etcd3's pool of
 * connections, which would repeat calls and choose hosts.
 */
class OneCall implements ICallable<Host> {
  readonly callOptionsFactory = undefined;
  readonly #clients: Host;
  readonly #metadata = new Metadata();
  #running: { cancel(): void } | undefined;

  constructor(clients: Host, metadata: CallMetadata) {
    this.#clients = clients;
    for (const [name, value] of Object.entries(metadata)) this.#metadata.set(name, value);
  }

  readonly cancel = (): void => {
    this.#running?.cancel();
  };

  exec<T>(service: ServiceName, method: string, request: unknown, options: CallOptions = {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // etcd3's type of the generated client lacks the methods.
    const client = this.#clients.getServiceClient(service) as Client & Record<string, StartUnary>;
    this.#running = client[method]?.(request, this.#metadata, options, (error, answer) => {
      if (error === null) resolve(answer as T);
      else reject(error);
    });
    return promise;
  }

  async withConnection<T>(
    service: ServiceName,
    open: (on: { resource: Host; client: Client; metadata: Metadata }) => Promise<T> | T,
  ): Promise<T> {
    const client = this.#clients.getServiceClient(service);
    const stream = await open({ resource: this.#clients, client, metadata: this.#metadata });
    this.#running = stream as T & { cancel(): void };
    return stream;
  }

  markFailed(): void {
    // Ignored: the maker of the call decides what a failure means.
  }
}
