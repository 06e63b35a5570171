import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import type { Endpoint, TlsConfig } from '../config/config.ts';
import { ConnectError } from './connect-failure.ts';
import type { Secure } from './dial.ts';
import type { Peer } from './channel.ts';
import { certificateName } from './host-text.ts';
import { certificatesOf } from './peer-certificates.ts';
import { peerOf, speaksPlainHttp2 } from './probe.ts';
import type { LoadedTls, TlsFiles } from './tls-files.ts';
import { explainTlsError, isDistrust, SPEAKS_NO_TLS } from './tls-errors.ts';
import type { Shown } from './certificate-chain.ts';

const HUNG_UP = 'the member closed the connection during the TLS handshake';

/** The name that the member's certificate must have: the configured one, or the one that was dialed. */
function expectedName(tls: TlsConfig, endpoint: Endpoint): string {
  return certificateName(tls.serverName ?? endpoint.host);
}

/**
 * Checks the names of a certificate. Only subjectAltName counts, as for etcdctl and by RFC 9110 (section 4.3.4). Node takes
 * the CN where there is no DNS name.
 */
function checkNames(host: string, certificate: PeerCertificate): Error | undefined {
  const withoutName = { ...certificate, subject: { ...certificate.subject, CN: '' } };
  const error = checkServerIdentity(host, withoutName);
  return error === undefined ? undefined : Object.assign(error, { cert: certificate });
}

/** Why TLS does not trust `peer`, by the certificates that it sends. */
async function shownBy(peer: Peer, tls: TlsConfig, files: TlsFiles, name: string): Promise<Shown> {
  const { context, authorities } = await files.loadInTime();
  return {
    sent: await certificatesOf(peer, context, isIP(name) === 0 ? name : undefined),
    authorities: authorities?.certificates.map(({ certificate }) => certificate) ?? [],
    tls,
    now: new Date(),
  };
}

/**
 * Makes TLS 1.2 or 1.3 connections, with the certificates that are on disk at that moment. The member is verified
 * during the handshake, before the helper sends any data.
 * @param protocols the ALPN names of the protocol over it; gRPC's when undefined
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
      // The member closed the connection. It is being stopped, or it does not speak TLS.
      const hungUp = failure.kind === 'unavailable' && socket.errored?.name !== 'AbortError';
      const isPlain = hungUp && peer !== undefined && (await speaksPlainHttp2(peer));
      reject(new ConnectError(isPlain ? SPEAKS_NO_TLS : failure));
    };
    const begin = ({ context }: LoadedTls): void => {
      if (socket.destroyed) throw new Error(HUNG_UP);
      const name = expectedName(tls, endpoint);
      const options: ConnectionOptions = {
        socket,
        // The name to verify. SNI takes names only: RFC 6066 forbids addresses, and Node warns about them on stderr.
        host: name,
        ...(isIP(name) === 0 ? { servername: name } : {}),
        secureContext: context,
        ALPNProtocols: [...protocols],
        rejectUnauthorized: !tls.insecureSkipVerify,
        checkServerIdentity: checkNames,
      };
      const secured = connect(options, () => {
        isOver = true;
        resolve(secured);
      });
      // Also after the handshake, because with TLS 1.3 a member refuses a client certificate only then.
      secured.on('error', (error) => void fail(error));
      secured.once('close', () => {
        void fail(new Error(HUNG_UP));
      });
    };
    files.loadInTime().then(begin).catch(fail);
    return promise;
  };
}
