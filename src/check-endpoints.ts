import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import type { CheckedConfig } from './check-config.ts';
import { httpGet, type HttpAnswer } from './check-http.ts';
import type { CheckReport } from './check-report.ts';
import { formatLatency, limited } from './check-time.ts';
import { daysLeft, reportDaysLeft } from './check-tls.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { EtcdError } from './errors.ts';
import type { Header } from './etcd.ts';
import type { AdminMember, MemberStatus } from './etcd-admin.ts';
import { TlsFiles } from './tls-files.ts';

/** What one endpoint showed. */
export interface SeenEndpoint {
  readonly member: AdminMember;
  /** False: it could not be reached, or did not let us in. */
  readonly answers: boolean;
  readonly isAuthOn: boolean;
  /** Undefined where the member shows it to administrators of etcd only, as 3.5.30 does with authentication on. */
  readonly status: MemberStatus | undefined;
  /** From the status, or from what the member tells over HTTP; undefined when neither says. */
  readonly version: string | undefined;
  /** Of any answer; undefined when we may not even read the lock's directory. */
  readonly header: Header | undefined;
}

type Look =
  | {
      readonly kind: 'seen';
      readonly seen: SeenEndpoint;
      readonly addresses: readonly string[];
      readonly roundTripMs: number;
      readonly http: HttpAnswer | undefined;
      readonly clockGapMs: number | undefined;
    }
  | { readonly kind: 'failed'; readonly member: AdminMember; readonly error: EtcdError };

// Certificates, tokens and the times in two logs live with this; the lock itself looks at no wall clock.
const CLOCK_GAP_MS = 5_000;

/** Looks at every endpoint: name, connection, TLS, login, version. Reports all of it, in the order of the configuration. */
export async function checkEndpoints(
  { config, directory }: CheckedConfig,
  members: readonly AdminMember[],
  world: CommandWorld,
  report: CheckReport,
): Promise<readonly SeenEndpoint[]> {
  report.progress(`asking ${members.map(({ endpoint }) => endpoint).join(', ')}`);
  const files = new TlsFiles(config.tls);
  const looks = await Promise.all(members.map((member) => look(member, directory, config, files, world)));
  const works = looks.some(({ kind }) => kind === 'seen');
  return looks.map((one): SeenEndpoint => {
    if (one.kind === 'failed') {
      const { endpoint, message, remedy, kind } = one.error;
      const area = kind === 'tls' ? 'tls' : kind === 'auth' || kind === 'permission' ? 'login' : 'connect';
      const advice = remedy ?? 'see that etcd runs there and that no firewall stands between';
      report.add(works ? 'warning' : 'problem', area, message, advice, endpoint);
      return { ...NOTHING_SEEN, member: one.member };
    }
    reportSeen(one, config, world, report);
    return one.seen;
  });
}

const NOTHING_SEEN = {
  answers: false,
  isAuthOn: false,
  status: undefined,
  version: undefined,
  header: undefined,
} as const;

/** Undefined for what this user may not see. */
async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof EtcdError && (error.kind === 'permission' || error.kind === 'auth'))
      return undefined;
    throw error;
  }
}

/** The version that a member tells everybody: `{"etcdserver":"3.5.16","etcdcluster":"3.5.0"}`. */
function versionIn(http: HttpAnswer | undefined): string | undefined {
  return /"etcdserver":"([^"]+)"/.exec(http?.body ?? '')?.[1];
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [];
  try {
    return (await dns.lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);
  } catch {
    return []; // the connection says so, in better words
  }
}

async function look(
  member: AdminMember,
  directory: string,
  config: Config,
  files: TlsFiles,
  { clock }: CommandWorld,
): Promise<Look> {
  try {
    const [addresses, { isAuthOn }] = await Promise.all([
      addressesOf(member.address.host),
      limited(clock, (call) => member.logIn(call)),
    ]);
    // The first question opens the connection where no login did; the second one is timed.
    await ifAllowed(limited(clock, (call) => member.status(call)));
    const sentAtMs = clock.now();
    const status = await ifAllowed(limited(clock, (call) => member.status(call)));
    const roundTripMs = clock.now() - sentAtMs;
    const header =
      status?.header ??
      (await ifAllowed(limited(clock, (call) => member.readDirectory(directory, call))))?.header;
    const http = await limited(clock, ({ signal }) =>
      httpGet(member.address, '/version', { tls: config.tls, files, signal }),
    ).catch(() => undefined);
    const theirs = http?.date?.getTime();
    const version = status?.version ?? versionIn(http);
    return {
      kind: 'seen',
      seen: { member, answers: true, isAuthOn, status, version, header },
      addresses,
      roundTripMs,
      http,
      // The date of an answer has no fractions: half a second of it is nobody's fault.
      clockGapMs: theirs === undefined ? undefined : clock.wallNow() - theirs - 500,
    };
  } catch (error) {
    if (error instanceof EtcdError) return { kind: 'failed', member, error };
    throw error;
  }
}

function roleOf({ isLearner, leaderId, header }: MemberStatus): string {
  if (isLearner) return 'learner';
  return leaderId === header.memberId ? 'leader' : 'follower';
}

function reportSeen(
  { seen, addresses, roundTripMs, http, clockGapMs }: Extract<Look, { kind: 'seen' }>,
  config: Config,
  world: CommandWorld,
  report: CheckReport,
): void {
  const { endpoint, address } = seen.member;
  const { status, version } = seen;
  const where = addresses.length === 0 ? '' : `${addresses.join(' ')}, `;
  const role = status === undefined ? '' : `${roleOf(status)}, `;
  const slow = roundTripMs > 100;
  report.add(
    slow ? 'warning' : 'ok',
    'connect',
    `${where}etcd ${version ?? 'of unknown version'}, ${role}round trip ${formatLatency(roundTripMs)}`,
    slow ? 'find out what slows the network or the member down' : undefined,
    endpoint,
  );
  if (http?.tls !== undefined) {
    const { certificate, protocol } = http.tls;
    const text = `${protocol}, certificate of ${subjectOf(certificate.subject)} by ${subjectOf(certificate.issuer)}`;
    const days = daysLeft(certificate.valid_to, world.clock.wallNow());
    const remedy = "renew the member's certificate";
    reportDaysLeft(report, text, days, remedy, endpoint);
  } else if (!address.secure && isIP(address.host) !== 0 && !/^(127\.|::1$)/.test(address.host)) {
    report.add(
      'note',
      'tls',
      'not encrypted: who is on the network can read and change the lock',
      undefined,
      endpoint,
    );
  }
  if (config.login !== undefined) {
    const { username } = config.login;
    if (seen.isAuthOn) report.add('ok', 'login', `logged in as "${username}"`, undefined, endpoint);
    else {
      report.add(
        'warning',
        'login',
        'authentication is off: anybody who reaches etcd can take the lock',
        'run etcdctl auth enable, once users and roles are there',
        endpoint,
      );
    }
  }
  if (clockGapMs !== undefined && Math.abs(clockGapMs) > CLOCK_GAP_MS) {
    const seconds = Math.round(Math.abs(clockGapMs) / 1000);
    const text = `its clock is ${seconds} s ${clockGapMs > 0 ? 'behind' : 'ahead of'} ours`;
    report.add('warning', 'clock', text, 'let NTP keep both', endpoint);
  }
}

function subjectOf(
  name: { readonly CN?: string | string[]; readonly O?: string | string[] } | undefined,
): string {
  const text = name?.CN ?? name?.O ?? 'nobody';
  return `"${Array.isArray(text) ? text.join(' ') : text}"`;
}
