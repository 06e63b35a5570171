/** A mistake in the configuration. The message names the file, the line, the key, the value and what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A mistake on the command line; the answer to it is the usage text and exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The lock cannot be taken for a reason outside etcd, such as a missing lock name. The message names the remedy. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/**
 * What a failed call to one member means.
 *
 * - silence, ask again: `unavailable`, `timeout`, `noLeader`, `stale` (the member is behind what we have seen),
 *   `unproven` (a renewal that proves nothing yet), `unknown`;
 * - this endpoint will not do, others may: `tls`, `wrongCluster`, `notEtcd`;
 * - the whole cluster refuses: `auth`, `permission`, `noSpace`, `rejected`;
 * - plain answers about a lease: `leaseNotFound`, `leaseExists`.
 */
export type EtcdErrorKind =
  | 'unavailable'
  | 'timeout'
  | 'noLeader'
  | 'stale'
  | 'unproven'
  | 'unknown'
  | 'tls'
  | 'wrongCluster'
  | 'notEtcd'
  | 'auth'
  | 'permission'
  | 'noSpace'
  | 'rejected'
  | 'leaseNotFound'
  | 'leaseExists';

/** One failed call on one endpoint. `message` says what happened, without the endpoint; `remedy`, if any, what to do. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly kind: EtcdErrorKind;
  readonly endpoint: string;
  readonly remedy: string | undefined;

  constructor(kind: EtcdErrorKind, endpoint: string, message: string, remedy?: string) {
    super(message);
    this.kind = kind;
    this.endpoint = endpoint;
    this.remedy = remedy;
  }
}

/** For the `default` of a `switch` over a closed union: the compiler proves that it is never reached. */
export function assertNever(value: never): never {
  throw new Error(`Unexpected value ${JSON.stringify(value)}`);
}

/** Everything that is known of a fault of the program itself, for one line of the log. */
export function describeFault(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
