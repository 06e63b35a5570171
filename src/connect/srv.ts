import { promises as dns } from 'node:dns';
import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../config/config.ts';
import { endpointsOf, MOST_ENDPOINTS } from '../config/endpoints.ts';
import { SetupError } from '../base/errors.ts';

/** One SRV record, as Node gives it. */
export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  /** The record with the lowest priority is asked first. */
  readonly priority: number;
  readonly weight: number;
}

/** Rejects with Node's error, whose `code` says what went wrong. */
export type ResolveSrv = (name: string) => Promise<readonly SrvRecord[]>;

/** etcd's two names of the service, then the two older ones. */
const SERVICES = [
  { service: '_etcd-client-ssl._tcp', secure: true },
  { service: '_etcd-client._tcp', secure: false },
  { service: '_etcd-ssl._tcp', secure: true },
  { service: '_etcd._tcp', secure: false },
] as const;

// In milliseconds, for the first try; c-ares doubles it for the next. It asks each server of resolv.conf twice.
const QUERY_TIMEOUT_MS = 500;
const QUERY_TRIES = 2;
// For all questions together. CTDB waits 5 s for the answer, and the lock must still be taken.
const ANSWER_LIMIT_MS = 2_000;

/** Asks the servers in `/etc/resolv.conf`, for at most 2 s. */
export function makeResolveSrv(clock: Clock): ResolveSrv {
  return async (name) => {
    const resolver = new dns.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
    const stopTimer = clock.at(clock.now() + ANSWER_LIMIT_MS, () => {
      resolver.cancel();
    });
    try {
      return await resolver.resolveSrv(name);
    } finally {
      stopTimer();
    }
  };
}

function endpointsFrom(records: readonly SrvRecord[], secure: boolean): Endpoint[] {
  const addresses = [...records]
    // RFC 2782: the root as target means that the service does not exist.
    .filter(({ name }) => name !== '' && name !== '.')
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
    .map(({ name, port }) => ({ secure, host: name.replace(/\.$/, ''), port }));
  return endpointsOf(addresses, secure, 0).slice(0, MOST_ENDPOINTS);
}

/** True when the error says that there are no such records. After any other error that is unknown. */
function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

/** The records of one service as endpoints; empty when DNS says that there are none. */
async function answeredBy(
  { name, secure }: { readonly name: string; readonly secure: boolean },
  answer: Promise<readonly SrvRecord[]>,
): Promise<Endpoint[]> {
  try {
    return endpointsFrom(await answer, secure);
  } catch (error) {
    if (isAbsent(error)) return [];
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new SetupError(
      'srv-dns',
      `Cannot find etcd: no answer from DNS about the SRV records of ${name} (${code}); check DNS, or set hosts instead of srv_domain`,
      { cause: error },
    );
  }
}

/**
 * The members by the SRV records of `domain`: those of the first service name that has records. When one question
 * fails, the search ends, because a later name could lead to plain text where the earlier one means TLS.
 * @param tlsWantedBy the setting that asks for TLS; the names for plain text are then not used
 * @throws {SetupError} when there are no records, when they are for plain text against that setting, or when DNS does
 * not answer
 */
export async function discover(
  domain: string,
  resolve: ResolveSrv,
  tlsWantedBy: string | undefined,
): Promise<Endpoint[]> {
  const questions = SERVICES.map(({ service, secure }) => {
    const name = `${service}.${domain}`;
    const answer = resolve(name);
    answer.catch(() => undefined); // looked at below, unless an earlier name has records
    return { service, name, secure, answer };
  });
  let plainService: string | undefined;
  for (const question of questions) {
    const isUnwanted = tlsWantedBy !== undefined && !question.secure;
    // An unwanted name is asked for only to explain the failure, so an error here is ignored.
    const endpoints = await answeredBy(question, question.answer).catch((error: unknown) => {
      if (isUnwanted) return [];
      throw error;
    });
    if (endpoints.length > 0 && !isUnwanted) return endpoints;
    if (endpoints.length > 0) plainService ??= question.service;
  }
  if (tlsWantedBy !== undefined && plainService !== undefined) {
    throw new SetupError(
      'srv-plain',
      `Cannot find etcd: srv_domain "${domain}" has SRV records for plain text only (${plainService}), and ${tlsWantedBy} asks for TLS; publish them as _etcd-client-ssl._tcp, or set hosts instead`,
    );
  }
  const names = SERVICES.map(({ service }) => service).join(', ');
  throw new SetupError(
    'srv-none',
    `Cannot find etcd: srv_domain "${domain}" has no SRV records (${names}); correct it, or set hosts instead`,
  );
}
