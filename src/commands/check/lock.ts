import type { CheckReport } from './report.ts';
import { checkProxies } from './proxies.ts';
import { checkOneStore, checkShortestLeases } from './stores.ts';
import { formatLatency } from './time.ts';
import type { CheckedConfig } from './config.ts';
import { describeContender } from '../status-text.ts';
import type { CommandContext } from '../context.ts';
import { EtcdError, type EtcdErrorKind } from '../../base/errors.ts';
import { leaseHex, type LeaseId, type Member } from '../../cluster/member.ts';
import { newLeaseId } from '../../lock/lease-id.ts';
import type { AdminMember } from '../../etcd/admin.ts';
import { makeMembers } from '../../etcd/client.ts';
import { type LockView, viewLock } from '../lock-view.ts';
import { SILENT_LOG, type Log } from '../../base/log.ts';
import { Members } from '../../cluster/members.ts';
import { shellWord } from '../../config/named-files.ts';
import { timingOf, type Timing } from '../../config/timing.ts';
import { lookForV2Lock } from '../../etcd/v2-lock.ts';

// Long enough for the whole check. Short enough that the leases end soon after this process is killed.
const SCRATCH_TTL_MS = 10_000;
const STEP_LIMIT_MS = 5_000;
// Enough to notice a member that is slow now and then, and still under a second in a healthy cluster.
const RENEWALS = 8;

/** What the steps have in common. */
interface Bench {
  readonly directory: string;
  readonly lock: Members;
  readonly admin: Members<AdminMember>;
  readonly context: CommandContext;
  readonly report: CheckReport;
}

/** Reads the holder of the lock. When etcd refuses the read, this reports the failure and returns undefined. */
export async function checkHolder(
  directory: string,
  admin: Members<AdminMember>,
  { clock }: CommandContext,
  report: CheckReport,
): Promise<LockView | undefined> {
  let view: LockView;
  try {
    view = await viewLock(directory, admin, clock.now() + STEP_LIMIT_MS);
  } catch (error) {
    reportFailure(error, report);
    return undefined;
  }
  const [holder] = view.contenders;
  if (holder === undefined) report.ok('holder-none', 'nobody holds the lock');
  else if (holder.leaseId === '0') {
    report.problem(
      'holder-forever',
      `${holder.key} has no lease, so the lock is never released`,
      `run etcdctl del ${shellWord(holder.key)}`,
    );
  } else report.ok('holder-ok', `held by ${describeContender(holder)}`);
  return view;
}

/**
 * Does what the helper does, with leases of its own. It never writes a key: any key in the lock's directory would count
 * as a holder.
 * @param answering the endpoints that answer; each of them must know the lease
 */
export async function checkLock(
  { config, directory }: CheckedConfig,
  admin: Members<AdminMember>,
  answering: readonly AdminMember[],
  context: CommandContext,
  report: CheckReport,
): Promise<void> {
  const { clock, names } = context;
  report.progress('taking, renewing and revoking a test lease');
  const timing = timingOf(config);
  const each = await makeMembers(config, { clock, names });
  const lock = new Members(each, clock, timing);
  const bench: Bench = { directory, lock, admin, context, report };
  const leaseId = newLeaseId();
  const answers = new Set(answering.map(({ endpoint }) => endpoint));
  const asked = each.filter(({ endpoint }) => answers.has(endpoint));
  try {
    if (await checkProxies(asked, context, report)) return;
    await step(bench, (member, call) => unless('leaseExists', member.grant(leaseId, SCRATCH_TTL_MS, call)));
    await reportTtl(bench, timing);
    try {
      await admin.ask(
        (member, call) => member.rehearse(directory, directory + leaseHex(leaseId), leaseId, call),
        clock.now() + STEP_LIMIT_MS,
      );
      report.ok('permission-ok', `may take a lease, and may read and write under ${directory}`);
      await checkOneStore(leaseId, answering, context, report);
      await checkShortestLeases(asked, context, report);
      await measureRenewals(leaseId, timing.attemptMs, bench);
    } finally {
      await step(bench, (member, call) => unless('leaseNotFound', member.revoke(leaseId, call)));
    }
  } catch (error) {
    reportFailure(error, report);
  } finally {
    lock.close();
  }
}

