import type { Socket } from 'node:net';
import type { ChannelOptions } from '@grpc/grpc-js';
import type { Clock, Disposer } from '../base/clock.ts';
import type { Endpoint } from '../config/config.ts';
import { closedAfterCertificate, ConnectError } from './connect-failure.ts';
import { EtcdChannel, type Greet } from './channel.ts';
import { errorText } from '../base/errors.ts';
import { peerOf, type TlsSuspects } from './probe.ts';
import type { DnsCache } from './dns-cache.ts';
import { SPEAKS_TLS } from './tls-errors.ts';

/** Makes TLS of a TCP connection. Rejects with the reason when that fails. */
export type Secure = (socket: Socket, endpoint: Endpoint) => Promise<Socket>;

/** How the connections to one endpoint are dialed. */
export interface Dial {
  readonly endpoint: Endpoint;
  readonly names: DnsCache;
  readonly secure: Secure;
  readonly suspects: TlsSuspects;
  /** The client certificate, when one is configured. */
  readonly certFile?: string | undefined;
}

/** The result of a dial, once: a channel on which calls can start, or the reason why there is none. */
export interface DialEvents {
  readonly onReady: (channel: EtcdChannel) => void;
  readonly onFailure: (error: Error) => void;
  /** The channel has lost its connection, or must be left. */
  readonly onEnd: () => void;
}

// When an address has not answered for this long, the next one is dialed as well (RFC 8305, section 5).
const NEXT_ADDRESS_AFTER_MS = 250;

/** `host:port`, with an IPv6 address in brackets. */
export function hostPort({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Dials one endpoint once, at all of its addresses. The first address that speaks HTTP/2 is taken.
 * @returns the function that ends every connection that was not handed over
 */
export function dial(how: Dial, clock: Clock, options: ChannelOptions, events: DialEvents): Disposer {
  const dialler = new Dialler(how, clock, options, events);
  dialler.start();
  return () => {
    dialler.stop();
  };
}

class Dialler {
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #options: ChannelOptions;
  readonly #events: DialEvents;
  readonly #tried = new Set<string>();
  readonly #untried: string[] = [];
  /** The channels that have neither failed nor been taken. */
  readonly #channels = new Set<EtcdChannel>();
  #lastError = new Error('no address');
  #stopTimer: Disposer = () => undefined;
  #isOver = false;

  constructor(dial: Dial, clock: Clock, options: ChannelOptions, events: DialEvents) {
    this.#dial = dial;
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    const { names, endpoint } = this.#dial;
    names.look(
      endpoint.host,
      (addresses) => {
        if (this.#isOver) return;
        // Called a second time when remembered addresses were outdated.
        this.#untried.push(...addresses.filter((address) => !this.#tried.has(address)));
        if (this.#channels.size === 0) this.#next();
        else this.#tryNextLater();
      },
      (error) => {
        this.#fail(error instanceof ConnectError ? error : new Error(`cannot resolve: ${errorText(error)}`));
      },
    );
  }

  stop(): void {
    this.#isOver = true;
    this.#stopTimer();
    for (const channel of this.#channels) channel.close();
    this.#channels.clear();
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.stop();
    this.#events.onFailure(error);
  }

  #tryNextLater(): void {
    this.#stopTimer();
    if (this.#untried.length === 0) return;
    this.#stopTimer = this.#clock.at(this.#clock.now() + NEXT_ADDRESS_AFTER_MS, () => {
      this.#next();
    });
  }

  #next(): void {
    this.#stopTimer();
    const address = this.#untried.shift();
    if (address === undefined) {
      if (this.#channels.size === 0) this.#fail(this.#lastError);
      return;
    }
    this.#tryNextLater();
    this.#tried.add(address);
    const { endpoint } = this.#dial;
    const peer = { host: address, port: endpoint.port };
    const channel = new EtcdChannel(peer, endpoint.secure, this.#options, greeting(this.#dial, address), {
      onReady: () => {
        this.#channels.delete(channel);
        this.stop();
        this.#dial.suspects.answered(endpoint);
        this.#events.onReady(channel);
      },
      onFailure: (error) => {
        this.#channels.delete(channel);
        if (this.#isOver) return;
        this.#lastError = explainHangUp(error, this.#dial);
        this.#next();
      },
      onEnd: this.#events.onEnd,
    });
    this.#channels.add(channel);
  }
}

/** The same error, unless the client certificate is a likely reason. */
function explainHangUp(error: Error, { endpoint, certFile, suspects }: Dial): Error {
  const isHangUp = error instanceof ConnectError && error.failure.id === 'net-plain';
  if (!isHangUp || !endpoint.secure || certFile === undefined) return error;
  return closedAfterCertificate(certFile, suspects.hungUp(endpoint));
}

/** Makes TLS of the TCP connection, when it is configured. */
function greeting({ endpoint, names, secure, suspects }: Dial, address: string): Greet {
  return (socket, signal) => {
    names.prefer(endpoint.host, address);
    if (endpoint.secure) return secure(socket, endpoint);
    if (suspects.take(endpoint)) return Promise.reject(new ConnectError(SPEAKS_TLS));
    const peer = peerOf(socket);
    if (peer !== undefined) suspects.watch(endpoint, socket, peer, signal);
    return Promise.resolve(socket);
  };
}
