import type { X509Certificate } from 'node:crypto';
import { isIssuedBy, type Link, linkedChain, nameOf, pathOf, type Shown } from './certificate-chain.ts';
import {
  datesAt,
  isSelfSigned,
  mayHandshake,
  mayServe,
  maySign,
  SERVER_AUTH,
  STRONG_DIGEST,
  STRONG_KEY,
  weakDigestOf,
  weakKeyOf,
} from './certificate-facts.ts';
import type { ConnectFailure } from './connect-failure.ts';

function failure(id: string, message: string, remedy: string): ConnectFailure {
  return { id, kind: 'tls', message, remedy };
}

const CLOCK = "correct this host's clock";

function outOfDate(path: readonly Link[], when: 'expired' | 'early', now: Date): ConnectFailure {
  const link = path.find(({ certificate }) => datesAt(certificate, now) === when);
  const called = link?.called ?? "the member's certificate, or one of its authorities,";
  if (when === 'early')
    return failure('tls-early', `${called} is not yet valid`, `${CLOCK}, or the certificate`);
  const renew = {
    own: 'renew it',
    between: "renew it in the member's --cert-file",
    authority: 'put its replacement into ca_cert',
  }[link?.place ?? 'own'];
  return failure('tls-expired', `${called} has expired`, `${renew}, or ${CLOCK}`);
}

/** The name of the missing authority. Intermediate certificates that the member sends are followed. */
function unknownAuthority({ sent, authorities, tls }: Shown): ConnectFailure {
  const { caFile } = tls;
  const [own] = sent;
  const linked = linkedChain(sent);
  const top = linked.at(-1);
  const notThere =
    caFile === undefined ? "not one of the system's authorities" : `not in ca_cert "${caFile}"`;
  const put = (what: string): string =>
    caFile === undefined ? `set ca_cert to a PEM file with ${what}` : `put ${what} into ca_cert`;
  if (own === undefined || top === undefined) {
    return failure(
      'tls-authority',
      "the member's certificate is signed by an unknown authority",
      put('the certificate of the authority that signed it'),
    );
  }
  const issuer = nameOf(top.issuer);
  if (isSelfSigned(own)) {
    return failure(
      'tls-authority',
      `the member's certificate ${nameOf(own.subject)} is self-signed, and is ${notThere}`,
      put('that certificate'),
    );
  }
  const namesake = authorities.find(({ subject }) => subject === top.issuer);
  if (namesake !== undefined && !isIssuedBy(top, namesake)) {
    return failure(
      'tls-authority',
      `the member's certificate is signed by an authority ${issuer} with another key than the authority of that name in ca_cert "${caFile ?? ''}"`,
      put('the current certificate of that authority'),
    );
  }
  if (linked.length > 1) {
    return failure(
      'tls-authority',
      `the member's certificate leads to the authority ${issuer}, which is ${notThere}`,
      put(`the certificate of ${issuer}`),
    );
  }
  return failure(
    'tls-authority',
    `the member's certificate is signed by ${issuer}, which is ${notThere}, and the member sends ${sent.length > 1 ? 'other certificates, but not that one' : 'no intermediate certificates'}`,
    `${put(`the certificate of ${issuer}`)}, or append it to the member's --cert-file if it is an intermediate one`,
  );
}

/** A message about the first certificate in the chain with such a fault; undefined when none has it. */
function firstWith(
  path: readonly Link[],
  faultOf: (certificate: X509Certificate, link: Link) => string | undefined,
  remedy: string,
  id: string,
): ConnectFailure | undefined {
  for (const link of path) {
    const fault = faultOf(link.certificate, link);
    if (fault !== undefined) return failure(id, `${link.called} ${fault}`, remedy);
  }
  return undefined;
}

