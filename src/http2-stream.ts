import type { HeaderField } from './hpack.ts';
import { CODE } from './http2-frames.ts';
import { ReceiveWindow } from './http2-window.ts';

/** What one stream is told. `onReset` or `onLost` or something with `isLast` comes once, and nothing after it. */
export interface StreamEvents {
  readonly onHeaders: (fields: readonly HeaderField[], isLast: boolean) => void;
  readonly onData: (bytes: Buffer, isLast: boolean) => void;
  /** The stream was ended by the other side, or by a rule that it broke; a code of HTTP/2 says why. */
  readonly onReset: (code: number) => void;
  /** The connection is gone. */
  readonly onLost: () => void;
}

/** What a stream asks of its connection. */
export interface StreamKeeper {
  /** Sends of the stream's queue what there is room for. */
  pump(stream: Http2Stream): void;
  /** Forgets the stream, and tells the other side. */
  end(stream: Http2Stream, code: number): void;
}

/** One stream, for the one who opened it. */
export class Http2Stream {
  readonly events: StreamEvents;
  /** 0 until it is its turn, see `maxConcurrentStreams`. */
  id = 0;
  /** What the other side has room for. */
  sendWindow = 0;
  readonly received: ReceiveWindow;
  readonly queue: Buffer[] = [];
  /** Nothing comes behind what is in the queue. */
  isQueueComplete = false;
  isSent = false;
  isOver = false;
  hasHeaders = false;
  readonly #keeper: StreamKeeper;

  constructor(keeper: StreamKeeper, windowBytes: number, events: StreamEvents) {
    this.#keeper = keeper;
    this.received = new ReceiveWindow(windowBytes);
    this.events = events;
  }

  /** Queues bytes; they go out as fast as the other side lets them, several calls of one moment together. */
  send(bytes: Buffer, isLast: boolean): void {
    if (this.isOver || this.isQueueComplete) return;
    if (bytes.length > 0) this.queue.push(bytes);
    if (isLast) this.isQueueComplete = true;
    this.#keeper.pump(this);
  }

  /** Gives the stream up; no event comes after this. */
  cancel(): void {
    this.#keeper.end(this, CODE.cancel);
  }
}
