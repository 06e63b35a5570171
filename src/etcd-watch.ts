import type { Metadata } from '@grpc/grpc-js';
import type { WatchHandlers } from './etcd.ts';
import { CallFailure } from './etcd-call.ts';
import { errorText, isLoginWanted, isStaleLogin } from './etcd-errors.ts';
import type { EtcdCaller } from './etcd-caller.ts';
import type { EtcdLink } from './etcd-link.ts';
import { openStream, type Stream, type StreamCalls } from './etcd-stubs.ts';

const UNAVAILABLE = 14;
const UNKNOWN = 2;

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
    resolve({ error: new CallFailure({ code: UNKNOWN, details: 'stopped' }), hasTold: false });
    return promise;
  }
  const connection = link.current();
  const release = connection.hold();
  let stream: Stream<'watch'> | undefined;
  let hasTold = false;
  const end = (code: number, details: string): void => {
    signal.removeEventListener('abort', onStop);
    release();
    resolve({ error: new CallFailure({ code, details }, connection.closedBecause), hasTold });
  };
  const onStop = (): void => {
    stream?.cancel();
    end(UNKNOWN, 'stopped');
  };
  const onData = (response: Response): void => {
    for (const { type } of response.events) {
      if (signal.aborted) return; // by what it told, or before
      hasTold = true;
      if (type === 'Delete') events.onDelete();
      else events.onPut();
    }
    if (!response.canceled) return;
    stream?.cancel();
    if (response.compact_revision !== '0') end(UNKNOWN, `compacted at ${response.compact_revision}`);
    else end(UNKNOWN, response.cancel_reason === '' ? 'cancelled by the member' : response.cancel_reason);
  };

  signal.addEventListener('abort', onStop, { once: true });
  try {
    // With it the watch ends when the member has no leader, instead of being silent.
    const withLeader = metadata.clone();
    withLeader.set('hasleader', 'true');
    stream = openStream(connection.host, 'watch', withLeader);
    stream.on('data', onData);
    // Also after the end: an 'error' without a handler would end the process.
    stream.on('error', ({ code, details, message }: Error & { code?: number; details?: string }) => {
      end(code ?? UNKNOWN, details ?? message);
    });
    stream.on('end', () => {
      end(UNAVAILABLE, 'the member ended the watch');
    });
    stream.write({ create_request: { ...range, start_revision: fromRevision.toString() } });
  } catch (error) {
    // The channel was closed in the same moment.
    end(UNAVAILABLE, errorText(error));
  }
  return promise;
}
