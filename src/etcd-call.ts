import type { Metadata } from '@grpc/grpc-js';
import { EtcdError } from './errors.ts';
import type { EtcdConnection } from './etcd-connection.ts';
import { errorText, type RpcStatus } from './etcd-errors.ts';
import type { EtcdLink } from './etcd-link.ts';
import { type Done, openStream, startUnary, type StreamCalls, type UnaryCalls } from './etcd-stubs.ts';

const UNAVAILABLE = 14;
/** Unknown: the member closed the call in good order and said nothing. */
const NO_ANSWER: RpcStatus = { code: 2, details: 'the call ended without an answer' };

/** A call that failed, as etcd or the network says it, before that is put in our words. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: RpcStatus;
  /** Why we closed the connection under the call, if we did. */
  readonly closedBecause: string | undefined;

  constructor(status: RpcStatus, closedBecause?: string) {
    super(status.details);
    this.status = { code: status.code, details: status.details };
    this.closedBecause = closedBecause;
  }
}

/** The error of a call whose signal was aborted. */
export function givenUp(endpoint: string, signal: AbortSignal): EtcdError {
  const message = signal.reason === 'unwanted' ? 'no longer wanted' : 'no answer in time';
  return new EtcdError('timeout', endpoint, message);
}

/**
 * Runs one call on the link's connection of the moment. Whoever aborts because of time, by their own clock, makes the
 * connection suspect: it is replaced, and what else runs on it ends.
 */
function run<T>(
  link: EtcdLink,
  signal: AbortSignal,
  start: (connection: EtcdConnection, done: Done<T>) => { cancel(): void },
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  if (signal.aborted) {
    reject(givenUp(link.name, signal));
    return promise;
  }
  const connection = link.current();
  const release = connection.hold();
  let running: { cancel(): void } | undefined;
  const onAbort = (): void => {
    reject(givenUp(link.name, signal));
    running?.cancel();
    const reason: unknown = signal.reason;
    if (reason === 'timeout' || reason === 'outrun')
      link.replace(connection, 'an earlier call got no answer');
    release();
  };
  const done: Done<T> = (error, answer) => {
    signal.removeEventListener('abort', onAbort);
    if (error !== null) reject(new CallFailure(error, connection.closedBecause));
    else if (answer === undefined) reject(new CallFailure(NO_ANSWER, connection.closedBecause));
    else resolve(answer);
    release();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    running = start(connection, done);
  } catch (error) {
    // The channel was closed in the same moment.
    signal.removeEventListener('abort', onAbort);
    reject(new CallFailure({ code: UNAVAILABLE, details: errorText(error) }, connection.closedBecause));
    release();
  }
  return promise;
}

/** One message there and one back. Rejects with `CallFailure`, or with `EtcdError` of kind `timeout` when aborted. */
export function callUnary<Name extends keyof UnaryCalls>(
  link: EtcdLink,
  signal: AbortSignal,
  name: Name,
  request: UnaryCalls[Name]['request'],
  metadata: Metadata,
): Promise<UnaryCalls[Name]['response']> {
  return run<UnaryCalls[Name]['response']>(link, signal, (connection, done) =>
    startUnary(connection.host, name, request, metadata, done),
  );
}

/**
 * Like `callUnary`, over a stream of its own that ends after one message each way: an answer on it can only be the answer
 * to this request.
 */
export function callOnStream<Name extends keyof StreamCalls>(
  link: EtcdLink,
  signal: AbortSignal,
  name: Name,
  request: StreamCalls[Name]['request'],
  metadata: Metadata,
): Promise<StreamCalls[Name]['response']> {
  return run<StreamCalls[Name]['response']>(link, signal, (connection, done) => {
    const stream = openStream(connection.host, name, metadata);
    // What comes first counts; the rest can still come, and an 'error' without a handler would end the process.
    let isOver = false;
    const finish: typeof done = (error, answer) => {
      if (isOver) return;
      isOver = true;
      done(error, answer);
    };
    stream.on('data', (answer: StreamCalls[Name]['response']) => {
      finish(null, answer);
    });
    stream.on('error', finish);
    stream.on('end', () => {
      finish(null);
    });
    stream.write(request);
    stream.end();
    return stream;
  });
}
