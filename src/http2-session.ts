import type { Socket } from 'node:net';
import {
  type HeaderField,
  HpackDecoder,
  HpackError,
  hpackEncode,
  LARGEST_HEADERS_BYTES,
  NO_TABLE,
} from './hpack.ts';
import {
  CODE,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FLAG,
  type Frame,
  frame,
  FrameReader,
  LARGEST_WINDOW_BYTES,
  PREFACE,
  SETTING,
  settingsPayload,
  TYPE,
  uint32,
} from './http2-frames.ts';
import { HeaderBlock } from './http2-header-block.ts';
import { Output } from './http2-output.ts';
import { checkFrame, checkWindow, contentOf, Http2Fault, settingsOf } from './http2-rules.ts';
import { Http2Stream, type StreamEvents, type StreamKeeper } from './http2-stream.ts';
import { ReceiveWindow } from './http2-window.ts';

/** Why a connection has ended. */
export interface SessionEnd {
  /** `protocol`: it broke the rules of HTTP/2. `hungUp`: it closed without a word of an error. */
  readonly kind: 'protocol' | 'hungUp' | 'failed';
  readonly text: string;
}

export interface SessionEvents {
  /** The other side has said that it speaks HTTP/2. */
  readonly onReady: () => void;
  /** It takes no more streams; those under way may still be answered. */
  readonly onGoAway: () => void;
  /** Comes once; nothing after it. */
  readonly onClose: (end: SessionEnd) => void;
}

export interface SessionOptions {
  /** What the other side may send on one stream, and on the connection, before we have taken it in. 65,535 to 2^31 - 1. */
  readonly windowBytes: number;
  /** Bytes that may wait to be sent. Whoever lets more pile up, by asking and not reading, loses the connection. */
  readonly largestBacklogBytes: number;
  /** Names of header fields that no one on the way may keep. */
  readonly isSecret: (name: string) => boolean;
}

const WITHOUT_RESERVED_BIT = 0x7fff_ffff;

// Of our own data no more than this waits for the network at a time; the rest stays in the queues of its streams.
const MOST_UNSENT_BYTES = 262_144;

/**
 * The client's side of one HTTP/2 connection (RFC 9113), without what gRPC has no use for: pushes and priorities. It speaks
 * first when it is made; what the other side says is for whoever made it to bring.
 */
export class Http2Session implements StreamKeeper {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  readonly #streams = new Map<number, Http2Stream>();
  /** Streams that wait for others to end, because the other side has set a limit. */
  readonly #waiting: { readonly stream: Http2Stream; readonly block: Buffer }[] = [];
  readonly #output: Output;
  /** A stream waits for what is unsent, and not for the other side. */
  #isHeldBack = false;
  #nextId = 1;
  #sendWindow = DEFAULT_WINDOW_BYTES;
  #peerWindow = DEFAULT_WINDOW_BYTES;
  #peerFrameBytes = DEFAULT_FRAME_BYTES;
  #peerStreams = Infinity;
  readonly #received: ReceiveWindow;
  /** A header block whose end has not come. */
  #block: HeaderBlock | undefined;
  #isReady = false;
  #isLeaving = false;
  #isClosed = false;
  #readBytes = 0;

