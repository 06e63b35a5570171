import type { TlsConfig } from './config.ts';
import { CHECK_HOSTS, CLOSED_EARLY, type ConnectFailure, firstLine, NO_HTTP2 } from './connect-failure.ts';
import { explainAlert } from './tls-errors.ts';

/** By the code of the error that Node gives, which also stands in its text. */
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
      remedy: 'check DNS on this host',
    },
  ],
  [
    /\b(ECONNRESET|EPIPE)\b/,
    { id: 'net-reset', kind: 'unavailable', message: 'connection reset by the member', remedy: CHECK_HOSTS },
  ],
];

/** Reads why a connection could not be made: what we found out, or an error's own words. */
export function explainConnectFailure(text: string, tls: TlsConfig, isSecure: boolean): ConnectFailure {
  if (text.startsWith('{')) return JSON.parse(text) as ConnectFailure;
  const alert = isSecure ? explainAlert(text, tls) : undefined;
  if (alert !== undefined) return alert;
  for (const [codes, failure] of SOCKET_ERRORS) if (codes.test(text)) return failure;
  const hint = isSecure ? CHECK_HOSTS : 'if it speaks TLS, set protocol = https';
  if (text === NO_HTTP2) {
    return { id: 'net-http1', kind: 'notEtcd', message: 'not etcd: does not speak HTTP/2', remedy: hint };
  }
  if (text === CLOSED_EARLY) {
    return {
      id: 'net-plain',
      kind: 'unavailable',
      message: 'the member closed the connection before a word of HTTP/2',
      remedy: hint,
    };
  }
  return { id: 'net-other', kind: 'unavailable', message: `cannot connect: ${firstLine(text)}` };
}
