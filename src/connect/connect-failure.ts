import type { EtcdErrorKind } from '../base/errors.ts';

/** What a failed connection means to the administrator. */
export interface ConnectFailure {
  /** The entry of the message in docs/failure-guide.md. */
  readonly id: string;
  readonly kind: EtcdErrorKind;
  readonly message: string;
  readonly remedy?: string;
}

/** The remedy when the reason is not known in more detail. */
export const CHECK_HOSTS = 'check that etcd runs there and that hosts and port are right';

/** A connection that could not be made for a known reason. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly failure: ConnectFailure;

  constructor(failure: ConnectFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

function plainHint(isSecure: boolean): string {
  return isSecure ? CHECK_HOSTS : 'if it speaks TLS, set protocol = https';
}

/** The endpoint answers, but not in HTTP/2. */
export function noHttp2(isSecure: boolean): ConnectError {
  return new ConnectError({
    id: 'net-http1',
    kind: 'notEtcd',
    message: 'not etcd: does not speak HTTP/2',
    remedy: plainHint(isSecure),
  });
}

/** The member ended the connection before it sent anything of HTTP/2. */
export function closedEarly(isSecure: boolean): ConnectError {
  return new ConnectError({
    id: 'net-plain',
    kind: 'unavailable',
    message: 'the member closed the connection before HTTP/2 began',
    remedy: plainHint(isSecure),
  });
}

/**
 * The member ended a complete TLS connection before HTTP/2 began. etcd does that when its list of revoked certificates
 * contains the client's.
 * @param isRepeated true when the last connection ended in the same way. A member that is being stopped does it once.
 */
export function closedAfterCertificate(certFile: string, isRepeated: boolean): ConnectError {
  return new ConnectError({
    id: 'tls-revoked',
    kind: isRepeated ? 'tls' : 'unavailable',
    message: `the member closed the connection after it got the client certificate of cert "${certFile}"`,
    remedy: "see etcd's log: if the certificate is revoked (--client-crl-file), issue a new one",
  });
}

/** The first line of a text from the other side, cut for a message. */
export function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').slice(0, 200).trim();
}
