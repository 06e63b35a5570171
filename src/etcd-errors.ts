import { EtcdError, type EtcdErrorKind } from './errors.ts';
import { explainConnectFailure } from './connect-errors.ts';

/** A failed call as grpc-js tells it. */
export interface RpcStatus {
  /** Number of a gRPC status code. */
  readonly code: number;
  readonly details: string;
}

/** What a message about a failed call can refer to. */
export interface ErrorContext {
  readonly endpoint: string;
  readonly secure: boolean;
  /** Who we are to etcd, as configured. */
  readonly username: string | undefined;
  /** The key or directory that the call was about. */
  readonly key: string | undefined;
  /** Why we closed the connection ourselves, if we did. */
  readonly closedBecause: string | undefined;
}

/** The words of an error of any kind, in one line. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}

// Numbers of https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;
const CANCELLED = 1;

interface Meaning {
  readonly kind: EtcdErrorKind;
  readonly message?: string;
  readonly remedy?: string;
}

/**
 * etcd's own errors by their words (etcd, `api/v3rpc/rpctypes/error.go`), which are the same in all releases, while codes
 * have changed and some errors arrive as Unknown.
 */
const ETCD_ERRORS: readonly (readonly [words: string, meaning: (context: ErrorContext) => Meaning])[] = [
  ['requested lease not found', () => ({ kind: 'leaseNotFound', message: 'lease not found' })],
  ['lease already exists', () => ({ kind: 'leaseExists', message: 'lease already exists' })],
  [
    'permission denied',
    ({ username, key }) => ({
      kind: 'permission',
      message: `permission denied${username === undefined ? '' : ` for user "${username}"`}${key === undefined ? '' : ` on "${key}"`}`,
      remedy: `grant ${username === undefined ? 'the' : `"${username}"`} a role with read and write on this directory: etcdctl role grant-permission --prefix ROLE readwrite DIRECTORY`,
    }),
  ],
];

export function etcdErrorFrom({ code, details }: RpcStatus, context: ErrorContext): EtcdError {
  const { endpoint } = context;
  for (const [words, meaningFor] of ETCD_ERRORS) {
    if (!details.includes(words)) continue;
    const { kind, message, remedy } = meaningFor(context);
    return new EtcdError(kind, endpoint, message ?? details, remedy);
  }
  const failure = explainConnectFailure(details);
  if (failure !== undefined) return new EtcdError(failure.kind, endpoint, failure.message, failure.remedy);
  return new EtcdError(kindOfCode(code), endpoint, context.closedBecause ?? details);
}

function kindOfCode(code: number): EtcdErrorKind {
  switch (code) {
    case UNAVAILABLE:
    case CANCELLED:
    case INTERNAL:
    case RESOURCE_EXHAUSTED:
      return 'unavailable';
    case DEADLINE_EXCEEDED:
      return 'timeout';
    case UNIMPLEMENTED:
      return 'notEtcd';
    case UNAUTHENTICATED:
      return 'auth';
    case PERMISSION_DENIED:
      return 'permission';
    default:
      return 'unknown';
  }
}
