import { explainConnectError } from '../connect/connect-errors.ts';
import { errorText, EtcdError } from '../base/errors.ts';
import type { RpcStatus } from '../connect/connection.ts';
import { STRANGE_TYPE } from './grpc-only.ts';
import { type ErrorContext, ETCD_ERRORS } from './server-errors.ts';

const NOT_ETCD = 'check that hosts and port lead to etcd 3.3 or newer';

// The statuses with which a gateway in front of etcd reports a state that ends by itself: too many requests, bad
// gateway, unavailable, timeout (RFC 9110; 429: RFC 6585).
const PASSING_HTTP_STATUS = new Set(['429', '502', '503', '504']);

// grpc-js 1.14, stream-decoder.ts and compression-filter.ts.
const TOO_LARGE =
  /^Received message (?:larger than max \(\d+ vs|that decompresses to a size larger than) (\d+)/;

/**
 * Converts a failed call to an `EtcdError`. The order of the tests matters, because the text of a failed connection can
 * contain any words.
 */
export function etcdErrorFrom(status: RpcStatus, context: ErrorContext): EtcdError {
  const { endpoint, tls, isSecure, closedBecause } = context;
  const details = errorText(status.details);
  if (status.connectError !== undefined) {
    const failure = explainConnectError(status.connectError, tls, isSecure);
    return new EtcdError(failure.kind, endpoint, failure.message, failure.remedy, failure.id);
  }
  for (const [words, meaning] of ETCD_ERRORS) {
    if (!details.includes(words)) continue;
    const { id, kind, message, remedy } = typeof meaning === 'function' ? meaning(context) : meaning;
    return new EtcdError(kind, endpoint, message ?? details.replace(/^etcdserver: /, ''), remedy, id);
  }
  if (closedBecause !== undefined) {
    const id = closedBecause.startsWith('no connection') ? 'net-dial' : undefined;
    return new EtcdError('unavailable', endpoint, closedBecause, undefined, id);
  }
  const httpStatus = /HTTP status code (\d+)/.exec(details)?.[1];
  if (httpStatus !== undefined) {
    return PASSING_HTTP_STATUS.has(httpStatus)
      ? new EtcdError(
          'unavailable',
          endpoint,
          `a gateway answered with HTTP status ${httpStatus}`,
          'check that proxy and the members behind it',
          'net-gateway',
        )
      : new EtcdError('notEtcd', endpoint, `not etcd: HTTP status ${httpStatus}`, NOT_ETCD);
  }
  if (details.startsWith(STRANGE_TYPE)) {
    const type = details.slice(STRANGE_TYPE.length).replaceAll('"', '');
    const message =
      type === '' ? 'not etcd: the answer has no content type' : `not etcd: the answer is ${type}`;
    return new EtcdError('notEtcd', endpoint, message, NOT_ETCD);
  }
  const largestBytes = TOO_LARGE.exec(details)?.[1];
  if (largestBytes !== undefined) {
    return new EtcdError(
      'unavailable',
      endpoint,
      `the answer has more than ${largestBytes} bytes (grpc.max_receive_message_length)`,
      "look for a large value in the lock's directory, and remove it",
      'net-large',
    );
  }
  if (details.startsWith('Response message parsing error')) {
    return new EtcdError('notEtcd', endpoint, 'not etcd: the answer cannot be decoded', NOT_ETCD);
  }
  return fromCode(status.code, details, endpoint);
}

/** For a text that is not etcd's: decides by the number of the status (grpc, `doc/statuscodes.md`). */
function fromCode(code: number, details: string, endpoint: string): EtcdError {
  switch (code) {
    case 1: // CANCELLED: the member ended the stream
    case 8: // RESOURCE_EXHAUSTED
    case 13: // INTERNAL: the stream was reset, or what came was no message
      return new EtcdError('unavailable', endpoint, details, NOT_ETCD);
    case 14: // UNAVAILABLE
      return new EtcdError('unavailable', endpoint, details);
    case 4: // DEADLINE_EXCEEDED
      return new EtcdError('timeout', endpoint, details);
    case 12: // UNIMPLEMENTED
      return new EtcdError('notEtcd', endpoint, `not etcd, or too old: ${details}`, NOT_ETCD, 'net-old');
    case 16: // UNAUTHENTICATED
      return new EtcdError('auth', endpoint, details, 'set username and password_file');
    default:
      return new EtcdError('unknown', endpoint, details);
  }
}
