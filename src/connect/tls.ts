import { isIP, type Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import type { Endpoint, TlsConfig } from '../config/config.ts';
import { ConnectError } from './connect-failure.ts';
import type { Secure } from './dial.ts';
import type { Peer } from './channel.ts';
import { certificateName } from './host-text.ts';
import { certificatesOf } from './peer-certificates.ts';
import { peerOf, speaksPlainHttp2 } from './probe.ts';
import type { TlsFiles } from './tls-files.ts';
import { explainTlsError, isDistrust, SPEAKS_NO_TLS } from './tls-errors.ts';
import type { Shown } from './tls-trust.ts';

/** The name that the member's certificate must have: the configured one, or what was dialed. */
function expectedName(tls: TlsConfig, endpoint: Endpoint): string {
  return certificateName(tls.serverName ?? endpoint.host);
}

/** Why TLS does not trust what was met at `peer`, by the certificates that it sends. */
async function shownBy(peer: Peer, tls: TlsConfig, files: TlsFiles, name: string): Promise<Shown> {
  const { context, authorities } = files.load();
  return {
    sent: await certificatesOf(peer, context, isIP(name) === 0 ? name : undefined),
    authorities: authorities?.certificates.map(({ certificate }) => certificate) ?? [],
    tls,
    now: new Date(),
  };
}

/**
 * TLS 1.2 or 1.3 as the configuration says, with the certificates as they are on disk at that moment. The server is
 * verified by TLS itself, before a byte of ours is sent over it.
 *
 * @param protocols what is to be spoken over it, by the names that ALPN has; gRPC's unless said otherwise
 */
export function makeSecure(tls: TlsConfig, files: TlsFiles, protocols: readonly string[] = ['h2']): Secure {
  return (socket: Socket, endpoint: Endpoint) => {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const peer = peerOf(socket);
    let isOver = false;
    const fail = async (error: unknown): Promise<void> => {
      if (isOver) return;
      isOver = true;
      const name = expectedName(tls, endpoint);
      const shown =
        peer !== undefined && isDistrust(error) ? await shownBy(peer, tls, files, name) : undefined;
      const failure = explainTlsError(error, tls, name, shown);
      // It hung up: because it is being stopped, or because it does not speak TLS, which lasts.
      const hungUp = failure.kind === 'unavailable' && socket.errored?.name !== 'AbortError';
      const isPlain = hungUp && peer !== undefined && (await speaksPlainHttp2(peer));
      reject(new ConnectError(isPlain ? SPEAKS_NO_TLS : failure));
    };
    try {
      const name = expectedName(tls, endpoint);
      const options: ConnectionOptions = {
        socket,
        // The name to verify. SNI is for names only: RFC 6066 forbids addresses, and Node warns about them on stderr.
        host: name,
        ...(isIP(name) === 0 ? { servername: name } : {}),
        secureContext: files.context(),
        ALPNProtocols: [...protocols],
        rejectUnauthorized: !tls.insecureSkipVerify,
      };
      const secured = connect(options, () => {
        isOver = true;
        resolve(secured);
      });
      // Also after the handshake: a client certificate that TLS 1.3 refuses is refused only then.
      secured.on('error', (error) => void fail(error));
      secured.once('close', () => {
        void fail(new Error('the member closed the connection during the TLS handshake'));
      });
    } catch (error) {
      void fail(error);
    }
    return promise;
  };
}
