import type { SeenEndpoint } from './check-endpoints.ts';
import type { CheckReport } from './check-report.ts';
import { limited } from './check-time.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { EtcdError } from './errors.ts';
import type { ListedMember } from './etcd-admin.ts';
import { bugsOf, isAtLeast } from './etcd-releases.ts';

const GIBIBYTE = 2 ** 30;
// etcd's default --quota-backend-bytes, where it raises NOSPACE and refuses leases; four fifths are time enough to act.
const DEFAULT_QUOTA_BYTES = 2 * GIBIBYTE;
const LARGE_SHARE = 0.8;

/** Looks at the cluster behind the endpoints: one and the same, complete, led, with room, without known bugs. */
export async function checkCluster(
  config: Config,
  seen: readonly SeenEndpoint[],
  world: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const answered = seen.filter(({ answers }) => answers);
  checkIdentity(config, answered, report);
  checkLeader(answered, report);
  await checkMembership(config, seen, answered, world, report);
  await checkAlarms(answered, world, report);
  checkSize(answered, report);
  checkVersions(answered, report);
}

function checkIdentity(config: Config, answered: readonly SeenEndpoint[], report: CheckReport): void {
  const ids = new Set(answered.flatMap(({ header }) => (header === undefined ? [] : [header.clusterId])));
  if (ids.size === 0) return; // nothing may be read, which the permissions show
  const text = [...ids].join(' and ');
  if (ids.size > 1) {
    report.add(
      'problem',
      'cluster',
      `hosts lead to ${ids.size} clusters, ${text}`,
      'list members of one cluster only',
    );
  } else if (config.expectedClusterId === undefined) {
    report.add('ok', 'cluster', `ID ${text}; expected_cluster_id = ${text} would refuse any other`);
  } else report.add('ok', 'cluster', `ID ${text}, as expected_cluster_id says`);
}

function checkLeader(answered: readonly SeenEndpoint[], report: CheckReport): void {
  const leaderless = answered.filter(({ status }) => status?.leaderId === '0');
  for (const { member } of leaderless) {
    report.add(
      leaderless.length === answered.length ? 'problem' : 'warning',
      'leader',
      'the member has no raft leader',
      'check that most members run and reach each other',
      member.endpoint,
    );
  }
  for (const { member, status } of answered) {
    if (status?.isLearner !== true) continue;
    report.add(
      'warning',
      'leader',
      'the member is a learner, which answers no questions about locks',
      'promote it with etcdctl member promote, or take it out of hosts',
      member.endpoint,
    );
  }
}

async function checkMembership(
  config: Config,
  seen: readonly SeenEndpoint[],
  answered: readonly SeenEndpoint[],
  { clock }: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const listed = await firstOf(answered, (one) => limited(clock, (call) => one.member.listMembers(call)));
  if (listed instanceof EtcdError) {
    report.add('note', 'members', unread('its members', listed));
    return;
  }
  const known = new Map(answered.map(({ member, header }) => [header?.memberId, member.endpoint]));
  for (const { member, header } of answered) {
    if (header === undefined) continue;
    const { memberId } = header;
    const twin = known.get(memberId);
    if (twin !== member.endpoint)
      report.add('note', 'members', `leads to the same member as ${twin ?? ''}`, undefined, member.endpoint);
    if (listed.members.some(({ id }) => id === memberId)) continue;
    report.add(
      'problem',
      'members',
      'is not a member of this cluster',
      'take it out of hosts',
      member.endpoint,
    );
  }
  const isComplete = seen.every(({ header }) => header !== undefined);
  const missing = listed.members.filter(({ id, isLearner }) => !known.has(id) && !isLearner);
  for (const member of isComplete && config.srvDomain === undefined ? missing : []) {
    report.add(
      'warning',
      'members',
      `member ${nameOf(member)} is not in hosts`,
      'add it, so that the lock survives the others',
    );
  }
  const votes = listed.members.filter(({ isLearner }) => !isLearner).length;
  const spare = Math.floor((votes - 1) / 2);
  const text = `${votes} voting member${votes === 1 ? '' : 's'}: the lock survives the loss of ${spare}`;
  if (spare === 0) report.add('warning', 'members', text, 'run etcd with 3 members');
  else report.add('ok', 'members', text);
  if (!config.useOtherMembers) {
    report.add(
      'warning',
      'members',
      'allow_reconnect is no, so only the first host is used',
      'remove allow_reconnect',
    );
  }
}

