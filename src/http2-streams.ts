import { NO_TABLE } from './hpack.ts';
import {
  CODE,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FLAG,
  frame,
  LARGEST_WINDOW_BYTES,
  TYPE,
  uint32,
} from './http2-frames.ts';
import type { Output } from './http2-output.ts';
import { checkWindow, Http2Fault } from './http2-rules.ts';
import { Http2Stream, type StreamEvents, type StreamKeeper } from './http2-stream.ts';

// Of our own data no more than this waits for the network at a time; the rest stays in the queues of its streams.
const MOST_UNSENT_BYTES = 262_144;

/** The streams of one connection, and what is sent on them within the limits that the other side has set. */
export class Http2Streams implements StreamKeeper {
  readonly #output: Output;
  readonly #windowBytes: number;
  readonly #onUsedUp: () => void;
  /** By their numbers, lowest first; a `Map` would keep the dead ones, for the reason that `Alarms` gives. */
  readonly #open: Http2Stream[] = [];
  /** Streams that wait for others to end, because there is a limit. */
  readonly #waiting: { readonly stream: Http2Stream; readonly block: Buffer }[] = [];
  #nextId = 1;
  #mostOpen = Infinity;
  #frameBytes = DEFAULT_FRAME_BYTES;
  /** Of each new stream, and what is left of the connection's own. */
  #streamWindow = DEFAULT_WINDOW_BYTES;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  /** A stream waits for what is unsent, and not for the other side. */
  #isHeldBack = false;

  /**
   * @param windowBytes what the other side may send on each
   * @param onUsedUp called when there are no numbers left for further streams
   */
  constructor(output: Output, windowBytes: number, onUsedUp: () => void) {
    this.#output = output;
    this.#windowBytes = windowBytes;
    this.#onUsedUp = onUsedUp;
  }

  get count(): number {
    return this.#open.length + this.#waiting.length;
  }

  get(streamId: number): Http2Stream | undefined {
    return this.#open.find((stream) => stream.id === streamId);
  }

  /** Whether the stream is or was one of ours. */
  wasOpened(streamId: number): boolean {
    return streamId % 2 === 1 && streamId < this.#nextId;
  }

