import { ChannelCredentials, credentials, Metadata, status as grpcStatus } from '@grpc/grpc-js';
import type { ChannelOptions } from '@grpc/grpc-js';
import type { SecureConnector } from '@grpc/grpc-js/build/src/channel-credentials.js';
import { registerResolver } from '@grpc/grpc-js/build/src/resolver.js';
import type { Resolver, ResolverListener } from '@grpc/grpc-js/build/src/resolver.js';
import type { GrpcUri } from '@grpc/grpc-js/build/src/uri-parser.js';
import type { Socket } from 'node:net';
import type { Endpoint } from './config.ts';
import { connectFailureText } from './connect-failure.ts';
import { errorText } from './etcd-errors.ts';
import type { TlsSuspects } from './etcd-probe.ts';
import type { NameBook } from './name-book.ts';
import { SPEAKS_TLS } from './tls-errors.ts';

/** Makes TLS of a TCP connection; rejects with an error whose message is what a failed call is to say. */
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

/** The channel option by which a channel's `Dial` reaches its resolver. */
export const DIAL_OPTION = 'ctdb_etcd_lock.dial';

const SCHEME = 'ctdb-etcd';
let isRegistered = false;

/** `host:port`, an IPv6 address in brackets. */
export function hostPort({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The target of a channel whose addresses come from our own resolver. */
export function dialTarget(endpoint: Endpoint): string {
  if (!isRegistered) {
    isRegistered = true;
    registerResolver(SCHEME, DialResolver);
  }
  return `${SCHEME}:${hostPort(endpoint)}`;
}

/**
 * Gives grpc-js the addresses to dial, from our own book of names: grpc-js's resolver knows nothing once DNS is silent,
 * and does not tell what went wrong. Each address carries a signal, which `net.connect` obeys, because closing a channel
 * does not close a socket that is still connecting.
 */
class DialResolver implements Resolver {
  readonly #listener: ResolverListener;
  readonly #dial: Dial;
  #isStarted = false;
  #isOver = false;

  constructor(_target: GrpcUri, listener: ResolverListener, options: ChannelOptions) {
    this.#listener = listener;
    this.#dial = options[DIAL_OPTION] as Dial;
  }

  static getDefaultAuthority(target: GrpcUri): string {
    return target.path;
  }

  /** Called for the first dial, and then after each failure, which ends the connection: one dial is all there is. */
  updateResolution(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { names, endpoint } = this.#dial;
    names.look(
      endpoint.host,
      (addresses) => {
        if (this.#isOver) return;
        const { port } = endpoint;
        const { signal } = this.#dial;
        const endpoints = addresses.map((host) => ({ addresses: [{ host, port, signal }] }));
        this.#listener({ ok: true, value: endpoints }, {}, null, '');
      },
      (error) => {
        if (this.#isOver) return;
        const details = `cannot resolve: ${errorText(error)}`;
        const failure = { code: grpcStatus.UNAVAILABLE, details, metadata: new Metadata() };
        this.#listener({ ok: false, error: failure }, {}, null, '');
      },
    );
  }

  destroy(): void {
    this.#isOver = true;
  }
}

/**
 * Credentials that take our own hand in each connection once TCP is up: what worked is noted, TLS is ours, with the
 * certificates of that moment. They are for one connection only.
 */
export class DialCredentials extends ChannelCredentials {
  readonly #dial: Dial;

  constructor(dial: Dial) {
    super();
    this.#dial = dial;
  }

  override _isSecure(): boolean {
    return this.#dial.endpoint.secure;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(target: GrpcUri, options: ChannelOptions): SecureConnector {
    const { endpoint, names, secure, suspects, signal } = this.#dial;
    const plain = credentials.createInsecure()._createSecureConnector(target, options);
    return {
      connect: async (socket) => {
        // The signal ends sockets with an error, for which there is no other listener at times.
        socket.on('error', () => undefined);
        if (socket.remoteAddress !== undefined) names.prefer(endpoint.host, socket.remoteAddress);
        if (endpoint.secure) return { socket: await secure(socket, endpoint), secure: true };
        if (suspects.take(endpoint)) {
          socket.destroy();
          throw new Error(connectFailureText(SPEAKS_TLS));
        }
        suspects.watch(endpoint, socket, signal);
        return { socket, secure: false };
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => plain.getCallCredentials(),
      destroy: () => undefined,
    };
  }
}
