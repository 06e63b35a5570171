import type { WatchHandlers } from '../cluster/member.ts';
import { CallFailure, type Metadata, startCall } from './call.ts';
import { isLoginWanted, isStaleLogin } from './errors.ts';
import type { EtcdCaller } from './caller.ts';
import type { EtcdLink } from '../connect/endpoint-link.ts';
import { methodOf, type StreamCalls } from './methods.ts';
import { type RpcStatus, STATUS } from '../grpc-call.ts';

type Response = StreamCalls['watch']['response'];

/** What a watch tells; `onEnd` at most once, and nothing after it. */
export interface WatchEvents extends Pick<WatchHandlers, 'onDelete' | 'onPut'> {
  readonly onEnd: (error: unknown) => void;
}

/** One key, or all from `key` to before `range_end`. */
export interface WatchedRange {
  readonly key: Buffer;
  readonly range_end?: Buffer;
}

/**
 * Watches keys from `fromRevision` on, until stopped by the function that is returned. A login that the member refuses is
 * renewed once.
 */
export function watchRange(
  { link, login }: EtcdCaller,
  range: WatchedRange,
  fromRevision: bigint,
  events: WatchEvents,
): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  const watch = async (): Promise<void> => {
    const pass = await login.pass(signal);
    const { error, hasTold } = await watchOnce(link, pass.metadata, range, fromRevision, events, signal);
    // etcd 3.4 calls each refusal of a watch "permission denied", whatever is wrong with the login.
    const isRefused =
      error instanceof CallFailure && (isStaleLogin(error.status) || isLoginWanted(error.status));
    if (!isRefused || hasTold) throw error;
    login.forget(pass);
    const { metadata } = await login.pass(signal);
    throw (await watchOnce(link, metadata, range, fromRevision, events, signal)).error;
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
  /** Whether it has told of an event. */
  readonly hasTold: boolean;
}

/** One watch, to its end. */
function watchOnce(
  link: EtcdLink,
  metadata: Metadata,
  range: WatchedRange,
  fromRevision: bigint,
  events: WatchEvents,
  signal: AbortSignal,
): Promise<WatchEnd> {
  const { promise, resolve } = Promise.withResolvers<WatchEnd>();
  if (signal.aborted) {
    // Stopped while we logged in, or before that; nobody looks at how it ended.
    resolve({ error: new CallFailure({ code: STATUS.unknown, details: 'stopped' }), hasTold: false });
    return promise;
  }
  const connection = link.current();
  const release = connection.hold();
  let hasTold = false;
  const end = (status: RpcStatus): void => {
    signal.removeEventListener('abort', onStop);
    release();
    resolve({ error: new CallFailure(status, connection.closedBecause), hasTold });
  };
  const cancel = (details: string): void => {
    call.cancel();
    end({ code: STATUS.unknown, details });
  };
  const onStop = (): void => {
    cancel('stopped');
  };
  const onMessage = (response: Response): void => {
    for (const { type } of response.events) {
      if (signal.aborted) return; // by what it told, or before
      hasTold = true;
      if (type === 'Delete') events.onDelete();
      else events.onPut();
    }
    if (!response.canceled) return;
    if (response.compact_revision !== '0') cancel(`compacted at ${response.compact_revision}`);
    else cancel(response.cancel_reason === '' ? 'cancelled by the member' : response.cancel_reason);
  };
  const onEnd = (status: RpcStatus): void => {
    end(
      status.code === STATUS.ok
        ? { code: STATUS.unavailable, details: 'the member ended the watch' }
        : status,
    );
  };

  signal.addEventListener('abort', onStop, { once: true });
  const request = { create_request: { ...range, start_revision: fromRevision.toString() } };
  // With it the watch ends when the member has no leader, instead of being silent.
  const withLeader = { ...metadata, hasleader: 'true' };
  const call = startCall(connection, methodOf('watch'), request, false, withLeader, onMessage, onEnd);
  return promise;
}
