import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { httpGet, type HttpAnswer } from './check-http.ts';
import type { CheckReport } from './check-report.ts';
import { formatLatency, limited } from './check-time.ts';
import { daysLeft, reportDaysLeft } from './check-tls.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { EtcdError } from './errors.ts';
import type { AdminMember, MemberStatus } from './etcd-admin.ts';
import { TlsFiles } from './tls-files.ts';

/** What one endpoint showed. */
export interface SeenEndpoint {
  readonly member: AdminMember;
  /** Undefined when it did not answer. */
  readonly status: MemberStatus | undefined;
  readonly isAuthOn: boolean;
}

type Look =
  | {
      readonly kind: 'seen';
      readonly seen: SeenEndpoint & { readonly status: MemberStatus };
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
  config: Config,
  members: readonly AdminMember[],
  world: CommandWorld,
  report: CheckReport,
): Promise<readonly SeenEndpoint[]> {
  report.progress(`asking ${members.map(({ endpoint }) => endpoint).join(', ')}`);
  const files = new TlsFiles(config.tls);
  const looks = await Promise.all(members.map((member) => look(member, config, files, world)));
  const works = looks.some(({ kind }) => kind === 'seen');
  return looks.map((one): SeenEndpoint => {
    if (one.kind === 'failed') {
      const { endpoint, message, remedy, kind } = one.error;
      const area = kind === 'tls' ? 'tls' : kind === 'auth' || kind === 'permission' ? 'login' : 'connect';
      const advice = remedy ?? 'see that etcd runs there and that no firewall stands between';
      report.add(works ? 'warning' : 'problem', area, message, advice, endpoint);
      return { member: one.member, status: undefined, isAuthOn: false };
    }
    reportSeen(one, config, world, report);
    return one.seen;
  });
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
  config: Config,
  files: TlsFiles,
  { clock }: CommandWorld,
): Promise<Look> {
  const { host } = member.address;
  try {
    const [addresses, { isAuthOn }] = await Promise.all([
      addressesOf(host),
      limited(clock, (call) => member.logIn(call)),
    ]);
    // The first one opens the connection where no login did.
    await limited(clock, (call) => member.status(call));
    const sentAtMs = clock.now();
    const status = await limited(clock, (call) => member.status(call));
    const roundTripMs = clock.now() - sentAtMs;
    const http = await limited(clock, ({ signal }) =>
      httpGet(member.address, '/version', { tls: config.tls, files, signal }),
    ).catch(() => undefined);
    const theirs = http?.date?.getTime();
    return {
      kind: 'seen',
      seen: { member, status, isAuthOn },
      addresses,
      roundTripMs,
      http,
      // The date of an answer has no fractions: half a second of it is nobody's fault.
      clockGapMs: theirs === undefined ? undefined : Date.now() - theirs - 500,
    };
  } catch (error) {
    if (error instanceof EtcdError) return { kind: 'failed', member, error };
    throw error;
  }
}

function reportSeen(
  { seen, addresses, roundTripMs, http, clockGapMs }: Extract<Look, { kind: 'seen' }>,
  config: Config,
  world: CommandWorld,
  report: CheckReport,
): void {
  const { endpoint, address } = seen.member;
  const { status } = seen;
  const where = addresses.length === 0 ? '' : `${addresses.join(' ')}, `;
  const role = status.isLearner
    ? 'learner'
    : status.leaderId === status.header.memberId
      ? 'leader'
      : 'follower';
  const slow = roundTripMs > 100;
  report.add(
    slow ? 'warning' : 'ok',
    'connect',
    `${where}etcd ${status.version}, ${role}, round trip ${formatLatency(roundTripMs)}`,
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
