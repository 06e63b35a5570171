import { isIP } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { EtcdError } from '../../base/errors.ts';
import { silence } from '../../cluster/member-failures.ts';
import type { CallOptions, Header } from '../../cluster/member.ts';
import type { Config } from '../../config/config.ts';
import type { DnsCache } from '../../connect/dns-cache.ts';
import type { TlsFiles } from '../../connect/tls-files.ts';
import type { AdminMember, MemberStatus } from '../../etcd/admin.ts';
import type { Token } from '../../etcd/token.ts';
import { httpGet, type HttpAnswer } from './http.ts';
import { CALL_LIMIT_MS, limited } from './time.ts';

// The time that a starting helper has for a login (config/timing.ts), without the questions that follow.
const LOGIN_LIMIT_MS = 3_500;

/** What is known of one endpoint. */
export interface SeenEndpoint {
  readonly member: AdminMember;
  /** False: it could not be reached, or it refused the login. */
  readonly answers: boolean;
  /** Undefined without a login, or when authentication is off. */
  readonly token: Token | undefined;
  /** Undefined when the member shows it only to administrators of etcd, as 3.5.30 does with authentication on. */
  readonly status: MemberStatus | undefined;
  /** From the status, or from what the member tells over HTTP; undefined when neither has it. */
  readonly version: string | undefined;
  /** From any answer. Undefined when even the lock's directory may not be read. */
  readonly header: Header | undefined;
}

/** An endpoint that answered, and the times that were measured. */
export interface Look {
  readonly seen: SeenEndpoint;
  readonly addresses: readonly string[];
  readonly roundTripMs: number;
  /** From the start of the connection to the answer; with a login, this includes the check of the password. */
  readonly loginMs: number;
  readonly http: HttpAnswer | undefined;
  /**
   * Wall clock of this node minus wall clock of the member, in milliseconds. Undefined when the member does not tell
   * its time.
   */
  readonly clockGapMs: number | undefined;
}

/** Resolves to undefined for an answer that this user may not see. */
async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof EtcdError && (error.kind === 'permission' || error.kind === 'auth'))
      return undefined;
    throw error;
  }
}

/** The version in the HTTP answer, which needs no login: `{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}`. */
function versionIn(http: HttpAnswer | undefined): string | undefined {
  return /"etcdserver":"([^"]+)"/.exec(http?.body ?? '')?.[1];
}

/** Asks one member. At the limit, the error names what the call waited for. */
async function askOne<T>(
  member: AdminMember,
  clock: Clock,
  call: (options: CallOptions) => Promise<T>,
  limitMs = CALL_LIMIT_MS,
): Promise<T> {
  let silent: EtcdError | undefined;
  try {
    return await limited(clock, call, limitMs, () => {
      silent = silence(member.endpoint, limitMs, member.waitsFor?.());
    });
  } catch (error) {
    throw silent ?? error;
  }
}

/**
 * The addresses of a host name. Empty when `host` is an address itself, and when the look-up fails: the connection to
 * the endpoint then fails as well, with a message that names the remedy.
 */
function addressesOf(host: string, names: DnsCache): Promise<readonly string[]> {
  if (isIP(host) !== 0) return Promise.resolve([]);
  return new Promise((resolve) => {
    names.look(host, resolve, () => {
      resolve([]);
    });
  });
}

/** What `lookAt` needs. */
export interface LookTools {
  readonly config: Config;
  /** The lock's directory. It is read when the status is not shown. */
  readonly directory: string;
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly names: DnsCache;
  /** How often the member is asked for its status after the first time. The shortest time counts as the round trip. */
  readonly timedQuestions: number;
}

/** Connects, logs in and asks for the status. Resolves to the failure when that is not possible. Only reads. */
export async function lookAt(
  member: AdminMember,
  { config, directory, files, clock, names, timedQuestions }: LookTools,
): Promise<Look | EtcdError> {
  try {
    const askedAtMs = clock.now();
    const token = await askOne(member, clock, (call) => member.logIn(call), LOGIN_LIMIT_MS);
    const loginMs = clock.now() - askedAtMs;
    const addresses = await addressesOf(member.address.host, names);
    // Without a login, the first question also opens the connection. So only the later ones are timed, and the shortest
    // time counts.
    let status = await ifAllowed(askOne(member, clock, (call) => member.status(call)));
    let roundTripMs = Infinity;
    for (let count = 0; count < timedQuestions; count += 1) {
      const sentAtMs = clock.now();
      status = await ifAllowed(askOne(member, clock, (call) => member.status(call)));
      roundTripMs = Math.min(roundTripMs, clock.now() - sentAtMs);
    }
    const header =
      status?.header ??
      (await ifAllowed(askOne(member, clock, (call) => member.readDirectory(directory, call))))?.header;
    const http = await limited(clock, ({ signal }) =>
      httpGet(member.address, '/version', { tls: config.tls, files, names, signal }),
    ).catch(() => undefined);
    const theirs = http?.date?.getTime();
    return {
      seen: { member, answers: true, token, status, version: status?.version ?? versionIn(http), header },
      addresses,
      roundTripMs,
      loginMs,
      http,
      // The date of an HTTP answer has whole seconds, so half a second is added.
      clockGapMs: theirs === undefined ? undefined : clock.wallNow() - theirs - 500,
    };
  } catch (error) {
    if (error instanceof EtcdError) return error;
    throw error;
  }
}