  open(block: Buffer, events: StreamEvents): Http2Stream {
    const stream = new Http2Stream(this, this.#windowBytes, events);
    if (this.#open.length >= this.#mostOpen) this.#waiting.push({ stream, block });
    else this.#start(stream, block);
    return stream;
  }

  /** Sends of the stream's queue what both windows have room for. */
  pump(stream: Http2Stream): void {
    if (stream.id === 0 || stream.isOver || stream.isSent) return;
    const { queue } = stream;
    for (;;) {
      const [first] = queue;
      if (first === undefined) break;
      const unsentRoom = MOST_UNSENT_BYTES - this.#output.unsentBytes;
      if (unsentRoom <= 0) {
        this.#isHeldBack = true;
        return;
      }
      const room = Math.min(stream.sendWindow, this.#sendWindow, this.#frameBytes, unsentRoom);
      if (room <= 0) return;
      const bytes = first.length <= room ? first : first.subarray(0, room);
      if (bytes === first) queue.shift();
      else queue[0] = first.subarray(room);
      stream.sendWindow -= bytes.length;
      this.#sendWindow -= bytes.length;
      stream.isSent = stream.isQueueComplete && queue.length === 0;
      this.#output.write(frame(TYPE.data, stream.isSent ? FLAG.endStream : 0, stream.id, bytes));
    }
    if (!stream.isQueueComplete || stream.isSent) return;
    stream.isSent = true;
    this.#output.write(frame(TYPE.data, FLAG.endStream, stream.id));
  }

  pumpAll(): void {
    for (const stream of this.#open) this.pump(stream);
  }

  /** Something has left for the network. */
  goOn(): void {
    if (!this.#isHeldBack) return;
    this.#isHeldBack = false;
    this.pumpAll();
  }

  /** Forgets a stream that we give up, and tells the other side. */
  end(stream: Http2Stream, code: number): void {
    if (stream.isOver) return;
    stream.isOver = true;
    if (stream.id === 0) {
      const at = this.#waiting.findIndex((waiting) => waiting.stream === stream);
      if (at >= 0) this.#waiting.splice(at, 1);
      return;
    }
    this.#output.write(frame(TYPE.rstStream, 0, stream.id, uint32(code)));
    this.#forget(stream);
  }

  /** The other side has said all; if we have not, there is nobody to listen any more. */
  finish(stream: Http2Stream): void {
    stream.isOver = true;
    if (!stream.isSent) this.#output.write(frame(TYPE.rstStream, 0, stream.id, uint32(CODE.noError)));
    this.#forget(stream);
  }

  /** The other side has ended the stream. */
  reset(streamId: number, code: number): void {
    const stream = this.get(streamId);
    if (stream === undefined) return;
    stream.isOver = true;
    this.#forget(stream);
    stream.events.onReset(code);
  }

  /** We end the stream, because of what came on it. */
  breakOff(stream: Http2Stream, code: number): void {
    this.end(stream, code);
    stream.events.onReset(code);
  }

  setMostOpen(count: number): void {
    this.#mostOpen = count;
  }

  setFrameBytes(bytes: number): void {
    this.#frameBytes = bytes;
  }

  /** Of all streams; what is sent already counts. Throws `Http2Fault` when one has too much then. */
  setStreamWindow(bytes: number): void {
    for (const stream of this.#open) {
      stream.sendWindow += bytes - this.#streamWindow;
      checkWindow(stream.sendWindow);
    }
    this.#streamWindow = bytes;
  }

  /** Uses what new limits allow. */
  useLimits(): void {
    this.pumpAll();
    this.#startWaiting();
  }

  /** The other side has room for more on the connection. Throws `Http2Fault`. */
  widen(bytes: number): void {
    if (bytes === 0) throw new Http2Fault(CODE.protocolError, 'WINDOW_UPDATE of nothing');
    this.#sendWindow += bytes;
    checkWindow(this.#sendWindow);
    this.pumpAll();
  }

  /** The other side has room for more on one stream. */
  widenStream(stream: Http2Stream, bytes: number): void {
    stream.sendWindow += bytes;
    if (bytes === 0) this.breakOff(stream, CODE.protocolError);
    else if (stream.sendWindow > LARGEST_WINDOW_BYTES) this.breakOff(stream, CODE.flowControlError);
    else this.pump(stream);
  }

  /** What waits will never begin. */
  refuseWaiting(): void {
    for (const { stream } of this.#waiting.splice(0)) {
      stream.isOver = true;
      stream.events.onReset(CODE.refusedStream);
    }
  }

  /** The other side has not looked at streams above this number, and never will. */
  refuseAbove(last: number): void {
    for (const { id } of [...this.#open]) if (id > last) this.reset(id, CODE.refusedStream);
  }

  /** The connection is gone. */
  loseAll(): void {
    const streams = [...this.#open.splice(0), ...this.#waiting.splice(0).map(({ stream }) => stream)];
    for (const stream of streams) {
      stream.isOver = true;
      stream.events.onLost();
    }
  }

  #start(stream: Http2Stream, fieldBlock: Buffer): void {
    const block = this.#nextId === 1 ? Buffer.concat([NO_TABLE, fieldBlock]) : fieldBlock;
    stream.id = this.#nextId;
    this.#nextId += 2;
    stream.sendWindow = this.#streamWindow;
    this.#open.push(stream);
    const size = this.#frameBytes;
    for (let at = 0; at === 0 || at < block.length; at += size) {
      const flags = at + size >= block.length ? FLAG.endHeaders : 0;
      const type = at === 0 ? TYPE.headers : TYPE.continuation;
      this.#output.write(frame(type, flags, stream.id, block.subarray(at, at + size)));
    }
    this.pump(stream);
    // The numbers of a connection are used up: it has served for longer than any other.
    if (this.#nextId >= LARGEST_WINDOW_BYTES) this.#onUsedUp();
  }

  #forget(stream: Http2Stream): void {
    stream.queue.length = 0;
    const index = this.#open.indexOf(stream);
    if (index >= 0) this.#open.splice(index, 1);
    this.#startWaiting();
  }

  #startWaiting(): void {
    while (this.#open.length < this.#mostOpen) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#start(next.stream, next.block);
    }
  }
}
