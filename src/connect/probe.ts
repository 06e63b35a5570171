import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Endpoint } from '../config/config.ts';
import type { Peer } from './channel.ts';

// A member that speaks answers within a round trip; one that does not must not use up the time of the attempt.
const LIMIT_MS = 500;

/** Where `socket` leads; undefined when it has been closed. */
export function peerOf({ remoteAddress, remotePort }: Socket): Peer | undefined {
  return remoteAddress === undefined || remotePort === undefined
    ? undefined
    : { host: remoteAddress, port: remotePort };
}

/** Whether a member that hung up on TLS speaks plain HTTP/2: true only when it has just done so. */
export function speaksPlainHttp2(peer: Peer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connectTcp(peer);
  socket.setTimeout(LIMIT_MS, () => socket.destroy());
  // The socket says where the session leads; the name is needed and not used.
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

/** Whether a member that hung up on plain text speaks TLS: true only when a handshake has just succeeded. */
export function speaksTls({ host, port }: Peer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // Nothing is sent over it, so it does not matter who the member is.
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
 * Plain endpoints that turned out to speak TLS. gRPC is given a plain connection before anything is known of it, so what
 * is found out when it was closed without a word is for the next dial.
 */
export class TlsSuspects {
  readonly #found = new Set<string>();

  /** Looks what `socket`, a plain connection to `endpoint`, comes to. */
  watch({ host, port }: Endpoint, socket: Socket, peer: Peer, signal: AbortSignal): void {
    socket.once('close', () => {
      // A member that is being stopped closes connections too; it has no handshake to offer either.
      if (socket.bytesRead > 0 || signal.aborted) return;
      void speaksTls(peer).then((isTls) => {
        if (isTls) this.#found.add(`${host} ${port}`);
      });
    });
  }

  /** True once for each time that TLS was found: the member may have changed since. */
  take({ host, port }: Endpoint): boolean {
    return this.#found.delete(`${host} ${port}`);
  }
}
