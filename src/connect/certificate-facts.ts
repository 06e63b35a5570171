import type { X509Certificate } from 'node:crypto';

/** Extended key usages (RFC 5280, section 4.2.1.12). */
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

// OpenSSL's security level 2 requires 112 bits. It refuses RSA keys below 2048 bits, curves below 224 bits, SHA-1 and
// MD5.
const SMALLEST_RSA_BITS = 2_048;
const SMALLEST_CURVE_BITS = 224;

/** One field of a distinguished name such as `CN=a\nO=b`; the last one when there are several. */
function field(name: string, key: string): string | undefined {
  return name
    .split('\n')
    .findLast((line) => line.startsWith(`${key}=`))
    ?.slice(key.length + 1);
}

/** The user that etcd sees in a client certificate; undefined when it has no CN. */
export function commonNameOf({ subject }: { readonly subject?: string | undefined }): string | undefined {
  return subject === undefined ? undefined : field(subject, 'CN');
}

/** A distinguished name in one line: `CN=etcd authority, O=Example`. */
export function nameInLine(name: string | undefined): string {
  return name === undefined || name === '' ? 'without a name' : name.replaceAll('\n', ', ');
}

/**
 * True for a certificate that is signed with its own key: an authority's, or one that was made without an authority.
 */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && certificate.checkIssued(certificate);
}

/** Why TLS refuses the key of a certificate, as a noun phrase; undefined when it does not. */
export function weakKeyOf({ publicKey }: X509Certificate): string | undefined {
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  const type = (publicKey.asymmetricKeyType ?? 'unknown').toUpperCase();
  if (modulusLength !== undefined && modulusLength < SMALLEST_RSA_BITS)
    return `a ${modulusLength}-bit ${type} key`;
  const curveBits = Number(/\d{3}/.exec(namedCurve ?? '')?.[0] ?? Infinity);
  return curveBits < SMALLEST_CURVE_BITS ? `a key on the curve ${namedCurve ?? ''}` : undefined;
}

/**
 * The digest of a certificate's signature when TLS refuses it, such as `SHA1`. The signature of a self-signed
 * certificate is not checked.
 */
export function weakDigestOf(certificate: X509Certificate): string | undefined {
  if (isSelfSigned(certificate)) return undefined;
  return /sha-?1(?!\d)|md[245]/i.exec(certificate.signatureAlgorithm ?? '')?.[0].toUpperCase();
}

export const STRONG_KEY = 'reissue it with an RSA key of 2048 bits or an EC key on P-256';
export const STRONG_DIGEST = 'reissue it with a SHA-256 signature';

/**
 * True when the extended key usage allows `usage`. A certificate without that extension allows everything.
 * anyExtendedKeyUsage allows clients for etcd, and does not allow servers for OpenSSL (`crypto/x509/v3_purp.c`).
 */
export function mayServe({ keyUsage }: X509Certificate, usage: string): boolean {
  // Node's type says that it is always there. Without the extension it is undefined.
  const usages = keyUsage as string[] | undefined;
  if (usages === undefined || usages.includes(usage)) return true;
  return usage === CLIENT_AUTH && usages.includes(ANY_USAGE);
}

// The keys that Go, in which etcd is written, uses in TLS (`crypto/tls/auth.go`, signatureSchemesForCertificate).
const ETCD_KEYS = ['rsa', 'ed25519'];
const ETCD_CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/** The key of a certificate when etcd cannot use it in TLS, as a noun phrase; undefined when it can. */
export function strangeKeyOf({ publicKey }: X509Certificate): string | undefined {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails } = publicKey;
  if (type === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve ?? 'unknown';
    return ETCD_CURVES.includes(curve) ? undefined : `a key on the curve ${curve}`;
  }
  return ETCD_KEYS.includes(type) ? undefined : `a key of type ${type.toUpperCase()}`;
}

// id-ce-keyUsage (RFC 5280, section 4.2.1.3)
const KEY_USAGE = Buffer.from('0603551d0f', 'hex');
const CRITICAL = Buffer.from('0101ff', 'hex');

/** The first byte of the key usage; undefined when the certificate has no such extension. */
function keyUsageBits({ raw }: X509Certificate): number | undefined {
  const found = raw.indexOf(KEY_USAGE);
  if (found === -1) return undefined;
  let at = found + KEY_USAGE.length;
  if (raw.subarray(at, at + CRITICAL.length).equals(CRITICAL)) at += CRITICAL.length;
  // OCTET STRING { BIT STRING { count of unused bits, bits } }
  return raw[at] === 0x04 && raw[at + 2] === 0x03 ? raw[at + 5] : undefined;
}

// digitalSignature, keyEncipherment, keyAgreement; keyCertSign
const FOR_TLS = 0x80 | 0x20 | 0x08;
const FOR_SIGNING_CERTIFICATES = 0x04;

/** True when the key usage allows a TLS handshake. */
export function mayHandshake(certificate: X509Certificate): boolean {
  return ((keyUsageBits(certificate) ?? FOR_TLS) & FOR_TLS) !== 0;
}

/** True when the key usage allows signing certificates. */
export function maySign(certificate: X509Certificate): boolean {
  return ((keyUsageBits(certificate) ?? FOR_SIGNING_CERTIFICATES) & FOR_SIGNING_CERTIFICATES) !== 0;
}

/** Whether `now` is outside the dates of a certificate, and on which side. */
export function datesAt(
  { validFromDate, validToDate }: X509Certificate,
  now: Date,
): 'valid' | 'expired' | 'early' {
  if (now > validToDate) return 'expired';
  return now < validFromDate ? 'early' : 'valid';
}
