import { isIP } from 'node:net';
import type { TlsConfig } from '../config/config.ts';
import { CHECK_HOSTS, type ConnectFailure, firstLine } from './connect-failure.ts';
import { refusedOwn } from './refused-certificate.ts';
import { TlsFileError } from './tls-file-error.ts';
import type { Shown } from './certificate-chain.ts';
import { DISTRUST_CODES, explainDistrust } from './tls-trust.ts';

/** By OpenSSL's text for the alert that the member sent. */
export function explainAlert(text: string, tls: TlsConfig): ConnectFailure | undefined {
  const alert = /\balert ([a-z ]+?)\s*:/.exec(text)?.[1];
  if (alert === undefined) return undefined;
  switch (alert) {
    case 'bad certificate':
    case 'certificate required':
    case 'certificate expired':
    case 'certificate revoked':
    case 'certificate unknown':
    case 'unsupported certificate':
    case 'unknown ca':
    case 'decrypt error':
    case 'access denied':
      if (tls.certFile === undefined) {
        return {
          id: 'tls-wants-cert',
          kind: 'tls',
          message: 'the member wants a client certificate',
          remedy: 'set cert and key',
        };
      }
      return refusedOwn(alert, tls, tls.certFile);
    case 'protocol version':
      return {
        id: 'tls-version',
        kind: 'tls',
        message: 'the member refused TLS (protocol version)',
        remedy: 'enable TLS 1.2 or 1.3 on the member',
      };
    case 'unrecognized name':
      return {
        id: 'tls-refused',
        kind: 'tls',
        message: 'the member refused TLS (unrecognized name)',
        remedy: 'set server_name to a name that it serves',
      };
    case 'handshake failure':
    case 'insufficient security':
      if (tls.certFile !== undefined) {
        return {
          id: 'tls-refused',
          kind: 'tls',
          message: `the member refused TLS (${alert}): no common cipher, or a key that it cannot use in cert "${tls.certFile}" or in its own --cert-file`,
          remedy:
            'check --cipher-suites of the member, and use RSA keys of 2048 bits or more, or EC keys on P-256, P-384 or P-521',
        };
      }
      // A member whose own key cannot be used sends this alert. So do some members with TLS 1.2 to a client without a
      // certificate.
      return {
        id: 'tls-refused',
        kind: 'tls',
        message: `the member refused TLS (${alert}): no common cipher, or a key that it cannot use in its --cert-file, or it wants a client certificate`,
        remedy:
          "check the member's --cipher-suites and its key (RSA of 2048 bits or more, or EC on P-256, P-384 or P-521), or set cert and key",
      };
    case 'no application protocol':
      return {
        id: 'net-http1',
        kind: 'notEtcd',
        message: 'not etcd: does not speak HTTP/2 over TLS',
        remedy: CHECK_HOSTS,
      };
    case 'internal error':
      return { id: 'tls-closed', kind: 'unavailable', message: 'the member failed during the TLS handshake' };
    default:
  }
  return { id: 'tls-refused', kind: 'tls', message: `the member refused TLS (${alert})` };
}

/** Proven by a probe; see `probe.ts`. */
export const SPEAKS_NO_TLS: ConnectFailure = {
  id: 'tls-no-tls',
  kind: 'tls',
  message: 'the member does not speak TLS',
  remedy: 'set protocol = http, or use its https port',
};
export const SPEAKS_TLS: ConnectFailure = {
  id: 'tls-no-tls',
  kind: 'tls',
  message: 'the member speaks TLS',
  remedy: 'set protocol = https',
};

/**
 * True when an error is about trust in the member's certificate. The certificates that it sends then explain the error.
 */
export function isDistrust(error: unknown): boolean {
  return DISTRUST_CODES.has(codeOf(error));
}

const NOTHING_SHOWN: Shown = { sent: [], authorities: [], tls: { caFile: undefined }, now: new Date(0) };

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/**
 * Says what is wrong with the member's certificate, or with the client's own.
 * @param name the name that the member's certificate must have
 * @param shown what the member sends, for an error of `isDistrust`
 */
export function explainTlsError(
  error: unknown,
  tls: TlsConfig,
  name: string,
  shown: Shown = NOTHING_SHOWN,
): ConnectFailure {
  if (error instanceof TlsFileError)
    return { id: error.id, kind: 'tls', message: error.message, remedy: error.remedy };
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  if (DISTRUST_CODES.has(code)) return explainDistrust(code, text, shown);
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return wrongName(error, name);
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return {
        id: 'tls-version',
        kind: 'tls',
        message: 'the member speaks TLS below 1.2 only',
        remedy: 'enable TLS 1.2 or 1.3 on the member',
      };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_HTTP_REQUEST':
      return SPEAKS_NO_TLS;
    default: {
      const alert = explainAlert(text, tls);
      if (alert !== undefined) return alert;
      // A member that is being stopped does this too, so the member stays in use.
      if (code === 'ECONNRESET' || code === '') {
        return {
          id: 'tls-closed',
          kind: 'unavailable',
          message: 'the member closed the connection during the TLS handshake',
          remedy: 'if it does not speak TLS, set protocol = http',
        };
      }
      return { id: 'tls-other', kind: 'tls', message: `TLS failed: ${reasonOf(text)}`, remedy: CHECK_HOSTS };
    }
  }
}

/** The certificate is for other names. */
function wrongName(error: unknown, name: string): ConnectFailure {
  const { subjectaltname: names, subject } =
    error instanceof Error && 'cert' in error
      ? (error.cert as { subjectaltname?: string; subject?: { CN?: string | string[] } })
      : {};
  const isWrong = `the member's certificate is not for "${name}"`;
  const wrong = (because: string, remedy: string): ConnectFailure => ({
    id: 'tls-name',
    kind: 'tls',
    message: isWrong + because,
    remedy,
  });
  if (isIP(name) !== 0 && names?.split(', ').includes(`DNS:${name}`) === true) {
    return wrong(
      `, which it has as DNS:${name} but not as IP:${name}`,
      `reissue it with subjectAltName = IP:${name}`,
    );
  }
  const usable = names?.split(', ').filter((one) => /^(DNS|IP Address):/.test(one)) ?? [];
  if (usable.length === 0) {
    const form = isIP(name) === 0 ? 'DNS' : 'IP';
    return wrong(
      `, because it has no host name or address in subjectAltName; its CN "${String(subject?.CN ?? '')}" does not count`,
      `reissue it with subjectAltName = ${form}:${name}`,
    );
  }
  return wrong(
    `, but for ${firstLine(usable.join(', ').replaceAll('IP Address:', 'IP:'))}`,
    'use a name from the certificate in hosts, or set server_name to one',
  );
}

/**
 * The reason in OpenSSL's text, without its place in OpenSSL's source:
 * `ID:error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:`.
 */
function reasonOf(text: string): string {
  return /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(text)?.[1] ?? firstLine(text);
}
