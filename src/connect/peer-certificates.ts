import type { X509Certificate } from 'node:crypto';
import { connect, type SecureContext } from 'node:tls';
import type { Peer } from './channel.ts';

// In milliseconds. The member was reached a moment ago and sends its certificates within two round trips.
const LIMIT_MS = 500;

// Far more than any chain has.
const MOST_CERTIFICATES = 10;

/** The certificates that were sent, the member's own first. */
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
 * The certificates that a member sends. They explain why TLS does not trust it, because a failed handshake does not
 * show them. Only a handshake is made. Empty when the member sends none in time.
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
