import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { hpackBlock, hpackText, type HeaderField } from '../../src/hpack.ts';
import { FLAG, frame, PREFACE, settingsPayload, TYPE, uint32, type Frame } from '../../src/http2-frames.ts';
import { Http2Session, type SessionEnd, type SessionOptions } from '../../src/http2-session.ts';
import type { Http2Stream, StreamEvents } from '../../src/http2-stream.ts';
import { within } from './wait.ts';

/** A session on `socket`, as the dialler makes it. */
export function sessionOn(
  ...[socket, options, events]: ConstructorParameters<typeof Http2Session>
): Http2Session {
  const session = new Http2Session(socket, options, events);
  socket.on('data', (bytes) => {
    session.take(bytes);
  });
  return session;
}

export const OK_HEADERS: readonly HeaderField[] = [[':status', '200']];

/** What a client of gRPC asks with. */
export const REQUEST: readonly HeaderField[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/a.B/C'],
  [':authority', 'localhost'],
];

/** A header block that leaves the table alone. */
export function block(fields: readonly HeaderField[]): Buffer {
  return hpackBlock(hpackText(fields, () => false));
}

export const REQUEST_BLOCK = block(REQUEST);

// What a server says, each frame as bytes.
export const says = {
  frame: (type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer =>
    Buffer.concat(frame(type, flags, streamId, payload)),
  settings: (...settings: readonly (readonly [id: number, value: number])[]): Buffer =>
    says.frame(TYPE.settings, 0, 0, settingsPayload(settings)),
  headers: (streamId: number, fields: readonly HeaderField[], isLast = false): Buffer =>
    says.frame(TYPE.headers, FLAG.endHeaders | (isLast ? FLAG.endStream : 0), streamId, block(fields)),
  data: (streamId: number, bytes: Buffer | string, isLast = false): Buffer =>
    says.frame(TYPE.data, isLast ? FLAG.endStream : 0, streamId, Buffer.from(bytes)),
  reset: (streamId: number, code: number): Buffer => says.frame(TYPE.rstStream, 0, streamId, uint32(code)),
  ping: (text: string): Buffer => says.frame(TYPE.ping, 0, 0, Buffer.from(text)),
  goAway: (lastStreamId: number, code = 0): Buffer =>
    says.frame(TYPE.goAway, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(code)])),
  room: (streamId: number, bytes: number): Buffer =>
    says.frame(TYPE.windowUpdate, 0, streamId, uint32(bytes)),
};

/** A frame in words, such as `data 1: 5, last`. */
export function nameOf({ type, flags, streamId, payload }: Frame): string {
  switch (type) {
    case TYPE.data:
      return `data ${streamId}: ${payload.length}${(flags & FLAG.endStream) !== 0 ? ', last' : ''}`;
    case TYPE.headers:
      return `headers ${streamId}`;
    case TYPE.continuation:
      return `continuation ${streamId}`;
    case TYPE.rstStream:
      return `reset ${streamId}: ${payload.readUInt32BE(0)}`;
    case TYPE.settings:
      return (flags & FLAG.ack) !== 0 ? 'settings ack' : 'settings';
    case TYPE.ping:
      return `ping${(flags & FLAG.ack) !== 0 ? ' ack' : ''}`;
    case TYPE.goAway:
      return `goAway ${payload.readUInt32BE(4)}`;
    case TYPE.windowUpdate:
      return `room ${streamId}: ${payload.readUInt32BE(0)}`;
    default:
      return `type ${type}`;
  }
}

/** What one stream was told, in words. */
export class StreamRecord implements StreamEvents {
  readonly said: string[] = [];
  readonly data: Buffer[] = [];
  readonly fields: (readonly HeaderField[])[] = [];

  readonly onHeaders = (fields: readonly HeaderField[], isLast: boolean): void => {
    this.fields.push(fields);
    const text = fields.map(([name, value]) => `${name}=${value}`).join(' ');
    this.said.push(`headers${isLast ? ', last' : ''}: ${text}`);
  };
  readonly onData = (bytes: Buffer, isLast: boolean): void => {
    this.data.push(Buffer.from(bytes));
    this.said.push(`data${isLast ? ', last' : ''}: ${bytes.length}`);
  };
  readonly onReset = (code: number): void => {
    this.said.push(`reset: ${code}`);
  };
  readonly onLost = (): void => {
    this.said.push('lost');
  };
}

/**
 * The other side of one HTTP/2 connection, on a socket of its own. It does what the test says and knows no rule; frames of
 * the client are cut by other code than ours.
 */
