import type { EtcdErrorKind } from '../base/errors.ts';
import type { TlsConfig } from '../config/config.ts';
import { shellWord } from '../config/named-files.ts';
import { commonNameOf } from '../connect/certificate-facts.ts';
import type { RpcStatus } from '../connect/connection.ts';
import { ownCertificates } from '../connect/tls-files.ts';

/** What a message about a failed call can mention. */
export interface ErrorContext {
  readonly endpoint: string;
  readonly isSecure: boolean;
  readonly tls: TlsConfig;
  /** The user of the configuration. */
  readonly username: string | undefined;
  /** The key or directory of the call. */
  readonly key: string | undefined;
  /** Why this side closed the connection; undefined when it did not. */
  readonly closedBecause: string | undefined;
}

/** True for a refusal that a new login may end: the token has expired, or users and roles have changed. */
export function isStaleLogin({ details }: RpcStatus): boolean {
  return (
    details.includes('etcdserver: invalid auth token') ||
    details.includes('etcdserver: revision of auth store is old')
  );
}

/** True for the answer to a call without a login while authentication is on. */
export function isLoginWanted({ details }: RpcStatus): boolean {
  return (
    details.includes('etcdserver: user name is empty') || details.includes('etcdserver: permission denied')
  );
}

export function isAuthOff({ details }: RpcStatus): boolean {
  return details.includes('etcdserver: authentication is not enabled');
}

interface Meaning {
  /** The entry in docs/failure-guide.md; undefined: the entry of the kind. */
  readonly id?: string;
  readonly kind: EtcdErrorKind;
  /** Undefined: etcd's own text. */
  readonly message?: string;
  readonly remedy?: string;
}

/** The member cannot serve the call now. The message is etcd's own text, unless another one is added. */
const silence: Meaning = { kind: 'unavailable' };

/**
 * etcd's own errors by their text (etcd, `api/v3rpc/rpctypes/error.go`). The text is the same in all releases. The
 * codes have changed, and some errors arrive with code Unknown.
 */
export const ETCD_ERRORS: readonly (readonly [
  words: string,
  meaning: Meaning | ((context: ErrorContext) => Meaning),
])[] = [
  [
    'requested lease not found',
    {
      kind: 'leaseNotFound',
      message: 'lease not found',
      remedy: 'it was revoked by hand; CTDB tries again by itself',
    },
  ],
  ['lease already exists', { kind: 'leaseExists', message: 'lease already exists' }],
  [
    'no leader',
    {
      id: 'etcd-leaderless',
      kind: 'noLeader',
      message: 'the member has no raft leader',
      remedy: 'check that most members run and reach each other',
    },
  ],
  ['leader changed', { kind: 'noLeader', message: 'the raft leader has changed' }],
  ['not leader', { kind: 'noLeader' }],
  ['not a primary lessor', { kind: 'noLeader', message: 'the raft leader has changed' }],
  ['proposal dropped', { kind: 'noLeader', message: 'the raft leader has changed' }],
  ['request timed out', { kind: 'timeout' }],
  [
    'context deadline exceeded',
    { id: 'etcd-others', kind: 'timeout', message: 'the member got no answer from the other members' },
  ],
  ['too many requests', silence],
  ['not capable', silence],
  ['server stopped', silence],
  ['unhealthy cluster', silence],
  [
    'not supported for learner',
    { ...silence, id: 'etcd-learner', message: 'the member is a learner and cannot vote yet' },
  ],
  [
    'database space exceeded',
    {
      kind: 'noSpace',
      message: "etcd's database is full (alarm NOSPACE)",
      remedy: 'compact and defragment it, then run etcdctl alarm disarm',
    },
  ],
  [
    'corrupt cluster',
    {
      id: 'etcd-corrupt',
      kind: 'rejected',
      message: 'etcd has found its data corrupt (alarm CORRUPT)',
      remedy: 'replace the member whose data differs',
    },
  ],
  ['too large lease TTL', { kind: 'rejected', remedy: 'lower lock_ttl' }],
  // A new login has been tried already. Users change faster than the helper logs in, so the next attempt may succeed.
  ['invalid auth token', { ...silence, id: 'auth-passing', message: 'the login has expired' }],
  [
    'revision of auth store is old',
    { ...silence, id: 'auth-passing', message: 'users or roles have changed since the login' },
  ],
  [
    'authentication failed',
    ({ username }) => ({
      id: 'auth-wrong',
      kind: 'auth',
      message: `wrong user name or password for user "${username ?? ''}"`,
      remedy: 'correct username and password_file or password',
    }),
  ],
  ['user name is empty', ({ tls, isSecure }) => withoutUser(isSecure ? tls : undefined)],
  // An answer about the CN of a client certificate, for some calls.
  ['user name not found', denied],
  ['permission denied', denied],
];

/** The member knows the user, or the CN of the client certificate, and refuses this call. */
function denied({ username, tls, isSecure, key }: ErrorContext): Meaning {
  const on = key === undefined ? '' : ` on ${key}`;
  const grant = `grant read and write: etcdctl role grant-permission --prefix=true ROLE readwrite ${directoryOf(key)}`;
  if (username !== undefined)
    return {
      kind: 'permission',
      message: `permission denied to user "${username}"${on}`,
      remedy: `${grant}, and give the user that role: etcdctl user grant-role ${username} ROLE`,
    };
  const [own] = isSecure ? ownCertificates(tls) : [];
  if (own === undefined) return { kind: 'permission', message: `permission denied${on}`, remedy: grant };
  const commonName = commonNameOf(own);
  if (commonName === undefined) return withoutUser(tls);
  const user = shellWord(commonName);
  return {
    id: 'auth-cn',
    kind: 'permission',
    message: `permission denied to "${commonName}", the CN of cert "${tls.certFile ?? ''}"${on === '' ? '' : `,${on}`}`,
    remedy: `if etcd has no such user, create it (etcdctl user add ${user} --no-password); give it a role (etcdctl user grant-role ${user} ROLE), and ${grant}`,
  };
}

/** The member finds no user in a call: there is no login, and it does not take the user from a client certificate. */
function withoutUser(tls: TlsConfig | undefined): Meaning {
  const [own] = tls?.certFile === undefined ? [] : ownCertificates(tls);
  if (own === undefined) {
    return {
      kind: 'auth',
      message: 'the member wants a login',
      remedy: 'set username and password_file, or use a client certificate whose CN is an etcd user',
    };
  }
  const commonName = commonNameOf(own);
  const cert = `cert "${tls?.certFile ?? ''}"`;
  return commonName === undefined
    ? {
        id: 'auth-no-cn',
        kind: 'auth',
        message: `the member wants a login, and ${cert} names no user: it has no CN`,
        remedy: 'reissue it with an etcd user as CN, or set username and password_file',
      }
    : {
        id: 'auth-no-cn',
        kind: 'auth',
        message: `the member wants a login, and does not accept the CN of ${cert} ("${commonName}") as one`,
        remedy: 'start etcd with --client-cert-auth and --trusted-ca-file, or set username and password_file',
      };
}

function directoryOf(key: string | undefined): string {
  return key === undefined ? 'DIRECTORY' : key.slice(0, key.lastIndexOf('/') + 1);
}
