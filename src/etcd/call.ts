import { type Channel, status as STATUS } from '@grpc/grpc-js';
import type { ILeaseKeepAliveResponse } from 'etcd3/lib/rpc.js';
import { errorText, EtcdError } from '../base/errors.ts';
import type { ConnectionId } from '../cluster/member.ts';
import type { RpcStatus } from '../connect/connection.ts';
import { startKeepAlive, StreamEnded } from './keepalive.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import {
  type CallMetadata,
  type Started,
  startUnary,
  type UnaryAnswer,
  type UnaryName,
  type UnaryRequest,
} from './methods.ts';

/** An answer, and the connection of the call. */
export interface Answered<Message> {
  readonly message: Message;
  readonly connection: ConnectionId;
}

/** A failed call, with the status of etcd or of grpc-js. `etcd/errors.ts` makes an `EtcdError` of it. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: RpcStatus;
  /** Why this side closed the connection during the call; undefined when it did not. */
  readonly closedBecause: string | undefined;

  constructor(status: RpcStatus, closedBecause?: string) {
    super(status.details);
    this.status = status;
    this.closedBecause = closedBecause;
  }
}

/** The error of a call whose signal was aborted. */
export function givenUp(endpoint: string, signal: AbortSignal): EtcdError {
  const message = signal.reason === 'unwanted' ? 'the call was canceled' : 'no answer in time';
  return new EtcdError('timeout', endpoint, message);
}

/** The status of a failed call. Anything else that was thrown is a fault on this side. */
export function statusFrom(error: unknown): RpcStatus {
  if (error instanceof Error && 'code' in error && 'details' in error) {
    const { code, details } = error;
    if (typeof code === 'number' && typeof details === 'string') return { code, details };
    // grpc-js throws its own text when a message is compressed by an unknown method.
    return { code: STATUS.INTERNAL, details: 'Received a message that cannot be unpacked' };
  }
  return { code: error instanceof StreamEnded ? STATUS.UNKNOWN : STATUS.INTERNAL, details: errorText(error) };
}

/**
 * Runs one call on the endpoint's current connection. Rejects with `CallFailure`, or with `EtcdError` of kind `timeout`
 * when aborted. An abort because of a time limit makes the connection suspect: it is replaced, and all other calls on
 * it end.
 */
function run<T>(
  connector: EndpointConnector,
  signal: AbortSignal,
  start: (channel: Channel) => Started<T>,
): Promise<Answered<T>> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered<T>>();
  if (signal.aborted) {
    reject(givenUp(connector.name, signal));
    return promise;
  }
  const connection = connector.current();
  const release = connection.hold();
  let call: Started<T> | undefined;
  const end = (): void => {
    signal.removeEventListener('abort', onAbort);
    release();
  };
  const onAbort = (): void => {
    reject(givenUp(connector.name, signal));
    callOff();
    call?.cancel();
    const reason: unknown = signal.reason;
    if (reason === 'timeout' || reason === 'outrun')
      connector.replace(connection, 'an earlier call got no answer');
    end();
  };
  const fail = (status: RpcStatus): void => {
    reject(new CallFailure(status, connection.whyClosed(status)));
    end();
  };
  const begin = (channel: Channel): void => {
    try {
      call = start(channel);
    } catch (error) {
      // The channel was closed just now, or the metadata cannot be sent.
      fail({ code: STATUS.UNAVAILABLE, details: errorText(error) });
      return;
    }
    call.answer.then(
      (message) => {
        resolve({ message, connection: connection.id as ConnectionId });
        end();
      },
      (error: unknown) => {
        fail(statusFrom(error));
      },
    );
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const callOff = connection.whenReady(begin, fail);
  return promise;
}

/** A call with one request message and one answer. */
export async function callUnary<Name extends UnaryName>(
  connector: EndpointConnector,
  signal: AbortSignal,
  name: Name,
  request: UnaryRequest<Name>,
  metadata: CallMetadata,
): Promise<UnaryAnswer<Name>> {
  return (await callUnaryAnswered(connector, signal, name, request, metadata)).message;
}

/** Like `callUnary`, but also returns the connection of the call. */
export function callUnaryAnswered<Name extends UnaryName>(
  connector: EndpointConnector,
  signal: AbortSignal,
  name: Name,
  request: UnaryRequest<Name>,
  metadata: CallMetadata,
): Promise<Answered<UnaryAnswer<Name>>> {
  return run(connector, signal, (channel) => startUnary(channel, name, request, metadata));
}

/** Renews a lease once, on the keepalive stream of the connection. */
export function callKeepAlive(
  connector: EndpointConnector,
  signal: AbortSignal,
  leaseId: string,
  metadata: CallMetadata,
): Promise<Answered<ILeaseKeepAliveResponse>> {
  return run(connector, signal, (channel) => startKeepAlive(channel, leaseId, metadata));
}
