import { EtcdError, type EtcdErrorKind } from '../base/errors.ts';
import type { Obstacle } from './member.ts';

/**
 * What the failure of one member means for the question: ask it again, ask only the other members, or end the question.
 */
export function meaningOf(kind: EtcdErrorKind): 'askAgain' | 'askOthers' | 'final' {
  switch (kind) {
    case 'unavailable':
    case 'timeout':
    case 'noLeader':
    case 'stale':
    case 'lagging':
    case 'unproven':
    case 'unknown':
      return 'askAgain';
    case 'tls':
    case 'wrongCluster':
    case 'notEtcd':
    case 'proxy':
      return 'askOthers';
    case 'otherStore':
    case 'auth':
    case 'permission':
    case 'noSpace':
    case 'rejected':
    case 'leaseNotFound':
    case 'leaseExists':
      return 'final';
  }
}

export function asEtcdError(error: unknown, endpoint: string): EtcdError {
  if (error instanceof EtcdError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new EtcdError('unknown', endpoint, text);
}

/**
 * The error for an attempt without an answer.
 * @param silentMs how long the attempt lasted
 * @param obstacle what the attempt still waited for
 */
export function silence(endpoint: string, silentMs: number, obstacle?: Obstacle): EtcdError {
  const within = `within ${(silentMs / 1000).toFixed(1)} s`;
  switch (obstacle) {
    case 'name':
      return new EtcdError(
        'timeout',
        endpoint,
        'no answer from DNS about this host',
        'check the name servers in /etc/resolv.conf, or put the host into /etc/hosts',
        'net-dns',
      );
    case 'login':
      return new EtcdError(
        'timeout',
        endpoint,
        `no answer to the login ${within}`,
        'check the load of the member and its --bcrypt-cost, and set the password again after you lower the cost',
        'auth-slow',
      );
    case undefined:
      return new EtcdError(
        'timeout',
        endpoint,
        `no answer ${within}`,
        'check the member, its disk, the network and the firewalls',
      );
  }
}

// From the kind that tells an administrator most. The error for all members takes its kind and remedy from the first of
// these.
const TELLING: readonly EtcdErrorKind[] = [
  'wrongCluster',
  'proxy',
  'tls',
  'notEtcd',
  'noLeader',
  'stale',
  'lagging',
  'unproven',
];

/** One error for all members: `a:2379: connection refused; b:2379: no answer within 1.5 s`. */
export function summary(failures: readonly EtcdError[]): EtcdError {
  const rank = (error: EtcdError): number => {
    const index = TELLING.indexOf(error.kind);
    return index === -1 ? TELLING.length : index;
  };
  const telling = failures.reduce((best, error) => (rank(error) < rank(best) ? error : best));
  const text = failures.map((error) => `${error.endpoint}: ${error.message}`).join('; ');
  return new EtcdError(telling.kind, '', text, telling.remedy, telling.id);
}