  constructor(socket: Socket, options: SessionOptions, events: SessionEvents) {
    this.#socket = socket;
    this.#options = options;
    this.#events = events;
    this.#received = new ReceiveWindow(options.windowBytes);
    this.#output = new Output(socket, options.largestBacklogBytes, {
      onSent: () => {
        this.#goOn();
      },
      onBacklog: () => {
        this.#fail(CODE.enhanceYourCalm, 'it asks for more than it reads');
      },
    });
    socket.on('error', (error) => {
      this.#close({ kind: 'failed', text: error.message });
    });
    const onEnd = (): void => {
      this.#close({ kind: 'hungUp', text: 'the other side closed the connection' });
    };
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    const settings = settingsPayload([
      [SETTING.enablePush, 0],
      [SETTING.initialWindowSize, options.windowBytes],
      [SETTING.maxHeaderListSize, LARGEST_HEADERS_BYTES],
    ]);
    this.#write([PREFACE]);
    this.#write(frame(TYPE.settings, 0, 0, settings));
    const more = options.windowBytes - DEFAULT_WINDOW_BYTES;
    if (more > 0) this.#write(frame(TYPE.windowUpdate, 0, 0, uint32(more)));
  }

  /** Bytes that have come so far: as long as they grow, the connection lives. */
  get readBytes(): number {
    return this.#readBytes;
  }

  get hasStreams(): boolean {
    return this.#streams.size + this.#waiting.length > 0;
  }

  /** Opens a stream; undefined once none can be opened any more. */
  open(fields: readonly HeaderField[], events: StreamEvents): Http2Stream | undefined {
    if (this.#isLeaving || this.#isClosed) return undefined;
    const stream = new Http2Stream(this, this.#options.windowBytes, events);
    const block = hpackEncode(fields, this.#options.isSecret);
    if (this.#streams.size >= this.#peerStreams) this.#waiting.push({ stream, block });
    else this.#start(stream, block);
    return stream;
  }

  /** Asks for a sign of life, which shows in `readBytes`. */
  ping(): void {
    this.#write(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
  }

  /** Ends the connection with all streams on it; no event of the session comes after this, `onLost` to each stream. */
  destroy(): void {
    this.#end();
    this.#socket.destroy();
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
      const room = Math.min(stream.sendWindow, this.#sendWindow, this.#peerFrameBytes, unsentRoom);
      if (room <= 0) return;
      const bytes = first.length <= room ? first : first.subarray(0, room);
      if (bytes === first) queue.shift();
      else queue[0] = first.subarray(room);
      stream.sendWindow -= bytes.length;
      this.#sendWindow -= bytes.length;
      stream.isSent = stream.isQueueComplete && queue.length === 0;
      this.#write(frame(TYPE.data, stream.isSent ? FLAG.endStream : 0, stream.id, bytes));
    }
    if (!stream.isQueueComplete || stream.isSent) return;
    stream.isSent = true;
    this.#write(frame(TYPE.data, FLAG.endStream, stream.id));
  }

  /** Forgets a stream, and tells the other side unless it has ended it too. */
  end(stream: Http2Stream, code: number): void {
    if (stream.isOver) return;
    stream.isOver = true;
    if (stream.id === 0) {
      const at = this.#waiting.findIndex((waiting) => waiting.stream === stream);
      if (at >= 0) this.#waiting.splice(at, 1);
      return;
    }
    this.#write(frame(TYPE.rstStream, 0, stream.id, uint32(code)));
    this.#forget(stream);
  }

  #start(stream: Http2Stream, fieldBlock: Buffer): void {
    const block = this.#nextId === 1 ? Buffer.concat([NO_TABLE, fieldBlock]) : fieldBlock;
    stream.id = this.#nextId;
    this.#nextId += 2;
    stream.sendWindow = this.#peerWindow;
    this.#streams.set(stream.id, stream);
    const size = this.#peerFrameBytes;
    for (let at = 0; at === 0 || at < block.length; at += size) {
      const flags = at + size >= block.length ? FLAG.endHeaders : 0;
      const type = at === 0 ? TYPE.headers : TYPE.continuation;
      this.#write(frame(type, flags, stream.id, block.subarray(at, at + size)));
    }
    this.pump(stream);
    // The numbers of a connection are used up: it has served for longer than any other.
    if (this.#nextId >= LARGEST_WINDOW_BYTES) this.#leave();
  }

  #forget(stream: Http2Stream): void {
    stream.queue.length = 0;
    this.#streams.delete(stream.id);
    this.#startWaiting();
  }

  #startWaiting(): void {
    while (this.#streams.size < this.#peerStreams) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#start(next.stream, next.block);
    }
  }

  #write(pieces: readonly Buffer[]): void {
    if (!this.#isClosed) this.#output.write(pieces);
  }

  /** Something has left for the network. */
  #goOn(): void {
    if (!this.#isHeldBack || this.#isClosed) return;
    this.#isHeldBack = false;
    for (const stream of this.#streams.values()) this.pump(stream);
  }

  /** Takes in what has arrived. The bytes are used up when this returns. */
  take(bytes: Buffer): void {
    if (this.#isClosed) return;
    this.#readBytes += bytes.length;
    this.#reader.add(bytes);
    try {
      while (this.#isOpen()) {
        const next = this.#reader.next();
        if (next === undefined) {
          this.#reader.keepRest();
          return;
        }
        if (next === 'tooLarge') throw new Http2Fault(CODE.frameSizeError, 'a frame is too large');
        this.#read(next);
      }
    } catch (error) {
      if (error instanceof Http2Fault) this.#fail(error.code, error.message);
      else if (error instanceof HpackError) this.#fail(CODE.compressionError, error.message);
      else throw error;
    }
  }

  #isOpen(): boolean {
    return !this.#isClosed;
  }

  /** Throws `Http2Fault`, or `HpackError`, as all that it calls. */
  #read(next: Frame): void {
    const { type, flags, streamId, payload } = next;
    if (!this.#isReady && (type !== TYPE.settings || (flags & FLAG.ack) !== 0))
      throw new Http2Fault(CODE.protocolError, 'it does not begin with SETTINGS');
    if (this.#block !== undefined && (type !== TYPE.continuation || streamId !== this.#block.streamId))
      throw new Http2Fault(CODE.protocolError, 'a header block has no end');
    checkFrame(next);
    switch (type) {
      case TYPE.data:
        this.#readData(next);
        break;
      case TYPE.headers:
        this.#mustBeOpened(streamId);
        this.#block = new HeaderBlock(streamId, (flags & FLAG.endStream) !== 0);
        this.#continueBlock(contentOf(next), flags);
        break;
      case TYPE.continuation:
        this.#continueBlock(payload, flags);
        break;
      case TYPE.rstStream:
        this.#mustBeOpened(streamId);
        this.#reset(streamId, payload.readUInt32BE(0));
        break;
      case TYPE.settings:
        if ((flags & FLAG.ack) === 0) this.#readSettings(next);
        break;
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0)
          this.#output.writeSoon(frame(TYPE.ping, FLAG.ack, 0, Buffer.from(payload)));
        break;
      case TYPE.goAway:
        this.#readGoAway(next);
        break;
      case TYPE.windowUpdate:
        this.#readWindowUpdate(next);
        break;
      default: // PRIORITY, and what later standards add
    }
  }

  /** The stream is or was one of ours. */
  #mustBeOpened(streamId: number): void {
    if (streamId % 2 !== 1 || streamId >= this.#nextId)
      throw new Http2Fault(CODE.protocolError, `nobody has opened stream ${streamId}`);
  }

  #readData(next: Frame): void {
    const { flags, streamId, payload } = next;
    this.#mustBeOpened(streamId);
    const bytes = contentOf(next);
    if (!this.#received.take(payload.length))
      throw new Http2Fault(CODE.flowControlError, 'it sends more than the connection has room for');
    this.#giveBack(this.#received, 0);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return; // was under way when we gave the stream up
    if (!stream.received.take(payload.length)) {
      this.#breakOff(stream, CODE.flowControlError);
      return;
    }
    if (!stream.hasHeaders) {
      this.#breakOff(stream, CODE.protocolError);
      return;
    }
    const isLast = (flags & FLAG.endStream) !== 0;
    if (isLast) this.#finish(stream);
    else this.#giveBack(stream.received, streamId);
    stream.events.onData(bytes, isLast);
  }

  #giveBack(window: ReceiveWindow, streamId: number): void {
    const bytes = window.giveBack();
    if (bytes > 0) this.#write(frame(TYPE.windowUpdate, 0, streamId, uint32(bytes)));
  }

  #continueBlock(piece: Buffer, flags: number): void {
    const block = this.#block;
    if (block === undefined) throw new Http2Fault(CODE.protocolError, 'a header block has no beginning');
    const whole = block.add(piece, (flags & FLAG.endHeaders) !== 0);
    if (whole === undefined) return;
    this.#block = undefined;
    // Also for a stream that is over: the block changes how later ones are read.
    const fields = this.#decoder.decode(whole);
    const stream = this.#streams.get(block.streamId);
    if (stream === undefined) return;
    const { isLast } = block;
    const isInformational = fields.some(([name, value]) => name === ':status' && value.startsWith('1'));
    if (isInformational && !stream.hasHeaders && !isLast) return;
    if (stream.hasHeaders && !isLast) {
      this.#breakOff(stream, CODE.protocolError);
      return;
    }
    stream.hasHeaders = true;
    if (isLast) this.#finish(stream);
    stream.events.onHeaders(fields, isLast);
  }

  /** The other side has said all; if we have not, there is nobody to listen any more. */
  #finish(stream: Http2Stream): void {
    stream.isOver = true;
    if (!stream.isSent) this.#write(frame(TYPE.rstStream, 0, stream.id, uint32(CODE.noError)));
    this.#forget(stream);
  }

  /** The other side has ended the stream. */
  #reset(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.isOver = true;
    this.#forget(stream);
    stream.events.onReset(code);
  }

  /** We end the stream, because of what came on it. */
  #breakOff(stream: Http2Stream, code: number): void {
    this.end(stream, code);
    stream.events.onReset(code);
  }

  #readSettings(next: Frame): void {
    for (const [id, value] of settingsOf(next)) {
      if (id === SETTING.maxConcurrentStreams) this.#peerStreams = value;
      else if (id === SETTING.maxFrameSize) this.#peerFrameBytes = value;
      else if (id === SETTING.initialWindowSize) {
        for (const stream of this.#streams.values()) {
          stream.sendWindow += value - this.#peerWindow;
          checkWindow(stream.sendWindow);
        }
        this.#peerWindow = value;
      } // The others are of no consequence here: we use no table of theirs, and send few headers.
    }
    this.#write(frame(TYPE.settings, FLAG.ack, 0));
    for (const stream of this.#streams.values()) this.pump(stream);
    this.#startWaiting();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#events.onReady();
  }

  #readGoAway({ payload }: Frame): void {
    const last = payload.readUInt32BE(0) & WITHOUT_RESERVED_BIT;
    this.#leave();
    // It has not looked at those, and never will.
    for (const { id } of [...this.#streams.values()]) if (id > last) this.#reset(id, CODE.refusedStream);
  }

  #leave(): void {
    if (this.#isLeaving || this.#isClosed) return;
    this.#isLeaving = true;
    for (const { stream } of this.#waiting.splice(0)) {
      stream.isOver = true;
      stream.events.onReset(CODE.refusedStream);
    }
    this.#events.onGoAway();
  }

  #readWindowUpdate({ streamId, payload }: Frame): void {
    const more = payload.readUInt32BE(0) & WITHOUT_RESERVED_BIT;
    if (streamId === 0) {
      if (more === 0) throw new Http2Fault(CODE.protocolError, 'WINDOW_UPDATE of nothing');
      this.#sendWindow += more;
      checkWindow(this.#sendWindow);
      for (const stream of this.#streams.values()) this.pump(stream);
      return;
    }
    this.#mustBeOpened(streamId);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    stream.sendWindow += more;
    if (more === 0) this.#breakOff(stream, CODE.protocolError);
    else if (stream.sendWindow > LARGEST_WINDOW_BYTES) this.#breakOff(stream, CODE.flowControlError);
    else this.pump(stream);
  }

  /** Ends the connection because of what the other side did. */
  #fail(code: number, text: string): void {
    if (this.#isClosed) return;
    this.#write(frame(TYPE.goAway, 0, 0, Buffer.concat([uint32(0), uint32(code)])));
    this.#output.finish();
    this.#close({ kind: 'protocol', text });
  }

  #close(end: SessionEnd): void {
    if (this.#isClosed) return;
    this.#end();
    this.#socket.destroy();
    this.#events.onClose(end);
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#output.drop();
    const streams = [...this.#streams.values(), ...this.#waiting.splice(0).map(({ stream }) => stream)];
    this.#streams.clear();
    for (const stream of streams) {
      stream.isOver = true;
      stream.events.onLost();
    }
  }
}
