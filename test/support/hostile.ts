import { once } from 'node:events';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { wrapped } from './grpc-stand-in.ts';

/** Numbers and bytes that a seed decides. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `below` - 1 (mulberry32). */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

type AnySocket = Socket | TLSSocket;

/** One way to be hostile: what is done with each connection, or with each call on it. */
export interface Hostility {
  readonly kind: string;
  /** True: the helper speaks TLS to it. */
  readonly secure?: boolean;
  /** True: behind a handshake that succeeds. */
  readonly afterHandshake?: boolean;
  readonly onSocket?: (socket: AnySocket, random: Random) => void;
  readonly onCall?: (stream: ServerHttp2Stream, random: Random, path: string) => void;
}

// 64 KiB each 4 ms are 16 MB/s, far more than a helper should ever take in, and no burden for the machine.
const PUMP_BYTES = 65_536;
const PUMP_EVERY_MS = 4;
// 8,000 bytes this often are 200 kB/s: for frames of a few bytes each of which is an event in the helper.
const SLOW_EVERY_MS = 40;

/** Writes for as long as the other side is there. */
function pump(
  target: { write(bytes: Buffer): boolean; once(event: 'close', listener: () => void): unknown },
  next: () => Buffer,
  everyMs = PUMP_EVERY_MS,
): void {
  let isFree = true;
  const timer = setInterval(() => {
    if (!isFree) return;
    isFree = target.write(next());
    if (!isFree && 'once' in target) {
      (target as unknown as Socket).once('drain', () => {
        isFree = true;
      });
    }
  }, everyMs);
  target.once('close', () => {
    clearInterval(timer);
  });
}

// src/connect/grpc-options.ts
const LARGEST_ANSWER_BYTES = 65_536;

const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  rst: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  more: 9,
  altSvc: 10,
  origin: 12,
  unknown: 0xbe,
} as const;
const END_HEADERS = 4;
const PADDED = 8;

/** One frame of HTTP/2 (RFC 9113, section 4.1); `length` only where it is to lie. */
function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer,
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const SETTINGS = frame(TYPE.settings, 0, 0, Buffer.alloc(0));
// `:status: 200` and `content-type: application/grpc`, in HPACK.
const HEADERS = Buffer.concat([Buffer.from([0x88, 0x0f, 0x10, 0x10]), Buffer.from('application/grpc')]);

/** Greets as HTTP/2 does, and calls `onFirstCall` when the first call has come. */
function afterGreeting(socket: AnySocket, onFirstCall: () => void): void {
  socket.write(SETTINGS);
  let isOn = false;
  let seen = 0;
  socket.on('data', (bytes: Buffer) => {
    seen += bytes.length;
    if (isOn || seen < 100) return; // preface and settings alone are shorter
    isOn = true;
    onFirstCall();
  });
}

/** Answers the first call with headers, then with the same frame again and again: 64 KiB of them each time. */
function flood(socket: AnySocket, next: Buffer, hasHeaders = true): void {
  const chunk = Buffer.concat(Array<Buffer>(Math.ceil(PUMP_BYTES / next.length)).fill(next));
  afterGreeting(socket, () => {
    if (hasHeaders) socket.write(frame(TYPE.headers, END_HEADERS, 1, HEADERS));
    pump(socket, () => chunk);
  });
}

/** A page in the place of an answer; its end may never come. */
function page(stream: ServerHttp2Stream, status: number, text: string, isWhole = true): void {
  stream.respond({ ':status': status, 'content-type': 'text/html; charset=utf-8' });
  if (isWhole) stream.end(text);
  else stream.write(text);
}

function respond(stream: ServerHttp2Stream, headers: Record<string, string> = {}): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', ...headers },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'grpc-status': '0' });
  });
}

// A header of cluster 1 at revision 1, so that an answer looks right at its beginning.
const GOOD_HEADER = Buffer.from('0a080801100118012001', 'hex');
let bomb: Buffer | undefined;

