import type { Metadata } from '@grpc/grpc-js';
import type { WatchHandlers } from './etcd.ts';
import { CallFailure } from './etcd-call.ts';
import type { EtcdLink } from './etcd-link.ts';
import { errorText } from './etcd-errors.ts';
import { openStream, type StreamCalls } from './etcd-stubs.ts';

const UNAVAILABLE = 14;
const UNKNOWN = 2;

/** Metadata by which a watch ends when the member has no leader, instead of being silent for ever. */
export function withLeader(metadata: Metadata): Metadata {
  const result = metadata.clone();
  result.set('hasleader', 'true');
  return result;
}

/**
 * Watches one key from `fromRevision` on. `onEnd` is called once, when the watch ends for any reason other than the
 * returned function, which stops it.
 */
export function watchKey(
  link: EtcdLink,
  key: string,
  fromRevision: bigint,
  metadata: Metadata,
  handlers: Pick<WatchHandlers, 'onDelete' | 'onPut'> & { readonly onEnd: (failure: CallFailure) => void },
): () => void {
  const connection = link.current();
  const release = connection.hold();
  let isOver = false;
  const end = (code: number, details: string): void => {
    if (isOver) return;
    isOver = true;
    release();
    handlers.onEnd(new CallFailure({ code, details }, connection.closedBecause));
  };

  let stream: ReturnType<typeof openStream<'watch'>>;
  try {
    stream = openStream(connection.host, 'watch', withLeader(metadata));
  } catch (error) {
    // The channel was closed in the same moment.
    queueMicrotask(() => {
      end(UNAVAILABLE, errorText(error));
    });
    return () => {
      isOver = true;
      release();
    };
  }

  stream.on('data', (response: StreamCalls['watch']['response']) => {
    for (const { type } of response.events) {
      if (isOver) return; // stopped by what it told, or before
      if (type === 'Delete') handlers.onDelete();
      else handlers.onPut();
    }
    if (isOver || !response.canceled) return;
    const compactedAt = response.compact_revision;
    stream.cancel();
    if (compactedAt !== '0') end(UNKNOWN, `compacted at ${compactedAt}`);
    else end(UNKNOWN, response.cancel_reason === '' ? 'cancelled by the member' : response.cancel_reason);
  });
  // Also after the end: an 'error' without a handler would end the process.
  stream.on('error', ({ code, details }: Error & { code?: number; details?: string }) => {
    end(code ?? UNKNOWN, details ?? 'the watch failed');
  });
  stream.on('end', () => {
    end(UNAVAILABLE, 'the member ended the watch');
  });
  stream.write({ create_request: { key: Buffer.from(key), start_revision: fromRevision.toString() } });

  return () => {
    if (isOver) return;
    isOver = true;
    stream.cancel();
    release();
  };
}