export class Http2Peer {
  /** What the client has sent and nobody has looked at. */
  readonly #frames: Frame[] = [];
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #hasPreface = false;
  #wake: () => void = () => undefined;
  #pings = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay();
    socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#cut();
      this.#wake();
    });
    socket.on('error', () => undefined); // the client resets what it gives up
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        this.#wake();
      });
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(...parts: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(parts));
  }

  /** The client's next frame; undefined once the connection has ended without one. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const found = this.#frames.shift();
      if (found !== undefined) return found;
      if (this.#socket.closed || this.#socket.readableEnded) return undefined;
      await within(
        'a frame of the client',
        20_000,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
  }

  /** The names of the client's next frames, `count` of them. */
  async names(count: number): Promise<string[]> {
    const names: string[] = [];
    while (names.length < count) {
      const found = await this.next();
      if (found === undefined) break;
      names.push(nameOf(found));
    }
    return names;
  }

  /** All that the client sends up to the end of the connection. */
  async rest(): Promise<string[]> {
    return this.names(Infinity);
  }

  /**
   * Resolves once the client has read all that was sent so far and has sent all that it led to: it answers a ping after
   * that. With what it sent meanwhile; fails when the connection ends instead.
   */
  async settle(): Promise<Frame[]> {
    this.#pings += 1;
    const mark = `mark${String(this.#pings).padStart(4, '0')}`;
    this.send(says.ping(mark));
    const found: Frame[] = [];
    for (;;) {
      const next = await this.next();
      if (next === undefined) throw new Error(`The connection ended after ${found.map(nameOf).join('; ')}`);
      if (next.type === TYPE.ping && next.payload.toString('latin1') === mark) return found;
      found.push(next);
    }
  }

  /** `settle`, with the names of the frames. */
  async settledNames(): Promise<string[]> {
    return (await this.settle()).map(nameOf);
  }

  #cut(): void {
    if (!this.#hasPreface) {
      if (this.#bytes.length < PREFACE.length) return;
      if (!this.#bytes.subarray(0, PREFACE.length).equals(PREFACE)) throw new Error('No preface');
      this.#bytes = this.#bytes.subarray(PREFACE.length);
      this.#hasPreface = true;
    }
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) return;
      this.#frames.push({
        type: this.#bytes.readUInt8(3),
        flags: this.#bytes.readUInt8(4),
        streamId: this.#bytes.readUInt32BE(5),
        payload: this.#bytes.subarray(9, 9 + length),
      });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
  }
}

/** Calls that many milliseconds later, unless it is stopped before. */
export function after(ms: number): SessionOptions['afterPatience'] {
  return (call) => {
    const timer = setTimeout(call, ms);
    return () => {
      clearTimeout(timer);
    };
  };
}

export const SESSION_OPTIONS: SessionOptions = {
  windowBytes: 65_535,
  largestBacklogBytes: 1_000_000,
  afterPatience: after(0),
};

/** A session of ours and the peer that it talks to, over a TCP connection on the loopback. */
export class Http2Pair implements AsyncDisposable {
  readonly peer: Http2Peer;
  readonly session: Http2Session;
  /** What the session told: `ready`, `goAway`, `close`. */
  readonly said: string[];
  readonly #end = Promise.withResolvers<SessionEnd>();
  readonly #server: Server;
  readonly #sockets: readonly Socket[];

  private constructor(server: Server, ours: Socket, theirs: Socket, options: SessionOptions) {
    this.#server = server;
    this.#sockets = [ours, theirs];
    this.peer = new Http2Peer(theirs);
    this.said = [];
    this.session = sessionOn(ours, options, {
      onReady: () => {
        this.said.push('ready');
      },
      onGoAway: () => {
        this.said.push('goAway');
      },
      onClose: (end) => {
        this.said.push('close');
        this.#end.resolve(end);
      },
    });
  }

  /** Connected; the peer has said nothing yet. */
  static async connect(options: Partial<SessionOptions> = {}): Promise<Http2Pair> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const ours = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [[theirs]] = await Promise.all([accepted, once(ours, 'connect')]);
    return new Http2Pair(server, ours, theirs, { ...SESSION_OPTIONS, ...options });
  }

  /** Connected, SETTINGS exchanged, and what the client said on that taken away. */
  static async ready(
    settings: readonly (readonly [id: number, value: number])[] = [],
    options: Partial<SessionOptions> = {},
  ): Promise<Http2Pair> {
    const pair = await Http2Pair.connect(options);
    pair.peer.send(says.settings(...settings));
    await pair.peer.settle();
    return pair;
  }

  /** How the session ended; not when we end it ourselves. */
  get end(): Promise<SessionEnd> {
    return within('the end of the session', 20_000, this.#end.promise);
  }

  /** A stream with its request's headers. */
  open(fields: readonly HeaderField[] = REQUEST): { stream: Http2Stream; record: StreamRecord } {
    const record = new StreamRecord();
    const stream = this.session.open(block(fields), record);
    if (stream === undefined) throw new Error('No stream can be opened');
    return { stream, record };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

/** A socket without a network: the test says what arrives, and keeps what is sent. */
export class PaperSocket extends Duplex {
  readonly sent: Buffer[] = [];

  setNoDelay(): this {
    return this;
  }

  /** Bytes arrive, now. */
  arrive(bytes: Buffer): void {
    this.emit('data', bytes);
  }

  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  override _read(): void {
    // Nothing comes but by `arrive`.
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.sent.push(bytes);
    done();
  }
}
