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

/** An answer, and the connection that the call ran on. */
export interface Answered<Message> {
  readonly message: Message;
  readonly connection: ConnectionId;
}

/** A call that failed, as etcd or the network says it, before that is put in our words. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: RpcStatus;
  /** Why we closed the connection under the call, if we did. */
  readonly closedBecause: string | undefined;

  constructor(status: RpcStatus, closedBecause?: string) {
    super(status.details);
    this.status = status;
    this.closedBecause = closedBecause;
  }
}

/** The error of a call whose signal was aborted. */
export function givenUp(endpoint: string, signal: AbortSignal): EtcdError {
  const message = signal.reason === 'unwanted' ? 'no longer wanted' : 'no answer in time';
  return new EtcdError('timeout', endpoint, message);
}

/** What grpc-js says of a call that failed; what else was thrown is a fault on this side. */
export function statusFrom(error: unknown): RpcStatus {
  if (error instanceof Error && 'code' in error && 'details' in error) {
    const { code, details } = error;
    if (typeof code === 'number' && typeof details === 'string') return { code, details };
    // grpc-js fails in its own words about a message that is compressed in an unknown way.
    return { code: STATUS.INTERNAL, details: 'Received a message that cannot be unpacked' };
  }
  return { code: error instanceof StreamEnded ? STATUS.UNKNOWN : STATUS.INTERNAL, details: errorText(error) };
}

/**
 * Runs one call on the connector's connection of the moment. Whoever aborts because of time, by their own clock, makes the
 * connection suspect: it is replaced, and what else runs on it ends. Rejects with `CallFailure`, or with `EtcdError` of kind `timeout`
 * when aborted.
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
      // The channel was closed in the same moment, or the metadata cannot be sent.
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

/** One message there and one back. */
export async function callUnary<Name extends UnaryName>(
  connector: EndpointConnector,
  signal: AbortSignal,
  name: Name,
  request: UnaryRequest<Name>,
  metadata: CallMetadata,
): Promise<UnaryAnswer<Name>> {
  return (await callUnaryAnswered(connector, signal, name, request, metadata)).message;
}

/** Like `callUnary`, for those who ask which connection it was. */
export function callUnaryAnswered<Name extends UnaryName>(
  connector: EndpointConnector,
  signal: AbortSignal,
  name: Name,
  request: UnaryRequest<Name>,
  metadata: CallMetadata,
): Promise<Answered<UnaryAnswer<Name>>> {
  return run(connector, signal, (channel) => startUnary(channel, name, request, metadata));
}

/** One renewal of a lease, on the connection's stream for that. */
export function callKeepAlive(
  connector: EndpointConnector,
  signal: AbortSignal,
  leaseId: string,
  metadata: CallMetadata,
): Promise<Answered<ILeaseKeepAliveResponse>> {
  return run(connector, signal, (channel) => startKeepAlive(channel, leaseId, metadata));
}
