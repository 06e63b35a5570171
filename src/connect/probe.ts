import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../config/config.ts';
import type { Peer } from './channel.ts';

// In milliseconds. A member that speaks the protocol answers within a round trip. One that does not must not use up the
// time of the attempt.
const LIMIT_MS = 500;

/** The other side of `socket`; undefined when it has been closed. */
export function peerOf({ remoteAddress, remotePort }: Socket): Peer | undefined {
  return remoteAddress === undefined || remotePort === undefined
    ? undefined
    : { host: remoteAddress, port: remotePort };
}

/** True when a member that closed a TLS handshake answers in plain HTTP/2 now. */
export function speaksPlainHttp2(peer: Peer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTcp(peer);
  socket.setTimeout(LIMIT_MS, () => socket.destroy());
  // The socket decides where the session goes. The name is required and not used.
  const session = connectHttp2('http://member', { createConnection: () => socket });
  session.once('remoteSettings', () => {
    resolve(true);
    session.destroy();
  });
  session.on('error', () => undefined);
  session.once('close', () => {
    resolve(false);
  });
  return promise;
}

/** True when a member that closed a plain connection completes a TLS handshake now. */
export function speaksTls({ host, port }: Peer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // No data is sent, so the identity of the member is not checked.
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
  socket.setTimeout(LIMIT_MS, () => socket.destroy());
  socket.once('secureConnect', () => {
    resolve(true);
    socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.once('close', () => {
    resolve(false);
  });
  return promise;
}

/**
 * What the end of a connection has shown about its endpoint, for the next dial: a plain endpoint that turned out to
 * speak TLS, and an endpoint that ended a complete TLS connection. gRPC gets the connection before that can be known.
 */
export class TlsSuspects {
  readonly #found = new Set<string>();
  readonly #hungUp = new Set<string>();

  /** Watches how `socket`, a plain connection to `endpoint`, ends. */
  watch({ host, port }: Endpoint, socket: Socket, peer: Peer, signal: AbortSignal): void {
    socket.once('close', () => {
      // A member that is being stopped closes connections too, and then completes no handshake.
      if (socket.bytesRead > 0 || signal.aborted) return;
      void speaksTls(peer).then((isTls) => {
        if (isTls) this.#found.add(`${host} ${port}`);
      });
    });
  }

  /**
   * Notes that the member ended a complete TLS connection before HTTP/2 began.
   * @returns true when that has happened before, with no working connection since
   */
  hungUp({ host, port }: Endpoint): boolean {
    const name = `${host} ${port}`;
    const isRepeated = this.#hungUp.has(name);
    this.#hungUp.add(name);
    return isRepeated;
  }

  /** Notes that a connection to the endpoint works. */
  answered({ host, port }: Endpoint): void {
    this.#hungUp.delete(`${host} ${port}`);
  }

  /** True when the plain endpoint turned out to speak TLS. Forgets it, because the member may change. */
  take({ host, port }: Endpoint): boolean {
    return this.#found.delete(`${host} ${port}`);
  }
}
