import { status as STATUS } from '@grpc/grpc-js';
import type { IWatchResponse } from 'etcd3/lib/rpc.js';
import type { WatchHandlers } from '../cluster/member.ts';
import { CallFailure, statusFrom } from './call.ts';
import type { RpcStatus } from '../connect/connection.ts';
import { isLoginWanted, isStaleLogin } from './server-errors.ts';
import type { EndpointCalls } from './endpoint-calls.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { type CallMetadata, openStream, type Started, type Stream } from './methods.ts';

/** The events of a watch. `onEnd` is called at most once, and no event follows it. */
export interface WatchEvents extends Pick<WatchHandlers, 'onDelete' | 'onPut'> {
  readonly onEnd: (error: unknown) => void;
}

/** One key, or all keys from `key` to before `range_end`. */
export interface WatchedRange {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

/**
 * Watches keys from `fromRevision` on. When the member refuses the login, it is renewed once.
 * @returns the function that stops the watch
 */
export function watchRange(
  { connector, login }: EndpointCalls,
  range: WatchedRange,
  fromRevision: bigint,
  events: WatchEvents,
): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  const watch = async (): Promise<void> => {
    const pass = await login.pass(signal);
    const { error, hasTold } = await watchOnce(connector, pass.metadata, range, fromRevision, events, signal);
    // etcd 3.4 answers every refused watch with "permission denied", whatever is wrong with the login.
    const isRefused =
      error instanceof CallFailure && (isStaleLogin(error.status) || isLoginWanted(error.status));
    if (!isRefused || hasTold) throw error;
    login.forget(pass);
    const { metadata } = await login.pass(signal);
    throw (await watchOnce(connector, metadata, range, fromRevision, events, signal)).error;
  };
  watch().catch((error: unknown) => {
    if (!signal.aborted) events.onEnd(error);
  });
  return () => {
    stopping.abort('unwanted');
  };
}

interface WatchEnd {
  readonly error: CallFailure;
  /** True when an event was reported. */
  readonly hasTold: boolean;
}

/** One watch, until it ends. */
function watchOnce(
  connector: EndpointConnector,
  metadata: CallMetadata,
  range: WatchedRange,
  fromRevision: bigint,
  events: WatchEvents,
  signal: AbortSignal,
): Promise<WatchEnd> {
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  if (signal.aborted) {
    // It was stopped during the login or before it. The result is not used.
    resolve({ error: new CallFailure({ code: STATUS.UNKNOWN, details: 'stopped' }), hasTold: false });
    return promise;
  }
  const connection = connector.current();
  const release = connection.hold();
  let opening: Started<Stream<'watch'>> | undefined;
  let hasTold = false;
  const end = (status: RpcStatus): void => {
    signal.removeEventListener('abort', onStop);
    release();
    resolve({ error: new CallFailure(status, connection.whyClosed(status)), hasTold });
  };
  const cancel = (details: string): void => {
    callOff();
    opening?.cancel();
    end({ code: STATUS.UNKNOWN, details });
  };
  const onStop = (): void => {
    cancel('stopped');
  };
  const onData = (response: IWatchResponse): void => {
    for (const { type } of response.events) {
      if (signal.aborted) return;
      hasTold = true;
      if (type === 'Delete') events.onDelete();
      else events.onPut();
    }
    if (!response.canceled) return;
    if (response.compact_revision !== '0') cancel(`compacted at ${response.compact_revision}`);
    else cancel(response.cancel_reason === '' ? 'canceled by the member' : response.cancel_reason);
  };
  const onOpen = (stream: Stream<'watch'>): void => {
    stream.on('data', onData);
    stream.on('error', (error) => {
      end(statusFrom(error));
    });
    stream.on('end', () => {
      end({ code: STATUS.UNAVAILABLE, details: 'the member ended the watch' });
    });
    if (signal.aborted) stream.cancel();
    else stream.write({ create_request: { ...range, start_revision: fromRevision.toString() } });
  };

  signal.addEventListener('abort', onStop, { once: true });
  const callOff = connection.whenReady((channel) => {
    // With `hasleader`, the watch ends when the member has no raft leader. Otherwise it would be silent.
    opening = openStream(channel, 'watch', { ...metadata, hasleader: 'true' });
    opening.answer.then(onOpen, (error: unknown) => {
      end(statusFrom(error));
    });
  }, end);
  return promise;
}