function weakness(path: readonly Link[]): ConnectFailure | undefined {
  const keyFault = (certificate: X509Certificate): string | undefined => {
    const key = weakKeyOf(certificate);
    return key === undefined ? undefined : `has ${key}, which TLS refuses`;
  };
  const digestFault = (certificate: X509Certificate, { place }: Link): string | undefined => {
    const digest = place === 'authority' ? undefined : weakDigestOf(certificate);
    return digest === undefined ? undefined : `is signed with ${digest}, which TLS refuses`;
  };
  return (
    firstWith(path, keyFault, STRONG_KEY, 'tls-weak') ??
    firstWith(path, digestFault, STRONG_DIGEST, 'tls-weak')
  );
}

function usage(path: readonly Link[]): ConnectFailure | undefined {
  return (
    firstWith(
      path,
      (certificate) =>
        mayServe(certificate, SERVER_AUTH)
          ? undefined
          : 'is not for servers: its extendedKeyUsage has no serverAuth',
      'reissue it with extendedKeyUsage = serverAuth, clientAuth',
      'tls-usage',
    ) ??
    firstWith(
      path,
      (certificate, { place }) =>
        place !== 'own' || mayHandshake(certificate)
          ? undefined
          : 'is not for TLS: its keyUsage has no digitalSignature',
      'reissue it with keyUsage = digitalSignature',
      'tls-usage',
    ) ??
    firstWith(
      path,
      (certificate, { place }) =>
        place === 'own' || maySign(certificate)
          ? undefined
          : 'may not sign certificates: its keyUsage has no keyCertSign',
      'reissue it with keyUsage = keyCertSign',
      'tls-usage',
    ) ??
    firstWith(
      path,
      (certificate, { place }) =>
        place === 'own' || certificate.ca
          ? undefined
          : 'is no authority: its basicConstraints have no CA:true',
      'reissue it with basicConstraints = critical, CA:true',
      'tls-usage',
    )
  );
}

/** OpenSSL's texts for names that an authority's name constraints exclude (openssl, `crypto/x509/x509_txt.c`). */
const CONSTRAINED = /subtree violation|name constraint|minimum and maximum/;

/** Node's codes for OpenSSL's errors about a chain of certificates. UNSPECIFIED is the code of all others. */
export const DISTRUST_CODES: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_CHAIN_TOO_LONG',
  'PATH_LENGTH_EXCEEDED',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'UNSPECIFIED',
]);

/**
 * Says why TLS does not trust a member's certificate: which certificate, what is wrong, what to do.
 * @param code of `DISTRUST_CODES`
 * @param text OpenSSL's text
 */
export function explainDistrust(code: string, text: string, shown: Shown): ConnectFailure {
  const path = pathOf(shown);
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return outOfDate(path, 'expired', shown.now);
    case 'CERT_NOT_YET_VALID':
      return outOfDate(path, 'early', shown.now);
    case 'PATH_LENGTH_EXCEEDED':
      return failure(
        'tls-usage',
        "an authority of the member's certificate has a pathlen that allows fewer intermediate certificates",
        'issue the certificate from a higher authority, or raise that pathlen',
      );
    case 'INVALID_CA':
    case 'INVALID_PURPOSE':
    case 'CERT_CHAIN_TOO_LONG':
    case 'UNSPECIFIED':
      break;
    default:
      return unknownAuthority(shown);
  }
  if (CONSTRAINED.test(text)) {
    const names = shown.sent[0]?.subjectAltName;
    return failure(
      'tls-constraints',
      `an authority of the member's certificate may not issue it for its names${names === undefined ? '' : ` (${names.replaceAll('IP Address:', 'IP:')})`}: its nameConstraints exclude them`,
      'issue the certificate for permitted names, or from another authority',
    );
  }
  const known = /too (weak|small)/.test(text) ? weakness(path) : usage(path);
  const remedy = 'reissue it as docs/tls-and-auth.md shows';
  return known ?? failure('tls-distrust', `TLS does not trust the member's certificate: ${text}`, remedy);
}
