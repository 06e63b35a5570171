import type { TlsConfig } from '../config/config.ts';
import { CHECK_HOSTS, type ConnectFailure, firstLine } from './connect-failure.ts';
import { TlsFileError } from './tls-files.ts';

/** By the words of OpenSSL for the alert with which the member refused us. */
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
      return {
        id: 'tls-refused-cert',
        kind: 'tls',
        message: `the member refused the client certificate (${alert})`,
        remedy: `make cert "${tls.certFile}" one that is valid and that the member's authority has signed`,
      };
    case 'handshake failure':
      // In TLS 1.2 some members say no more than this to a client without a certificate.
      if (tls.certFile !== undefined) break;
      return {
        id: 'tls-refused',
        kind: 'tls',
        message: 'the member refused TLS (handshake failure), perhaps for want of a client certificate',
        remedy: 'set cert and key',
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

/** Proven by a probe, not guessed: see `etcd-probe.ts`. */
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

/** Says what is wrong with the member's certificate, or with ours. */
export function explainTlsError(error: unknown, tls: TlsConfig, name: string): ConnectFailure {
  if (error instanceof TlsFileError)
    return { id: error.id, kind: 'tls', message: error.message, remedy: error.remedy };
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
    case 'CERT_REJECTED':
    case 'INVALID_CA':
      return {
        id: 'tls-authority',
        kind: 'tls',
        message: `the member's certificate is signed by an unknown authority`,
        remedy:
          tls.caFile === undefined
            ? 'set ca_cert to the PEM file of the authority that signed it'
            : `put the authority that signed it into ca_cert "${tls.caFile}"`,
      };
    case 'CERT_HAS_EXPIRED':
      return {
        id: 'tls-expired',
        kind: 'tls',
        message: "the member's certificate has expired",
        remedy: "renew it, or correct this host's clock",
      };
    case 'CERT_NOT_YET_VALID':
      return {
        id: 'tls-early',
        kind: 'tls',
        message: "the member's certificate is not yet valid",
        remedy: "correct this host's clock, or the certificate",
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        id: 'tls-name',
        kind: 'tls',
        message: `the member's certificate is not for "${name}"${namesOf(error)}`,
        remedy: 'use a name from the certificate in hosts, or set server_name to one',
      };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_HTTP_REQUEST':
      return SPEAKS_NO_TLS;
    default: {
      const alert = explainAlert(text, tls);
      if (alert !== undefined) return alert;
      // A member that is being stopped does this too, so it does not rule the member out.
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

/** The names that the certificate has, for a message. */
function namesOf(error: unknown): string {
  if (!(error instanceof Error && 'cert' in error)) return '';
  const names = (error.cert as { subjectaltname?: string } | undefined)?.subjectaltname;
  return names === undefined ? '' : `, but for ${firstLine(names.replaceAll('IP Address:', 'IP:'))}`;
}

/** What OpenSSL says without where in its source it says so: `ID:error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:`. */
function reasonOf(text: string): string {
  return /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(text)?.[1] ?? firstLine(text);
}
