import type { SeenEndpoint } from './check-endpoints.ts';
import type { CheckReport } from './check-report.ts';
import { limited } from './check-time.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { EtcdError } from './errors.ts';
import type { Alarm, ListedMember, MemberStatus } from './etcd-admin.ts';
import { bugsOf, isAtLeast } from './etcd-releases.ts';

type Answered = SeenEndpoint & { readonly status: MemberStatus };

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
  const answered = seen.filter((one): one is Answered => one.status !== undefined);
  const [first] = answered;
  if (first === undefined) return;
  checkIdentity(config, answered, report);
  checkLeader(answered, report);
  await checkMembership(config, seen, answered, world, report);
  await checkAlarms(first, world, report);
  checkSize(answered, report);
  checkVersions(answered, report);
}

function checkIdentity(config: Config, answered: readonly Answered[], report: CheckReport): void {
  const ids = new Set(answered.map(({ status }) => status.header.clusterId));
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

function checkLeader(answered: readonly Answered[], report: CheckReport): void {
  const leaderless = answered.filter(({ status }) => status.leaderId === '0');
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
    if (!status.isLearner) continue;
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
  answered: readonly Answered[],
  { clock }: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const listed = await firstOf(answered, (one) => limited(clock, (call) => one.member.listMembers(call)));
  if (!('members' in listed)) {
    report.add('note', 'members', `the list of members cannot be read: ${listed.message}`);
    return;
  }
  const known = new Map(answered.map(({ member, status }) => [status.header.memberId, member.endpoint]));
  for (const { member, status } of answered) {
    const { memberId } = status.header;
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
  const isComplete = seen.length === answered.length;
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

function nameOf({ name, clientUrls, id }: ListedMember): string {
  return `${name === '' ? BigInt(id).toString(16) : name} (${clientUrls.join(' ') || 'never started'})`;
}

/** The answer of the first member that gives one, or why the last did not. */
async function firstOf<T>(
  answered: readonly Answered[],
  ask: (one: Answered) => Promise<T>,
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

async function checkAlarms(first: Answered, { clock }: CommandWorld, report: CheckReport): Promise<void> {
  let alarms: readonly Alarm[];
  try {
    alarms = await limited(clock, (call) => first.member.alarms(call));
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    report.add('note', 'alarms', `cannot be read: ${error.message}`);
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

function checkSize(answered: readonly Answered[], report: CheckReport): void {
  const largest = Math.max(...answered.map(({ status }) => status.dbSizeBytes));
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

function checkVersions(answered: readonly Answered[], report: CheckReport): void {
  const versions = [...new Set(answered.map(({ status }) => status.version))].sort();
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
