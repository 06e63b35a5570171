import type { SeenEndpoint } from './endpoint-look.ts';
import { checkMembership, firstOf, hex, unread } from './members.ts';
import type { CheckReport } from './report.ts';
import { limited } from './time.ts';
import type { CommandContext } from '../context.ts';
import type { Config } from '../../config/config.ts';
import { EtcdError } from '../../base/errors.ts';
import { clusterIdText } from '../../base/ids.ts';
import type { Alarm, MemberStatus } from '../../etcd/admin.ts';
import { bugsOf, isAtLeast, isKnownLine, lastOfEndedLine } from '../../etcd/releases.ts';

const MEBIBYTE = 2 ** 20;
// In bytes: the default of etcd's --quota-backend-bytes. At the quota etcd raises NOSPACE and refuses leases. The
// warning comes at four fifths, which leaves time to act.
const DEFAULT_QUOTA_BYTES = 2_048 * MEBIBYTE;
const LARGE_SHARE = 0.8;

type DatabaseSize = Pick<MemberStatus, 'dbSizeBytes' | 'dbQuotaBytes'>;

/**
 * Checks the cluster behind the endpoints: that it is one cluster, that no member is missing, that it has a raft leader
 * and free space, and that its release has no known bug.
 * @param onlyReads sends no request that writes an entry into the raft log
 */
export async function checkCluster(
  config: Config,
  seen: readonly SeenEndpoint[],
  context: CommandContext,
  report: CheckReport,
  onlyReads: boolean,
): Promise<void> {
  const answered = seen.filter(({ answers }) => answers);
  checkIdentity(config, answered, report);
  checkLeader(answered, report);
  await checkMembership(config, seen, answered, context, report);
  await checkAlarms(answered, context, report, onlyReads);
  checkSize(
    answered.flatMap(({ status }) => status ?? []),
    report,
  );
  checkVersions(answered, report);
}

function checkIdentity(config: Config, answered: readonly SeenEndpoint[], report: CheckReport): void {
  const ids = new Set(answered.flatMap(({ header }) => (header === undefined ? [] : [header.clusterId])));
  if (ids.size === 0) return; // nothing may be read, which the permissions show
  const text = [...ids].map(clusterIdText).join(' and ');
  if (ids.size > 1) {
    report.problem(
      'cluster-several',
      `hosts lead to ${ids.size} clusters, ${text}`,
      'list only members of one cluster in hosts',
    );
  } else if (config.expectedClusterId === undefined) {
    report.ok(
      'cluster-ok',
      `ID ${text}; --cluster-id ${text} in the lock string would refuse any other cluster`,
    );
  } else {
    const by = config.given.clusterId === undefined ? 'expected_cluster_id' : 'the lock string';
    report.ok('cluster-expected', `ID ${text}, as in ${by}`);
  }
}

function checkLeader(answered: readonly SeenEndpoint[], report: CheckReport): void {
  const leaderless = answered.filter(({ status }) => status?.leaderId === '0');
  const text = 'the member has no raft leader';
  const remedy = 'check that most members run and reach each other';
  for (const { member } of leaderless) {
    if (leaderless.length === answered.length) report.problem('leader-none', text, remedy, member.endpoint);
    else report.warning('leader-none', text, remedy, member.endpoint);
  }
  const leaders = new Set(
    answered.flatMap(({ status }) => status?.leaderId ?? []).filter((id) => id !== '0'),
  );
  const [leader] = leaders;
  if (leaders.size > 1) {
    const ids = [...leaders].map(hex).join(' and ');
    report.warning(
      'leader-several',
      `members follow different raft leaders, ${ids}`,
      'run check again, and if this repeats, check the network between the members',
    );
  } else if (leader !== undefined && leaderless.length === 0) {
    const endpoint = answered.find(({ header }) => header?.memberId === leader)?.member.endpoint;
    report.ok('leader-ok', `all follow ${endpoint ?? `member ${hex(leader)}`}`);
  }
  for (const { member, status } of answered) {
    if (status?.isLearner !== true) continue;
    report.warning(
      'leader-learner',
      'the member is a learner and cannot serve the lock',
      'promote it with etcdctl member promote, or remove it from hosts',
      member.endpoint,
    );
  }
}

/** @param revision the newest revision; history can be compacted up to it */
function alarmRemedy(alarm: string, member: string, revision: bigint): string {
  switch (alarm) {
    case 'NOSPACE': {
      const compact = `etcdctl compact ${revision.toString()} && etcdctl defrag --cluster`;
      return `run ${compact} && etcdctl alarm disarm`;
    }
    case 'CORRUPT':
      return `replace the member: etcdctl member remove ${member}, delete its data directory, etcdctl member add`;
    default:
      return 'see etcdctl alarm list';
  }
}

