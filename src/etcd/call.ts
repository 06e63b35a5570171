import { errorText, EtcdError } from '../base/errors.ts';
import type { ConnectionId } from '../cluster/member.ts';
import type { EtcdConnection } from '../connect/connection.ts';
import type { EtcdLink } from '../connect/endpoint-link.ts';
import { type Method, methodOf, type StreamCalls, type UnaryCalls } from './methods.ts';
import { type CallEvents, type GrpcCall, type RpcStatus, STATUS } from '../grpc-call.ts';

/** What a call shows the member beside its message: a token, a wish. */
export type Metadata = Readonly<Record<string, string>>;

/** An answer, and the connection that the call ran on. */
export interface Answered<Message> {
  readonly message: Message;
  readonly connection: ConnectionId;
}

/** Unknown: the member closed the call in good order and said nothing. */
const NO_ANSWER: RpcStatus = { code: STATUS.unknown, details: 'the call ended without an answer' };

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

/** The bytes of a request that is made again and again; `callUnary` and `callOnStream` take them in its place. */
export function encoded<Name extends keyof UnaryCalls | keyof StreamCalls>(
  name: Name,
  request: (UnaryCalls & StreamCalls)[Name]['request'],
): Buffer {
  return methodOf(name).requestSerialize(request);
}

/** Begins a call with its first message. Messages that come are handed on decoded; one that cannot be ends the call. */
export function startCall<Request, Response>(
  connection: EtcdConnection,
  { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
  request: Request | Buffer,
  isLast: boolean,
  metadata: Metadata,
  onMessage: (message: Response) => void,
  onEnd: CallEvents['onEnd'],
): GrpcCall {
  // Before the call: one whose message cannot be made must not be left open.
  const body = Buffer.isBuffer(request) ? request : requestSerialize(request);
  const call = connection.startCall(path, metadata, {
    onMessage: (bytes) => {
      let message: Response;
      try {
        message = responseDeserialize(bytes);
      } catch (error) {
        call.cancel();
        onEnd({ code: STATUS.internal, details: `Response message parsing error: ${errorText(error)}` });
        return;
      }
      onMessage(message);
    },
    onEnd,
  });
  call.send(body, isLast);
  return call;
}

/**
 * Runs one call on the link's connection of the moment. Whoever aborts because of time, by their own clock, makes the
 * connection suspect: it is replaced, and what else runs on it ends.
 *
 * @param isStream the first message is the answer; otherwise that is the only one, and counts once the call has ended well
 */
function run<Request, Response>(
  link: EtcdLink,
  signal: AbortSignal,
  method: Method<Request, Response>,
  request: Request | Buffer,
  metadata: Metadata,
  isStream: boolean,
): Promise<Answered<Response>> {
  const { promise, resolve, reject } = Promise.withResolvers<Answered<Response>>();
  if (signal.aborted) {
    reject(givenUp(link.name, signal));
    return promise;
  }
  const connection = link.current();
  const release = connection.hold();
  let call: GrpcCall | undefined;
  let answer: Response | undefined;
  const end = (): void => {
    signal.removeEventListener('abort', onAbort);
    release();
  };
  const onAbort = (): void => {
    reject(givenUp(link.name, signal));
    call?.cancel();
    const reason: unknown = signal.reason;
    if (reason === 'timeout' || reason === 'outrun')
      link.replace(connection, 'an earlier call got no answer');
    end();
  };
  const fail = (status: RpcStatus): void => {
    reject(new CallFailure(status, connection.closedBecause));
    end();
  };
  const onMessage = (message: Response): void => {
    if (isStream) {
      resolve({ message, connection: connection.id as ConnectionId });
      end();
    } else if (answer === undefined) answer = message;
    else {
      call?.cancel();
      fail({ code: STATUS.unimplemented, details: 'Too many responses received' });
    }
  };
  const onEnd = (status: RpcStatus): void => {
    if (status.code !== STATUS.ok) fail(status);
    else if (isStream) fail(NO_ANSWER);
    else if (answer === undefined) fail({ code: STATUS.unimplemented, details: 'No message received' });
    else {
      resolve({ message: answer, connection: connection.id as ConnectionId });
      end();
    }
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    call = startCall(connection, method, request, true, metadata, onMessage, onEnd);
  } catch (error) {
    fail({ code: STATUS.internal, details: `Request message serialization failure: ${errorText(error)}` });
  }
  return promise;
}

/** One message there and one back. Rejects with `CallFailure`, or with `EtcdError` of kind `timeout` when aborted. */
export async function callUnary<Name extends keyof UnaryCalls>(
  link: EtcdLink,
  signal: AbortSignal,
  name: Name,
  request: UnaryCalls[Name]['request'] | Buffer,
  metadata: Metadata,
): Promise<UnaryCalls[Name]['response']> {
  return (await callUnaryAnswered(link, signal, name, request, metadata)).message;
}

/** Like `callUnary`, for those who ask which connection it was. */
export function callUnaryAnswered<Name extends keyof UnaryCalls>(
  link: EtcdLink,
  signal: AbortSignal,
  name: Name,
  request: UnaryCalls[Name]['request'] | Buffer,
  metadata: Metadata,
): Promise<Answered<UnaryCalls[Name]['response']>> {
  return run(link, signal, methodOf(name), request, metadata, false);
}

/**
 * Like `callUnary`, over a stream of its own that ends after one message each way: an answer on it can only be the answer
 * to this request.
 */
export function callOnStream<Name extends keyof StreamCalls>(
  link: EtcdLink,
  signal: AbortSignal,
  name: Name,
  request: StreamCalls[Name]['request'] | Buffer,
  metadata: Metadata,
): Promise<Answered<StreamCalls[Name]['response']>> {
  return run(link, signal, methodOf(name), request, metadata, true);
}
