/** A mistake in the configuration. The message names the file, the line, the key, the value and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** The entry for the message in docs/failure-guide.md. */
  readonly id: string;

  constructor(id: string, message: string) {
    super(message);
    this.id = id;
  }
}

/** A mistake on the command line. The program prints the usage text and exits with status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The entry for the message in docs/failure-guide.md. */
  readonly id: string;

  constructor(id: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.id = id;
  }
}

/** The lock cannot be taken for a reason outside etcd, such as a missing lock name. The message names the remedy. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
  /** The entry for the message in docs/failure-guide.md. */
  readonly id: string;

  constructor(id: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.id = id;
  }
}

/**
 * What a failed call to one member means.
 *
 * - No answer, so ask again: `unavailable`, `timeout`, `noLeader`, `stale` (the store is behind what was already seen),
 *   `lagging` (the member shows an earlier raft term), `unproven` (the renewal proves nothing yet), `unknown`.
 * - This endpoint cannot be used, others may be: `tls`, `wrongCluster`, `notEtcd`, `proxy` (the endpoint spreads the
 *   calls of one connection over members, or answers calls itself).
 * - The endpoints lead to more than one store, so no helper may hold the lock through them: `otherStore`.
 * - The whole cluster refuses: `auth`, `permission`, `noSpace`, `rejected`.
 * - An answer about a lease: `leaseNotFound`, `leaseExists`.
 */
export type EtcdErrorKind =
  | 'unavailable'
  | 'timeout'
  | 'noLeader'
  | 'stale'
  | 'lagging'
  | 'unproven'
  | 'unknown'
  | 'tls'
  | 'wrongCluster'
  | 'notEtcd'
  | 'proxy'
  | 'otherStore'
  | 'auth'
  | 'permission'
  | 'noSpace'
  | 'rejected'
  | 'leaseNotFound'
  | 'leaseExists';

/** The entry in docs/failure-guide.md for a failure without an entry of its own. */
const ENTRY_OF: Readonly<Record<EtcdErrorKind, string>> = {
  unavailable: 'net-closed',
  timeout: 'net-silent',
  noLeader: 'etcd-election',
  stale: 'etcd-stale',
  lagging: 'etcd-stale',
  unproven: 'etcd-unproven',
  unknown: 'net-other',
  tls: 'tls-other',
  wrongCluster: 'etcd-cluster',
  notEtcd: 'net-http',
  proxy: 'etcd-proxy',
  otherStore: 'etcd-stores',
  auth: 'auth-wanted',
  permission: 'auth-permission',
  noSpace: 'etcd-full',
  rejected: 'etcd-ttl',
  leaseNotFound: 'etcd-lease',
  leaseExists: 'etcd-lease',
};

/**
 * One failed call to one endpoint. `message` says what happened, without the endpoint. `remedy`, if set, says what to
 * do.
 */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  /** The entry for the message in docs/failure-guide.md. */
  readonly id: string;
  readonly kind: EtcdErrorKind;
  readonly endpoint: string;
  readonly remedy: string | undefined;

  constructor(kind: EtcdErrorKind, endpoint: string, message: string, remedy?: string, id = ENTRY_OF[kind]) {
    super(message);
    this.id = id;
    this.kind = kind;
    this.endpoint = endpoint;
    this.remedy = remedy;
  }
}

/** The error as part of a line: endpoint, message and remedy. */
export function etcdErrorText({ endpoint, message, remedy }: EtcdError): string {
  const where = endpoint === '' ? 'etcd at ' : `etcd at ${endpoint}: `;
  return where + message + (remedy === undefined ? '' : `; ${remedy}`);
}

/**
 * For the `default` of a `switch` over a closed union: the compiler proves that it is never reached.
 * @throws {Error} always
 */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value ${JSON.stringify(value)}`);
}

/** The stack or the text of an unexpected error, for one line of the log. */
export function describeFault(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// The text can come from a server, so it is cut to what fits into a log line, in characters.
const LONGEST_TEXT = 300;

/** The text of an error of any type: one line of printable characters, at most 300. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, LONGEST_TEXT);
}

/**
 * Why the system refused a call, in a few words: `permission denied (EACCES)`. A path is left out because the caller names
 * it. The code is `unknown` for an error that has none.
 */
export function systemReason(error: unknown): { readonly code: string; readonly reason: string } {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const text = error instanceof Error ? error.message : String(error);
  const words = /^[A-Z0-9]+: ([^,]+)/.exec(text)?.[1];
  return { code, reason: words === undefined ? code : `${words} (${code})` };
}