function unread(what: string, { kind, message }: EtcdError): string {
  return kind === 'permission'
    ? `etcd shows ${what} to its administrators only`
    : `etcd did not show ${what}: ${message}`;
}

function nameOf({ name, clientUrls, id }: ListedMember): string {
  return `${name === '' ? BigInt(id).toString(16) : name} (${clientUrls.join(' ') || 'never started'})`;
}

/** The answer of the first member that gives one, or why the last did not. */
async function firstOf<T>(
  answered: readonly SeenEndpoint[],
  ask: (one: SeenEndpoint) => Promise<T>,
): Promise<T | EtcdError> {
  let failure = new EtcdError('unavailable', '', 'nobody was asked');
  for (const one of answered) {
    try {
      return await ask(one);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      failure = error;
    }
  }
  return failure;
}

const ALARM_REMEDY: Readonly<Record<string, string>> = {
  NOSPACE: 'compact and defragment it, then run etcdctl alarm disarm',
  CORRUPT: 'replace the member: etcdctl member remove, empty its data, member add',
};

async function checkAlarms(
  answered: readonly SeenEndpoint[],
  { clock }: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const alarms = await firstOf(answered, (one) => limited(clock, (call) => one.member.alarms(call)));
  if (alarms instanceof EtcdError) {
    report.add('note', 'alarms', unread('its alarms', alarms));
    return;
  }
  if (alarms.length === 0) report.add('ok', 'alarms', 'none');
  for (const { memberId, alarm } of alarms) {
    const member = BigInt(memberId).toString(16);
    report.add(
      'problem',
      'alarms',
      `${alarm} on member ${member}`,
      ALARM_REMEDY[alarm] ?? 'see etcdctl alarm list',
    );
  }
}

function checkSize(answered: readonly SeenEndpoint[], report: CheckReport): void {
  const sizes = answered.flatMap(({ status }) => (status === undefined ? [] : [status.dbSizeBytes]));
  if (sizes.length === 0) return;
  const largest = Math.max(...sizes);
  const text = `${(largest / 2 ** 20).toFixed(1)} MiB`;
  if (largest < DEFAULT_QUOTA_BYTES * LARGE_SHARE) report.add('ok', 'database', text);
  else {
    const remedy = 'compact and defragment it, or raise --quota-backend-bytes';
    report.add(
      'warning',
      'database',
      `${text}; etcd refuses leases at its quota, 2048 MiB unless set`,
      remedy,
    );
  }
}

function checkVersions(answered: readonly SeenEndpoint[], report: CheckReport): void {
  const versions = [...new Set(answered.flatMap(({ version }) => version ?? []))].sort();
  if (versions.length > 1)
    report.add('note', 'version', `members run ${versions.join(' and ')}: an upgrade is under way`);
  for (const version of versions) {
    if (!isAtLeast(version, '3.3.0')) {
      report.add('problem', 'version', `etcd ${version} is too old for the lock`, 'use etcd 3.3 or newer');
      continue;
    }
    const bugs = bugsOf(version);
    for (const { issue, what, endangersLock, fixedIn } of bugs) {
      const text = `etcd ${version} has bug #${issue}: ${what}`;
      if (endangersLock) report.add('warning', 'version', text, `upgrade to ${fixedIn ?? '3.5.13'} or later`);
      else report.add('note', 'version', `${text}; the lock is proof against it`);
    }
    if (bugs.length === 0)
      report.add('ok', 'version', `etcd ${version} has none of the known bugs with leases`);
  }
}