function reportFailure(error: unknown, report: CheckReport): void {
  if (!(error instanceof EtcdError)) throw error;
  const area = error.kind === 'permission' || error.kind === 'auth' ? 'permission' : 'lease';
  const { id, endpoint, message, remedy = 'check the lines above, and the log of etcd' } = error;
  report.add({ verdict: 'problem', area, id, endpoint, text: message, remedy });
}

type Ask = Parameters<Members['ask']>[0];

/**
 * Ignores a failure of `kind`. When a member is slow, another one is asked as well, and both carry out the call. The
 * second answer is then an error of `kind`, which means that the call has been carried out.
 * @returns undefined for such a failure
 */
async function unless<T>(kind: EtcdErrorKind, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === kind)) throw error;
    return undefined;
  }
}

/** Reports a TTL that a member raised to its own minimum: one and a half election timeouts. */
async function reportTtl(bench: Bench, { ttlMs }: Timing): Promise<void> {
  const leaseId = newLeaseId();
  const lease = await bench.lock.ask(
    (member, call) => unless('leaseExists', member.grant(leaseId, ttlMs, call)),
    bench.context.clock.now() + STEP_LIMIT_MS,
  );
  await step(bench, (member, call) => unless('leaseNotFound', member.revoke(leaseId, call)));
  // Without an answer of its own (see `unless`) the granted TTL is unknown, so nothing is reported.
  const grantedMs = lease?.ttlMs ?? ttlMs;
  if (grantedMs <= ttlMs) return;
  const [granted, asked] = [grantedMs, ttlMs].map((ms) => `${Math.round(ms / 1000)} s`);
  bench.report.warning(
    'lease-raised',
    `lock_ttl is ${asked ?? ''}, and etcd grants ${granted ?? ''} because of its --election-timeout: ` +
      `a dead holder is replaced within ${Math.round(grantedMs / 1000) + 1} s plus CTDB's leader timeout`,
    `lower --election-timeout of all members to ${Math.floor((ttlMs * 2) / 3)} or less, or set lock_ttl = ${Math.round(grantedMs / 1000)}`,
  );
}

async function step({ lock, context }: Bench, ask: Ask): Promise<void> {
  await lock.ask(ask, context.clock.now() + STEP_LIMIT_MS);
}

/**
 * The two calls of a renewal, in its order (`lock/renewal.ts`): a transaction through the raft log, which waits for the
 * disks of a quorum, and a keepalive. The transaction is about a key that does not exist, so it writes none.
 */
async function renew(member: Member, call: Parameters<Ask>[1], leaseId: LeaseId, key: string): Promise<void> {
  await member.confirmKey(key, 0n, call);
  await member.keepAlive(leaseId, call);
}

async function measureRenewals(leaseId: LeaseId, attemptMs: number, bench: Bench): Promise<void> {
  const { directory, context, report } = bench;
  const tookMs: number[] = [];
  for (let count = 0; count < RENEWALS; count += 1) {
    const sentAtMs = context.clock.now();
    await step(bench, (member, call) => renew(member, call, leaseId, directory + leaseHex(leaseId)));
    tookMs.push(context.clock.now() - sentAtMs);
  }
  tookMs.sort((a, b) => a - b);
  const [median, worst] = [tookMs[RENEWALS / 2] ?? 0, tookMs.at(-1) ?? 0];
  const text = `a renewal takes ${formatLatency(median)}, the slowest ${formatLatency(worst)}, the limit is ${formatLatency(attemptMs)}`;
  if (worst < attemptMs / 3) report.ok('renewal-ok', text);
  else {
    const remedy = 'give etcd faster disks or a separate network, or raise lock_ttl';
    report.warning('renewal-slow', text, remedy);
  }
}

/** Looks for a lock of Samba's Python helper, which uses etcd's API v2. It is found as the helper itself finds it. */
export async function checkPredecessor(
  { config, name }: CheckedConfig,
  { clock, names }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const log: Log = {
    ...SILENT_LOG,
    warning: (_, message) => {
      const [text = '', must = ''] = message.split('; ');
      report.warning('python-lock', text, `${must}, and stop CTDB where the Python helper runs`);
    },
  };
  await lookForV2Lock(config, name, { clock, names, log }, clock.now() + STEP_LIMIT_MS);
}
