import type { X509Certificate } from 'node:crypto';
import { quote } from '../base/quote.ts';
import type { TlsConfig } from '../config/config.ts';
import {
  CLIENT_AUTH,
  datesAt,
  mayHandshake,
  mayServe,
  nameInLine,
  STRONG_DIGEST,
  STRONG_KEY,
  strangeKeyOf,
  weakDigestOf,
} from './certificate-facts.ts';
import type { ConnectFailure } from './connect-failure.ts';
import { ownCertificates } from './tls-files.ts';

type Refusal = readonly [fault: string, remedy: string];

/** What is wrong with a client certificate, or with one that is sent after it; undefined when nothing is. */
function faultOf(
  certificate: X509Certificate,
  isOwn: boolean,
  alert: string,
  certFile: string,
): Refusal | undefined {
  const who = isOwn ? 'it' : `${quote(nameInLine(certificate.subject))}, which is sent with it,`;
  const dates = datesAt(certificate, new Date());
  if (dates === 'expired')
    return [`${who} has expired`, `renew ${isOwn ? '' : 'that certificate in '}cert "${certFile}"`];
  if (dates === 'early')
    return [`${who} is not yet valid`, `correct this host's clock, or replace cert "${certFile}"`];
  const digest = weakDigestOf(certificate);
  if (digest !== undefined)
    return [`${who} is signed with ${digest}`, `cert "${certFile}": ${STRONG_DIGEST}`];
  if (!isOwn) return undefined;
  const key = strangeKeyOf(certificate);
  if (key !== undefined) return [`it has ${key}, which etcd cannot use`, `cert "${certFile}": ${STRONG_KEY}`];
  // This alert is about the issuer.
  if (alert === 'unknown ca') return undefined;
  if (!mayServe(certificate, CLIENT_AUTH)) {
    return [
      'it is not for clients, because its extendedKeyUsage has no clientAuth',
      `reissue cert "${certFile}" with extendedKeyUsage = clientAuth`,
    ];
  }
  if (mayHandshake(certificate)) return undefined;
  return [
    'it is not for TLS, because its keyUsage has no digitalSignature',
    `reissue cert "${certFile}" with keyUsage = digitalSignature`,
  ];
}

/** The member refused the client certificate. Says what is wrong with it, when this side can see that. */
export function refusedOwn(alert: string, tls: TlsConfig, certFile: string): ConnectFailure {
  const refused = (fault: string, remedy: string): ConnectFailure => ({
    id: 'tls-refused-cert',
    kind: 'tls',
    message: `the member refused the client certificate (${alert})${fault}`,
    remedy,
  });
  const chain = ownCertificates(tls);
  for (const [index, certificate] of chain.entries()) {
    const found = faultOf(certificate, index === 0, alert, certFile);
    if (found !== undefined) return refused(`: ${found[0]}`, found[1]);
  }
  const [own] = chain;
  const issuer = own === undefined ? '' : `, signed by ${quote(nameInLine(own.issuer))}`;
  return refused(
    issuer,
    `replace cert "${certFile}" with one that an authority in the member's --trusted-ca-file has signed, followed by its intermediate certificates; etcd's log has the reason`,
  );
}
