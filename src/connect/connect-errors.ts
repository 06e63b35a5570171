import type { TlsConfig } from '../config/config.ts';
import { CHECK_HOSTS, ConnectError, type ConnectFailure, firstLine } from './connect-failure.ts';
import { explainAlert } from './tls-errors.ts';

/** By the code of Node's error, which is also part of its text. */
const SOCKET_ERRORS: readonly (readonly [codes: RegExp, failure: ConnectFailure])[] = [
  [
    /\bECONNREFUSED\b/,
    { id: 'net-refused', kind: 'unavailable', message: 'connection refused', remedy: CHECK_HOSTS },
  ],
  [
    /\b(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL)\b/,
    {
      id: 'net-unreachable',
      kind: 'unavailable',
      message: 'host unreachable',
      remedy: 'check the network and hosts',
    },
  ],
  [
    /\bETIMEDOUT\b/,
    {
      id: 'net-timeout',
      kind: 'unavailable',
      message: 'connection timed out',
      remedy: 'check the network and the firewalls',
    },
  ],
  [
    /\b(EACCES|EPERM)\b/,
    {
      id: 'net-forbidden',
      kind: 'unavailable',
      message: 'this host forbids the connection',
      remedy: 'check its firewall and SELinux',
    },
  ],
  [
    /\bENOTFOUND\b/,
    { id: 'net-name', kind: 'unavailable', message: 'host name not found', remedy: 'correct hosts or DNS' },
  ],
  [
    /\bEAI_[A-Z]+\b/,
    {
      id: 'net-dns',
      kind: 'unavailable',
      message: 'no answer from DNS about this host',
      remedy: 'check the name servers in /etc/resolv.conf, or put the host into /etc/hosts',
    },
  ],
  [
    /\b(ECONNRESET|EPIPE)\b/,
    { id: 'net-reset', kind: 'unavailable', message: 'connection reset by the member', remedy: CHECK_HOSTS },
  ],
];

/** Why a connection could not be made: the reason that this side found, or the meaning of the error's text. */
export function explainConnectError(error: Error, tls: TlsConfig, isSecure: boolean): ConnectFailure {
  if (error instanceof ConnectError) return error.failure;
  const { message } = error;
  const alert = isSecure ? explainAlert(message, tls) : undefined;
  if (alert !== undefined) return alert;
  for (const [codes, failure] of SOCKET_ERRORS) if (codes.test(message)) return failure;
  return { id: 'net-other', kind: 'unavailable', message: `cannot connect: ${firstLine(message)}` };
}