/** The alarms in the statuses, each once; undefined when no member shows its status. */
function alarmsSeen(answered: readonly SeenEndpoint[]): readonly Alarm[] | undefined {
  const told = answered.flatMap(({ status }) => (status?.alarms === undefined ? [] : [status.alarms]));
  if (told.length === 0) return undefined;
  return [...new Map(told.flat().map((alarm) => [`${alarm.memberId} ${alarm.alarm}`, alarm])).values()];
}

async function checkAlarms(
  answered: readonly SeenEndpoint[],
  { clock }: CommandContext,
  report: CheckReport,
  onlyReads: boolean,
): Promise<void> {
  const seen = alarmsSeen(answered);
  if (seen === undefined && onlyReads) {
    report.note('alarms-unseen', 'etcd shows its alarms only to its administrators');
    return;
  }
  const alarms =
    seen ?? (await firstOf(answered, (one) => limited(clock, (call) => one.member.alarms(call))));
  if (alarms instanceof EtcdError) {
    report.note('alarms-unseen', unread('its alarms', alarms));
    return;
  }
  if (alarms.length === 0) report.ok('alarms-ok', 'no alarm is raised');
  for (const { memberId, alarm } of alarms) {
    const member = hex(memberId);
    const remedy = alarmRemedy(alarm, member, newestRevision(answered));
    report.problem('alarms-raised', `${alarm} on member ${member}`, remedy);
  }
}

function newestRevision(answered: readonly SeenEndpoint[]): bigint {
  return answered
    .map(({ header }) => header?.revision ?? 0n)
    .reduce((newest, revision) => (revision > newest ? revision : newest), 0n);
}

/** The database that fills the largest share of its quota. */
export function checkSize(
  statuses: readonly DatabaseSize[],
  report: Pick<CheckReport, 'ok' | 'warning'>,
): void {
  const shareOf = ({ dbSizeBytes, dbQuotaBytes = DEFAULT_QUOTA_BYTES }: DatabaseSize): number =>
    dbSizeBytes / dbQuotaBytes;
  const [fullest] = statuses.toSorted((a, b) => shareOf(b) - shareOf(a) || b.dbSizeBytes - a.dbSizeBytes);
  if (fullest === undefined) return;
  const { dbSizeBytes, dbQuotaBytes } = fullest;
  const text = `${(dbSizeBytes / MEBIBYTE).toFixed(1)} MiB on disk`;
  if (shareOf(fullest) < LARGE_SHARE) {
    report.ok('database-ok', text);
    return;
  }
  const quota =
    dbQuotaBytes === undefined
      ? 'its quota, 2048 MiB by default'
      : `its quota of ${(dbQuotaBytes / MEBIBYTE).toFixed(1)} MiB`;
  report.warning(
    'database-large',
    `${text}, and etcd refuses leases at ${quota}`,
    'compact and defragment it, or raise --quota-backend-bytes',
  );
}

function checkVersions(answered: readonly SeenEndpoint[], report: CheckReport): void {
  const versions = [...new Set(answered.flatMap(({ version }) => version ?? []))].sort();
  if (versions.length > 1)
    report.note('version-mixed', `members run ${versions.join(' and ')}: an upgrade is under way`);
  for (const version of versions) {
    if (!isAtLeast(version, '3.3.0')) {
      report.problem('version-old', `etcd ${version} is too old for the lock`, 'use etcd 3.3 or newer');
      continue;
    }
    if (!isKnownLine(version)) {
      report.note('version-unknown', `the bugs of etcd ${version} are unknown to this program`);
      continue;
    }
    const last = lastOfEndedLine(version);
    if (last !== undefined)
      report.note(
        'version-ended',
        `the line of etcd ${version} has ended with ${last} and gets no more fixes`,
      );
    const bugs = bugsOf(version);
    for (const { issue, what, endangersLock, fixedIn } of bugs) {
      const which = issue === undefined ? 'a bug' : `bug #${issue}`;
      const text = `etcd ${version} has ${which}: ${what}`;
      if (endangersLock) report.warning('version-bug', text, `upgrade to ${fixedIn ?? '3.5.28'} or later`);
      else report.note('version-proof', `${text}; the lock is not affected`);
    }
    if (bugs.length === 0)
      report.ok('version-ok', `etcd ${version} has fixes for all bugs that this program knows`);
  }
}
