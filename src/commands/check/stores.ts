import { sleepUntil } from '../../base/clock.ts';
import { EtcdError } from '../../base/errors.ts';
import type { LeaseId, Member } from '../../cluster/member.ts';
import type { AdminMember, ListedMember } from '../../etcd/admin.ts';
import { newLeaseId } from '../../lock/lease-id.ts';
import type { CommandContext } from '../context.ts';
import type { SeenEndpoint } from './endpoint-look.ts';
import { hex } from './members.ts';
import type { CheckReport } from './report.ts';
import { limited } from './time.ts';

// The raft leader answers questions about a lease. A follower that granted it can apply the grant some milliseconds
// before the leader does.
const LOOK_AGAIN_MS = 300;

// Below the minimum of every member, so that each raises it to its own minimum (etcd, `server/lease/lessor.go`).
const SHORTEST_TTL_MS = 1_000;

/** Resolves to undefined when the endpoint does not answer or refuses. */
async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof EtcdError) return undefined;
    throw error;
  }
}

/**
 * Asks every endpoint for a lease that was granted through one of them. Only an endpoint of the same store knows the
 * lease. The IDs cannot show this: members that were never joined to one cluster can have the same cluster ID and
 * member ID. Keys cannot either: `make-mirror` copies keys, but not leases.
 */
export async function checkOneStore(
  leaseId: LeaseId,
  members: readonly AdminMember[],
  { clock }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const knows = async (member: AdminMember): Promise<boolean | undefined> => {
    const ask = (): Promise<boolean | undefined> =>
      orUndefined(limited(clock, async (call) => (await member.timeToLive(leaseId, call)).grantedTtlMs > 0));
    const first = await ask();
    if (first !== false) return first;
    await sleepUntil(clock, clock.now() + LOOK_AGAIN_MS, new AbortController().signal);
    return ask();
  };
  const answers = await Promise.all(members.map(async (member) => ({ member, knows: await knows(member) })));
  const [known, unknown] = [true, false].map((one) => answers.filter((answer) => answer.knows === one));
  const count = known?.length ?? 0;
  for (const { member } of unknown ?? []) {
    report.problem(
      'store-another',
      `does not know a lease that ${known?.map((one) => one.member.endpoint).join(' and ') ?? ''} has just granted: it is another store, so two nodes could both take the lock`,
      'list in hosts only the members that one etcdctl member list shows',
      member.endpoint,
    );
  }
  if (count > 1 && unknown?.length === 0)
    report.ok('store-ok', `${count} endpoints lead to one store: a lease that one grants is known to all`);
}

/** Compares the member lists of the endpoints, and their revisions, which only grow. Only reads. */
export async function checkSameCluster(
  directory: string,
  seen: readonly SeenEndpoint[],
  { clock }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const answered = seen.filter(({ answers }) => answers);
  const lists = await Promise.all(
    answered.map(async ({ member }) => ({
      member,
      listed: await orUndefined(limited(clock, (call) => member.listMembers(call))),
    })),
  );
  const shown = lists.flatMap(({ member, listed }) =>
    listed === undefined ? [] : [{ endpoint: member.endpoint, text: membersText(listed.members) }],
  );
  const [first] = shown;
  for (const { endpoint, text } of shown) {
    if (first === undefined || text === first.text) continue;
    report.problem(
      'store-members',
      `its members are ${text}, and those of ${first.endpoint} are ${first.text}: it is another cluster`,
      'list only members of one cluster in hosts',
      endpoint,
    );
  }
  let highest: { readonly endpoint: string; readonly revision: bigint } | undefined;
  for (const { member } of answered) {
    const found = await orUndefined(limited(clock, (call) => member.readDirectory(directory, call)));
    if (found === undefined) continue;
    const { revision } = found.header;
    if (highest !== undefined && revision < highest.revision) {
      report.problem(
        'store-behind',
        `its revision is ${revision.toString()}, and ${highest.endpoint} has shown ${highest.revision.toString()}: it is another store, or was restored from a backup`,
        'list only members of one cluster in hosts',
        member.endpoint,
      );
    } else highest = { endpoint: member.endpoint, revision };
  }
}

/** The sorted IDs of the members. A member keeps its ID when its name or its addresses change. */
function membersText(members: readonly ListedMember[]): string {
  return members
    .map(({ id }) => hex(id))
    .sort()
    .join(', ');
}

/**
 * Asks each member for the shortest lease that it grants, which is one and a half times its --election-timeout. A
 * member shows that setting in no other way.
 */
export async function checkShortestLeases(
  members: readonly Member[],
  { clock }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const found = await Promise.all(
    members.map(async (member) => {
      const leaseId = newLeaseId();
      const granted = await orUndefined(
        limited(clock, (call) => member.grant(leaseId, SHORTEST_TTL_MS, call)),
      );
      await orUndefined(limited(clock, (call) => member.revoke(leaseId, call)));
      return { endpoint: member.endpoint, shortestMs: granted?.ttlMs };
    }),
  );
  const told = found.flatMap(({ endpoint, shortestMs }) =>
    shortestMs === undefined ? [] : [{ endpoint, shortestMs }],
  );
  const [first] = told;
  if (first === undefined) return;
  const seconds = (ms: number): string => `${ms / 1_000} s`;
  const longest = told.reduce((a, b) => (b.shortestMs > a.shortestMs ? b : a));
  for (const { endpoint, shortestMs } of told) {
    if (shortestMs === longest.shortestMs) continue;
    report.warning(
      'election-differs',
      `the shortest lease that it grants is ${seconds(shortestMs)}, and that of ${longest.endpoint} is ${seconds(longest.shortestMs)}: their --election-timeout differs`,
      'set the same --election-timeout on all members',
      endpoint,
    );
  }
  if (told.every(({ shortestMs }) => shortestMs === longest.shortestMs))
    report.ok('election-ok', `the shortest lease that etcd grants is ${seconds(longest.shortestMs)}`);
}
