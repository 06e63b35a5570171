import { errorText } from '../base/errors.ts';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { Clock, Disposer } from '../base/clock.ts';
import type { Endpoint } from '../config/config.ts';
import { closedEarly, ConnectError, noHttp2 } from './connect-failure.ts';
import type { Peer, TlsSuspects } from './probe.ts';
import { Http2Session, type SessionEnd, type SessionEvents, type SessionOptions } from '../http2-session.ts';
import type { NameBook } from './dns-cache.ts';
import { SPEAKS_TLS } from './tls-errors.ts';

/** Makes TLS of a TCP connection; rejects with an error that says why there is none. */
export type Secure = (socket: Socket, endpoint: Endpoint) => Promise<Socket>;

/** How one connection is dialled. */
export interface Dial {
  readonly endpoint: Endpoint;
  readonly names: NameBook;
  readonly secure: Secure;
  readonly suspects: TlsSuspects;
  /** Ends every socket of the connection. */
  readonly signal: AbortSignal;
}

/** One of the two, once: a connection on which calls can start, or why there is none. */
export interface DialEvents extends Pick<SessionEvents, 'onGoAway' | 'onClose'> {
  readonly onReady: (session: Http2Session) => void;
  readonly onFailure: (error: Error) => void;
}

// Of several addresses the next is dialled when one has not answered for this long, beside it (RFC 8305, section 5).
const NEXT_ADDRESS_AFTER_MS = 250;

/** `host:port`, an IPv6 address in brackets. */
export function hostPort({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Of a socket that we end ourselves; the probes of failed connections leave such alone. */
class Unwanted extends Error {
  override readonly name = 'AbortError';
}

function errorOfEnd({ kind, text }: SessionEnd, isSecure: boolean): Error {
  if (kind === 'protocol') return noHttp2(isSecure);
  return kind === 'hungUp' ? closedEarly(isSecure) : new Error(text);
}

/** Takes in what a socket reads. */
interface Reader {
  take: (bytes: Buffer) => void;
}

// More than any answer of ours; whatever is larger comes in several pieces.
const READ_BYTES = 16_384;

/** Has a socket read without the machinery of a stream, which has nothing to do here. TLS cannot do without. */
function onreadFor(reader: Reader): Pick<TcpNetConnectOpts, 'onread'> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const callback = (length: number): boolean => {
    reader.take(buffer.subarray(0, length));
    return true;
  };
  return { onread: { buffer, callback } };
}

/** Dials one endpoint, once, by all of its addresses: the first that speaks HTTP/2 is taken. */
export function dial(how: Dial, clock: Clock, options: SessionOptions, events: DialEvents): void {
  new Dialler(how, clock, options, events).start();
}

class Dialler {
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #options: SessionOptions;
  readonly #events: DialEvents;
  readonly #tried = new Set<string>();
  readonly #untried: string[] = [];
  readonly #sockets = new Set<Socket>();
  #lastError = new Error('no address');
  #stopTimer: Disposer = () => undefined;
  #isOver = false;

  constructor(dial: Dial, clock: Clock, options: SessionOptions, events: DialEvents) {
    this.#dial = dial;
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    const { names, endpoint, signal } = this.#dial;
    // The option `signal` of a socket would do as much, and load more.
    signal.addEventListener('abort', () => {
      this.#end();
      this.#destroySockets(new Unwanted('the connection was closed'));
    });
    names.look(
      endpoint.host,
      (addresses) => {
        if (this.#isOver) return;
        // A second time, when what was remembered proves outdated.
        this.#untried.push(...addresses.filter((address) => !this.#tried.has(address)));
        if (this.#sockets.size === 0) this.#next();
      },
      (error) => {
        this.#fail(new Error(`cannot resolve: ${errorText(error)}`));
      },
    );
  }

  #destroySockets(why: Error): void {
    for (const socket of this.#sockets) socket.destroy(why);
    this.#sockets.clear();
  }

  #end(): void {
    this.#isOver = true;
    this.#stopTimer();
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#events.onFailure(error);
  }

  #next(): void {
    this.#stopTimer();
    const address = this.#untried.shift();
    if (address === undefined) {
      if (this.#sockets.size === 0) this.#fail(this.#lastError);
      return;
    }
    if (this.#untried.length > 0)
      this.#stopTimer = this.#clock.at(this.#clock.now() + NEXT_ADDRESS_AFTER_MS, () => {
        this.#next();
      });
    this.#tried.add(address);
    const { endpoint } = this.#dial;
    const peer = { host: address, port: endpoint.port };
    const reader: Reader = { take: () => undefined };
    const socket = connect({ ...peer, noDelay: true, ...(endpoint.secure ? {} : onreadFor(reader)) });
    this.#sockets.add(socket);
    const giveUp = (error: Error): void => {
      if (!this.#sockets.delete(socket) || this.#isOver) return;
      socket.destroy();
      this.#lastError = error;
      this.#next();
    };
    // Also later: the signal ends sockets with an error, for which there is no other listener at times.
    socket.on('error', giveUp);
    socket.once('connect', () => {
      this.#greet(socket, peer, reader, giveUp);
    });
  }

  /** TCP is up: TLS, if so configured, and HTTP/2. */
  #greet(socket: Socket, peer: Peer, reader: Reader, giveUp: (error: Error) => void): void {
    const { endpoint, names, secure, suspects, signal } = this.#dial;
    names.prefer(endpoint.host, peer.host);
    if (endpoint.secure) {
      secure(socket, endpoint).then(
        (secured) => {
          if (this.#isOver) {
            secured.destroy();
            return;
          }
          this.#speak(secured, socket, reader, giveUp);
          secured.on('data', (bytes) => {
            reader.take(bytes);
          });
        },
        (error: unknown) => {
          giveUp(error instanceof Error ? error : new Error(String(error)));
        },
      );
    } else if (suspects.take(endpoint)) giveUp(new ConnectError(SPEAKS_TLS));
    else {
      suspects.watch(endpoint, socket, peer, signal);
      this.#speak(socket, socket, reader, giveUp);
    }
  }

  #speak(secured: Socket, socket: Socket, reader: Reader, giveUp: (error: Error) => void): void {
    let isReady = false;
    const session = new Http2Session(secured, this.#options, {
      onReady: () => {
        if (this.#isOver) {
          session.destroy();
          return;
        }
        isReady = true;
        this.#end();
        this.#sockets.delete(socket);
        this.#destroySockets(new Unwanted('another address was quicker'));
        this.#events.onReady(session);
      },
      onGoAway: () => {
        if (isReady) this.#events.onGoAway();
      },
      onClose: (end) => {
        if (isReady) this.#events.onClose(end);
        else giveUp(errorOfEnd(end, this.#dial.endpoint.secure));
      },
    });
    reader.take = (bytes) => {
      session.take(bytes);
    };
  }
}
