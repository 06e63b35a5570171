import type { Channel } from '@grpc/grpc-js';
import type { ILeaseKeepAliveResponse } from 'etcd3/lib/rpc.js';
import { type CallMetadata, openStream, type Started, type Stream } from './methods.ts';

/** The member ended the stream without an error and without an answer. */
export class StreamEnded extends Error {
  override readonly name = 'StreamEnded';
}

const keepalives = new WeakMap<Channel, Keepalives>();

/** Renews a lease once. A cancel ends the stream of the request. */
export function startKeepAlive(
  channel: Channel,
  leaseId: string,
  metadata: CallMetadata,
): Started<ILeaseKeepAliveResponse> {
  const known = keepalives.get(channel);
  const streams = known ?? new Keepalives(channel);
  if (known === undefined) keepalives.set(channel, streams);
  return streams.ask(leaseId, metadata);
}

/** A request that waits for its answer. */
interface Request {
  readonly leaseId: string;
  readonly resolve: (answer: ILeaseKeepAliveResponse) => void;
  readonly reject: (error: Error) => void;
}

/**
 * `LeaseKeepAlive` on one connection. The stream is kept for the next request, because opening a stream costs more than
 * using it. It has one request at a time, and it is kept only when the request got its answer and nothing else arrived.
 * So an answer always belongs to the request that waits, and never to an earlier one.
 */
class Keepalives {
  readonly #channel: Channel;
  #kept: KeptStream | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  ask(leaseId: string, metadata: CallMetadata): Started<ILeaseKeepAliveResponse> {
    let stream = this.#kept;
    this.#kept = undefined;
    // The member reads the metadata of a stream only when the stream is opened.
    if (stream?.isUsable !== true || !stream.isFor(metadata)) {
      stream?.cancel();
      stream = new KeptStream(this.#channel, metadata);
    }
    const used = stream;
    const keep = (answer: ILeaseKeepAliveResponse): ILeaseKeepAliveResponse => {
      if (this.#kept === undefined && used.isUsable) this.#kept = used;
      else used.cancel();
      return answer;
    };
    return { answer: used.ask(leaseId).then(keep), cancel: used.cancel };
  }
}

class KeptStream {
  readonly #metadata: CallMetadata;
  readonly #opening: Started<Stream<'leaseKeepAlive'>>;
  #request: Request | undefined;
  #isUsable = true;

  constructor(channel: Channel, metadata: CallMetadata) {
    this.#metadata = metadata;
    this.#opening = openStream(channel, 'leaseKeepAlive', metadata);
    this.#opening.answer.then(
      (stream) => {
        stream.on('data', (answer) => {
          this.#take(answer);
        });
        stream.on('error', (error) => {
          this.#end(error);
        });
        stream.on('end', () => {
          this.#end(new StreamEnded('the call ended without an answer'));
        });
      },
      (error: unknown) => {
        this.#end(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  /** False once the stream has ended, or an answer came without a request. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  isFor(metadata: CallMetadata): boolean {
    const names = Object.keys(metadata);
    return (
      names.length === Object.keys(this.#metadata).length &&
      names.every((name) => metadata[name] === this.#metadata[name])
    );
  }

  ask(leaseId: string): Promise<ILeaseKeepAliveResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ILeaseKeepAliveResponse>();
    this.#request = { leaseId, resolve, reject };
    this.#opening.answer.then(
      (stream) => {
        if (this.#isUsable) stream.write({ ID: leaseId });
      },
      () => undefined, // told by `#end`
    );
    return promise;
  }

  readonly cancel = (): void => {
    this.#end(new StreamEnded('given up'));
    this.#opening.answer.then(
      (stream) => {
        stream.cancel();
      },
      () => undefined,
    );
  };

  #take(answer: ILeaseKeepAliveResponse): void {
    const request = this.#request;
    this.#request = undefined;
    if (request === undefined || answer.ID !== request.leaseId) this.cancel();
    request?.resolve(answer);
  }

  #end(error: Error): void {
    this.#isUsable = false;
    this.#request?.reject(error);
    this.#request = undefined;
  }
}