export const HOSTILITIES: readonly Hostility[] = [
  { kind: 'random bytes', onSocket: (socket, random) => socket.write(random.bytes(1 + random.below(5_000))) },
  {
    kind: 'random bytes, then the end',
    onSocket: (socket, random) => socket.end(random.bytes(1 + random.below(50))),
  },
  {
    kind: 'random bytes without end',
    onSocket: (socket, random) => {
      const chunk = random.bytes(PUMP_BYTES);
      pump(socket, () => chunk);
    },
  },
  {
    kind: 'a byte now and then',
    onSocket: (socket, random) => {
      pump(socket, () => random.bytes(1), 50);
    },
  },
  {
    kind: 'a good greeting a byte at a time',
    onSocket: (socket) => {
      let at = 0;
      pump(socket, () => Buffer.from([SETTINGS[at++ % SETTINGS.length] ?? 0]), 100);
    },
  },
  {
    kind: 'HTTP/1.1 whose headers never end',
    onSocket: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      pump(socket, () => Buffer.from('X-Header: value\r\n'.repeat(1_000)));
    },
  },
  {
    kind: 'frames that are cut off',
    onSocket: (socket, random) => {
      afterGreeting(socket, () => {
        const whole = frame(TYPE.headers, END_HEADERS, 1, HEADERS);
        socket.end(whole.subarray(0, 1 + random.below(whole.length - 1)));
      });
    },
  },
  {
    kind: 'frames of random types and contents',
    onSocket: (socket, random) => {
      afterGreeting(socket, () => {
        for (let count = 0; count < 50; count += 1) {
          const payload = random.bytes(random.below(100));
          socket.write(frame(random.below(12), random.below(256), random.below(4), payload));
        }
      });
    },
  },
  {
    kind: 'a frame of 16 MiB',
    onSocket: (socket, random) => {
      afterGreeting(socket, () => {
        socket.write(frame(TYPE.headers, END_HEADERS, 1, HEADERS));
        socket.write(frame(TYPE.data, 0, 1, Buffer.alloc(0), 2 ** 24 - 1));
        const chunk = random.bytes(PUMP_BYTES);
        pump(socket, () => chunk);
      });
    },
  },
  {
    kind: 'headers that go on without end',
    onSocket: (socket, random) => {
      afterGreeting(socket, () => {
        socket.write(frame(TYPE.headers, 0, 1, HEADERS));
        const header = Buffer.concat([
          Buffer.from([0, 3]),
          Buffer.from('abc'),
          Buffer.from([100]),
          random.bytes(100),
        ]);
        const block = Buffer.concat(Array<Buffer>(100).fill(header));
        pump(socket, () => frame(TYPE.more, 0, 1, block));
      });
    },
  },
  {
    kind: 'settings and pings without end',
    onSocket: (socket, random) => {
      socket.write(SETTINGS);
      pump(socket, () =>
        Buffer.concat(
          Array.from({ length: 200 }, () => [frame(TYPE.ping, 0, 0, random.bytes(8)), SETTINGS]).flat(),
        ),
      );
    },
  },
  {
    kind: 'DATA without content',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.data, 0, 1, Buffer.alloc(0)));
    },
  },
  {
    kind: 'DATA with padding alone',
    // Flag PADDED: 255 bytes of it, behind their number.
    onSocket: (socket) => {
      flood(socket, frame(TYPE.data, PADDED, 1, Buffer.concat([Buffer.from([255]), Buffer.alloc(255)])));
    },
  },
  {
    kind: 'a message of the largest size, a byte in each DATA',
    onSocket: (socket) => {
      const chunk = Buffer.concat(Array<Buffer>(800).fill(frame(TYPE.data, 0, 1, Buffer.alloc(1))));
      afterGreeting(socket, () => {
        socket.write(frame(TYPE.headers, END_HEADERS, 1, HEADERS));
        socket.write(frame(TYPE.data, 0, 1, wrapped('', 0, LARGEST_ANSWER_BYTES)));
        pump(socket, () => chunk, SLOW_EVERY_MS);
      });
    },
  },
  {
    kind: 'HEADERS for streams that nobody has opened',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.headers, END_HEADERS, 101, HEADERS));
    },
  },
  {
    kind: 'SETTINGS without end',
    onSocket: (socket) => {
      flood(socket, SETTINGS, false);
    },
  },
  {
    kind: 'PING without end',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.ping, 0, 0, Buffer.alloc(8)), false);
    },
  },
  {
    kind: 'PRIORITY without end',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.priority, 0, 1, Buffer.alloc(5)), false);
    },
  },
  {
    kind: 'resets without end',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.rst, 0, 1, Buffer.alloc(4)), false);
    },
  },
  {
    kind: 'frames of an unknown type without end',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.unknown, 0, 1, Buffer.alloc(8)));
    },
  },
  {
    kind: 'a byte of a message in each 64 KiB of frames of an unknown type',
    onSocket: (socket) => {
      const chunk = Buffer.concat([
        frame(TYPE.data, 0, 1, Buffer.alloc(1)),
        ...Array<Buffer>(4).fill(frame(TYPE.unknown, 0, 1, Buffer.alloc(16_350))),
      ]);
      afterGreeting(socket, () => {
        socket.write(frame(TYPE.headers, END_HEADERS, 1, HEADERS));
        socket.write(frame(TYPE.data, 0, 1, wrapped('', 0, LARGEST_ANSWER_BYTES)));
        pump(socket, () => chunk);
      });
    },
  },
  {
    kind: 'informational answers without end',
    onSocket: (socket) => {
      // `:status: 103` in HPACK.
      const early = frame(TYPE.headers, END_HEADERS, 1, Buffer.from('0803313033', 'hex'));
      const chunk = Buffer.concat(Array<Buffer>(570).fill(early));
      afterGreeting(socket, () => {
        pump(socket, () => chunk, SLOW_EVERY_MS);
      });
    },
  },
  {
    kind: 'windows that grow by a byte without end',
    onSocket: (socket) => {
      flood(socket, frame(TYPE.window, 0, 1, Buffer.from([0, 0, 0, 1])));
    },
  },
  {
    kind: 'alternative services without end',
    onSocket: (socket) => {
      const origin = Buffer.from('https://a.test');
      const length = Buffer.from([0, origin.length]);
      flood(socket, frame(TYPE.altSvc, 0, 0, Buffer.concat([length, origin, Buffer.from('h2=":1"')])));
    },
  },
  {
    kind: 'TLS: origins without end',
    secure: true,
    afterHandshake: true,
    onSocket: (socket) => {
      let count = 0;
      afterGreeting(socket, () => {
        pump(socket, () =>
          Buffer.concat(
            Array.from({ length: 1_000 }, () => {
              const origin = Buffer.from(`https://host-${(count += 1)}.example.com`);
              return frame(TYPE.origin, 0, 0, Buffer.concat([Buffer.from([0, origin.length]), origin]));
            }),
          ),
        );
      });
    },
  },
  {
    kind: 'a page of HTML with HTTP 200',
    onCall: (stream) => {
      page(stream, 200, '<html><h1>Welcome</h1></html>');
    },
  },
  {
    kind: 'HTTP 404 whose end never comes',
    onCall: (stream) => {
      page(stream, 404, 'Not found', false);
    },
  },
  {
    kind: 'HTTP 431',
    onCall: (stream) => {
      page(stream, 431, 'Request header fields too large');
    },
  },
  {
    kind: 'windows that overflow',
    onSocket: (socket) => {
      afterGreeting(socket, () => {
        for (const stream of [0, 1])
          socket.write(frame(TYPE.window, 0, stream, Buffer.from('7fffffff', 'hex')));
      });
    },
  },
  {
    kind: 'promises of pushes without end',
    onSocket: (socket) => {
      afterGreeting(socket, () => {
        let promised = 2;
        pump(socket, () => {
          const id = Buffer.alloc(4);
          id.writeUInt32BE(promised);
          promised += 2;
          return frame(TYPE.push, END_HEADERS, 1, Buffer.concat([id, HEADERS]));
        });
      });
    },
  },
  {
    kind: 'it sends everybody away',
    onSocket: (socket, random) => {
      afterGreeting(socket, () => {
        const last = Buffer.alloc(8);
        last.writeUInt32BE(random.below(3), 0);
        last.writeUInt32BE(random.below(14), 4);
        socket.end(frame(TYPE.goAway, 0, 0, Buffer.concat([last, random.bytes(random.below(1_000))])));
      });
    },
  },
  {
    kind: 'it sends everybody away because of too many pings',
    onSocket: (socket) => {
      afterGreeting(socket, () => {
        const calmDown = Buffer.from([0, 0, 0, 0, 0, 0, 0, 11]);
        socket.end(frame(TYPE.goAway, 0, 0, Buffer.concat([calmDown, Buffer.from('too_many_pings')])));
      });
    },
  },
  {
    kind: 'each call is reset',
    onCall: (stream, random) => {
      stream.close(random.below(14));
    },
  },
  {
    kind: 'messages that are no protobuf',
    onCall: (stream, random) => {
      respond(stream);
      stream.end(wrapped(random.bytes(1 + random.below(500))));
    },
  },
  {
    kind: 'messages that begin well',
    onCall: (stream, random) => {
      respond(stream);
      stream.end(wrapped(Buffer.concat([GOOD_HEADER, random.bytes(1 + random.below(500))])));
    },
  },
  {
    kind: 'a message of 4 GiB',
    onCall: (stream, random) => {
      respond(stream);
      stream.write(wrapped('', 0, 2 ** 32 - 1));
      const chunk = random.bytes(PUMP_BYTES);
      pump(stream, () => chunk);
    },
  },
  {
    kind: 'messages without end',
    onCall: (stream) => {
      respond(stream);
      const chunk = Buffer.concat(Array<Buffer>(1_000).fill(wrapped(GOOD_HEADER)));
      pump(stream, () => chunk);
    },
  },
  {
    kind: 'a message of the largest size, of keys without content',
    onCall: (stream) => {
      respond(stream);
      // Field 2 of a RangeResponse, a KeyValue of 0 bytes, again and again.
      const keys = Buffer.alloc(LARGEST_ANSWER_BYTES - GOOD_HEADER.length, Buffer.from('1200', 'hex'));
      stream.end(wrapped(Buffer.concat([GOOD_HEADER, keys])));
    },
  },
  {
    kind: 'messages that were never begun',
    onCall: (stream) => {
      respond(stream);
    },
  },
  {
    kind: 'a small message that unpacks to 256 MiB',
    onCall: (stream) => {
      respond(stream, { 'grpc-encoding': 'gzip' });
      bomb ??= gzipSync(Buffer.alloc(256 * 1024 * 1024));
      stream.end(wrapped(bomb, 1));
    },
  },
  {
    kind: 'an error of 60,000 characters',
    onCall: (stream, random) => {
      const text = Array.from(
        { length: 20_000 },
        () => `%${(random.below(256) | 256).toString(16).slice(1)}`,
      );
      stream.respond(
        {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': String(random.below(20)),
          'grpc-message': text.join(''),
        },
        { endStream: true },
      );
    },
  },
  {
    kind: 'TLS: random bytes',
    secure: true,
    onSocket: (socket, random) => socket.write(random.bytes(1 + random.below(5_000))),
  },
  {
    kind: 'TLS: records of a handshake with random contents',
    secure: true,
    onSocket: (socket, random) => {
      for (let count = 0; count < 5; count += 1) {
        const contents = random.bytes(1 + random.below(1_000));
        const head = Buffer.from([
          20 + random.below(4),
          3,
          random.below(5),
          contents.length >> 8,
          contents.length & 255,
        ]);
        socket.write(Buffer.concat([head, contents]));
      }
    },
  },
  {
    kind: 'TLS: silence after the first record',
    secure: true,
    onSocket: (socket) => socket.write(Buffer.from([22, 3, 3, 0x40, 0, 2, 0, 0x3f])),
  },
  {
    kind: 'TLS: random bytes without end behind a good handshake',
    secure: true,
    afterHandshake: true,
    onSocket: (socket, random) => {
      const chunk = random.bytes(PUMP_BYTES);
      pump(socket, () => chunk);
    },
  },
];

