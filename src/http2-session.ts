import type { Socket } from 'node:net';
import { HpackDecoder, HpackError, LARGEST_HEADERS_BYTES } from './hpack.ts';
import {
  CODE,
  DEFAULT_WINDOW_BYTES,
  FLAG,
  type Frame,
  frame,
  FrameReader,
  PREFACE,
  SETTING,
  settingsPayload,
  TYPE,
  uint32,
} from './http2-frames.ts';
import { HeaderBlock } from './http2-header-block.ts';
import { Output, type OutputLimits } from './http2-output.ts';
import { checkFrame, contentOf, Http2Fault, settingsOf } from './http2-rules.ts';
import type { Http2Stream, StreamEvents } from './http2-stream.ts';
import { Http2Streams } from './http2-streams.ts';
import { ReceiveWindow } from './http2-window.ts';
import { readUint32 } from './network-order.ts';

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

export interface SessionOptions extends OutputLimits {
  /** What the other side may send on one stream, and on the connection, before we have taken it in. 65,535 to 2^31 - 1. */
  readonly windowBytes: number;
}

const WITHOUT_RESERVED_BIT = 0x7fff_ffff;

/**
 * The client's side of one HTTP/2 connection (RFC 9113), without what gRPC has no use for: pushes and priorities. It speaks
 * first when it is made; what the other side says is for whoever made it to bring.
 */
export class Http2Session {
  readonly #socket: Socket;
  readonly #events: SessionEvents;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  readonly #output: Output;
  readonly #streams: Http2Streams;
  readonly #received: ReceiveWindow;
  /** A header block whose end has not come. */
  #block: HeaderBlock | undefined;
  #isReady = false;
  #isLeaving = false;
  #isClosed = false;
  #readBytes = 0;

  constructor(socket: Socket, options: SessionOptions, events: SessionEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#received = new ReceiveWindow(options.windowBytes);
    this.#output = new Output(socket, options, {
      onSent: () => {
        if (!this.#isClosed) this.#streams.goOn();
      },
      onBacklog: () => {
        this.#fail(CODE.enhanceYourCalm, 'it asks for more than it reads');
      },
    });
    this.#streams = new Http2Streams(this.#output, options.windowBytes, () => {
      this.#leave();
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
    this.#output.write([PREFACE]);
    this.#output.write(frame(TYPE.settings, 0, 0, settings));
    const more = options.windowBytes - DEFAULT_WINDOW_BYTES;
    if (more > 0) this.#output.write(frame(TYPE.windowUpdate, 0, 0, uint32(more)));
  }

  /** Bytes that have come so far: as long as they grow, the connection lives. */
  get readBytes(): number {
    return this.#readBytes;
  }

  get hasStreams(): boolean {
    return this.#streams.count > 0;
  }

  /** Opens a stream with a block of headers; undefined once none can be opened any more. */
  open(block: Buffer, events: StreamEvents): Http2Stream | undefined {
    if (this.#isLeaving || this.#isClosed) return undefined;
    return this.#streams.open(block, events);
  }

  /** Asks for a sign of life, which shows in `readBytes`. */
  ping(): void {
    this.#output.write(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
  }

  /** Ends the connection with all streams on it; no event of the session comes after this, `onLost` to each stream. */
  destroy(): void {
    this.#end();
    this.#socket.destroy();
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
        this.#streams.reset(streamId, readUint32(payload, 0));
        break;
      case TYPE.settings:
        if ((flags & FLAG.ack) === 0) this.#readSettings(next);
        break;
      case TYPE.ping:
        if ((flags & FLAG.ack) === 0)
          this.#output.writeBehind(frame(TYPE.ping, FLAG.ack, 0, Buffer.from(payload)));
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
    if (!this.#streams.wasOpened(streamId))
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
      this.#streams.breakOff(stream, CODE.flowControlError);
      return;
    }
    if (!stream.hasHeaders) {
      this.#streams.breakOff(stream, CODE.protocolError);
      return;
    }
    const isLast = (flags & FLAG.endStream) !== 0;
    if (isLast) this.#streams.finish(stream);
    else this.#giveBack(stream.received, streamId);
    stream.events.onData(bytes, isLast);
  }

  #giveBack(window: ReceiveWindow, streamId: number): void {
    const bytes = window.giveBack();
    if (bytes > 0) this.#output.write(frame(TYPE.windowUpdate, 0, streamId, uint32(bytes)));
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
    const isInformational = fields.some((field) => field[0] === ':status' && field[1].startsWith('1'));
    if (isInformational && !stream.hasHeaders && !isLast) return;
    if (stream.hasHeaders && !isLast) {
      this.#streams.breakOff(stream, CODE.protocolError);
      return;
    }
    stream.hasHeaders = true;
    if (isLast) this.#streams.finish(stream);
    stream.events.onHeaders(fields, isLast);
  }

  #readSettings(next: Frame): void {
    for (const [id, value] of settingsOf(next)) {
      if (id === SETTING.maxConcurrentStreams) this.#streams.setMostOpen(value);
      else if (id === SETTING.maxFrameSize) this.#streams.setFrameBytes(value);
      else if (id === SETTING.initialWindowSize) this.#streams.setStreamWindow(value);
      // The others are of no consequence here: we use no table of theirs, and send few headers.
    }
    this.#output.write(frame(TYPE.settings, FLAG.ack, 0));
    this.#streams.useLimits();
    if (this.#isReady) return;
    this.#isReady = true;
    this.#events.onReady();
  }

  #readGoAway({ payload }: Frame): void {
    const last = readUint32(payload, 0) & WITHOUT_RESERVED_BIT;
    this.#leave();
    this.#streams.refuseAbove(last);
  }

  #leave(): void {
    if (this.#isLeaving || this.#isClosed) return;
    this.#isLeaving = true;
    this.#streams.refuseWaiting();
    this.#events.onGoAway();
  }

  #readWindowUpdate({ streamId, payload }: Frame): void {
    const more = readUint32(payload, 0) & WITHOUT_RESERVED_BIT;
    if (streamId === 0) {
      this.#streams.widen(more);
      return;
    }
    this.#mustBeOpened(streamId);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.#streams.widenStream(stream, more);
  }

  /** Ends the connection because of what the other side did. */
  #fail(code: number, text: string): void {
    if (this.#isClosed) return;
    this.#output.write(frame(TYPE.goAway, 0, 0, Buffer.concat([uint32(0), uint32(code)])));
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
    this.#output.close();
    this.#streams.loseAll();
  }
}
