import type { X509Certificate } from 'node:crypto';
import { connect, type SecureContext } from 'node:tls';
import type { Peer } from './channel.ts';

// A member that was reached a moment ago shows its certificates within two round trips.
const LIMIT_MS = 500;

// Far more than any chain of authorities has.
const MOST_CERTIFICATES = 10;

/** The certificate and those that were sent with it, its own first. */
function chainFrom(own: X509Certificate | undefined): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (
    let next = own;
    next !== undefined && chain.length < MOST_CERTIFICATES;
    next = next.issuerCertificate
  ) {
    const { raw } = next;
    if (chain.some((known) => known.raw.equals(raw))) break;
    chain.push(next);
  }
  return chain;
}

/**
 * The certificates that a member sends, for an explanation why TLS does not trust it: a failed handshake does not show
 * them. Nothing is sent to the member beyond the handshake. Empty when it sends none in time.
 *
 * @param serverName for SNI; undefined for an address
 */
export function certificatesOf(
  peer: Peer,
  secureContext: SecureContext,
  serverName: string | undefined,
): Promise<readonly X509Certificate[]> {
  const { promise, resolve } = Promise.withResolvers<readonly X509Certificate[]>();
  const socket = connect({
    ...peer,
    secureContext,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  socket.setTimeout(LIMIT_MS, () => socket.destroy());
  socket.once('secureConnect', () => {
    resolve(chainFrom(socket.getPeerX509Certificate()));
    socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.once('close', () => {
    resolve([]);
  });
  return promise;
}
