import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import type { Look } from './endpoint-look.ts';
import type { CheckReport } from './report.ts';
import { formatLatency } from './time.ts';
import { daysLeft, reportDaysLeft } from './tls.ts';
import { formatDuration } from '../output.ts';
import type { Config } from '../../config/config.ts';
import type { MemberStatus } from '../../etcd/admin.ts';

// Certificates, tokens and the comparison of logs depend on the wall clock. The lock does not.
const CLOCK_GAP_MS = 5_000;
// A fifteenth of the time that the helper gives a member to answer, and far above the latency of a local network.
const SLOW_MS = 100;
// A login at etcd's default --bcrypt-cost of 10 takes 70 ms. A starting helper has 3.7 s for all its questions.
const SLOW_LOGIN_MS = 900;
// A login costs the member 50 to 100 ms (bcrypt), and a renewal comes every 2 s.
const SHORT_TOKEN_MS = 30_000;

/** Reports an endpoint that answers: its version and identity, its certificates, the login and its clock. */
export function reportSeen(look: Look, config: Config, wallNowMs: number, report: CheckReport): void {
  const { seen, addresses, roundTripMs, clockGapMs } = look;
  const { endpoint } = seen.member;
  const where = addresses.length === 0 ? '' : `${addresses.join(' ')}, `;
  const role = seen.status === undefined ? '' : `${roleOf(seen.status)}, `;
  const text = `${where}etcd ${seen.version ?? 'of unknown version'}, ${role}round trip ${formatLatency(roundTripMs)}`;
  if (roundTripMs <= SLOW_MS) report.ok('connect-ok', text, endpoint);
  else
    report.warning(
      'connect-slow',
      text,
      'check the network, and the load and the disk of the member',
      endpoint,
    );
  reportTls(look, wallNowMs, report);
  if (config.login !== undefined) reportLogin(look, config.login.username, wallNowMs, report);
  if (clockGapMs !== undefined && Math.abs(clockGapMs) > CLOCK_GAP_MS) {
    const seconds = Math.round(Math.abs(clockGapMs) / 1000);
    const gap = `its clock is ${seconds} s ${clockGapMs > 0 ? 'behind' : 'ahead of'} the clock of this host`;
    report.warning('clock-gap', gap, 'synchronize both clocks with NTP', endpoint);
  }
}

function roleOf({ isLearner, leaderId, header }: MemberStatus): string {
  if (isLearner) return 'learner';
  return leaderId === header.memberId ? 'leader' : 'follower';
}

function reportTls({ seen, http }: Look, wallNowMs: number, report: CheckReport): void {
  const { endpoint, address } = seen.member;
  if (http?.tls !== undefined) {
    const [leaf, ...between] = http.tls.chain;
    if (leaf === undefined) return;
    const days = (certificate: PeerCertificate): number => daysLeft(certificate.valid_to, wallNowMs);
    const text = `${http.tls.protocol}, certificate of ${names(leaf)}`;
    reportDaysLeft(report, text, days(leaf), "renew the member's certificate", endpoint);
    for (const one of between) {
      const remedy = "renew it, and put it into the member's certificate file";
      reportDaysLeft(report, `intermediate certificate: ${names(one)}`, days(one), remedy, endpoint);
    }
  } else if (!address.secure && isIP(address.host) !== 0 && !/^(127\.|::1$)/.test(address.host)) {
    report.note('tls-plain', 'not encrypted: anyone on the network can read and change the lock', endpoint);
  }
}

/** `"etcd1" by "the authority"` */
function names({ subject, issuer }: PeerCertificate): string {
  return `"${nameOf(subject)}" by "${nameOf(issuer)}"`;
}

function nameOf({ CN, O }: Partial<PeerCertificate['subject']>): string {
  return [CN ?? O ?? 'nobody'].flat().join(' ');
}

function reportLogin(
  { seen, loginMs, clockGapMs }: Look,
  username: string,
  wallNowMs: number,
  report: CheckReport,
): void {
  const { token } = seen;
  const { endpoint } = seen.member;
  if (token === undefined) {
    report.warning(
      'login-off',
      'authentication is off: anyone who reaches etcd can take the lock',
      'run etcdctl auth enable, once users and roles exist',
      endpoint,
    );
    return;
  }
  if (loginMs > SLOW_LOGIN_MS) {
    report.warning(
      'login-slow',
      `a login takes ${formatLatency(loginMs)} of the 3.7 s in which the helper must answer`,
      'lower --bcrypt-cost of etcd, then set the password again',
      endpoint,
    );
  }
  const who = `logged in as "${username}"`;
  if (token.kind === 'simple') {
    report.ok(
      'login-ok',
      `${who}; the login ends 5 min after its last use, unless --auth-token-ttl sets another time`,
      endpoint,
    );
    return;
  }
  // The member wrote the end by its own clock, so its clock is used here.
  const leftMs = token.endsAtMs - (wallNowMs - (clockGapMs ?? 0));
  const text = `${who}; the login ends after ${formatDuration(leftMs)}`;
  if (leftMs >= SHORT_TOKEN_MS) report.ok('login-ok', text, endpoint);
  else report.warning('login-short', text, 'set a longer ttl in --auth-token of etcd', endpoint);
}