/** A server that does one of these to each connection. */
export class HostileEndpoint implements AsyncDisposable {
  readonly endpoint: string;
  /** How many connections came. */
  readonly met: () => number;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<AnySocket>;

  private constructor(server: Server, sockets: ReadonlySet<AnySocket>, met: () => number) {
    this.#server = server;
    this.#sockets = sockets;
    this.met = met;
    this.endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param tls the certificate of those that get as far as a handshake, in PEM */
  static async start(
    hostility: Hostility,
    seed: number,
    tls: { readonly cert: Buffer; readonly key: Buffer },
  ): Promise<HostileEndpoint> {
    const random = new Random(seed);
    const sockets = new Set<AnySocket>();
    let met = 0;
    const { onSocket, onCall, afterHandshake } = hostility;
    const take = (socket: AnySocket): void => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      onSocket?.(socket, random);
      if (onSocket !== undefined) socket.resume();
    };
    const calls = onCall === undefined ? undefined : createHttp2Server();
    calls?.on('session', (session) => session.on('error', () => undefined));
    calls?.on('stream', (stream, headers) => {
      stream.on('error', () => undefined).resume();
      onCall?.(stream, random, headers[':path'] ?? '');
    });
    const server: Server =
      calls !== undefined
        ? calls
        : afterHandshake === true
          ? createTlsServer({ ...tls, ALPNProtocols: ['h2'] }, take)
          : createServer(take);
    server.on('connection', (socket: Socket) => {
      met += 1;
      if (calls !== undefined) take(socket);
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HostileEndpoint(server, sockets, () => met);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
