import { checkCluster } from './cluster.ts';
import { checkConfig, split, type CheckedConfig } from './config.ts';
import { checkEndpoints } from './endpoints.ts';
import { checkHolder, checkLock, checkPredecessor } from './lock.ts';
import { CheckFacts, checkAsPlugin } from './plugin.ts';
import { checkCtdb } from './ctdb.ts';
import { CheckReport, statusOf } from './report.ts';
import { checkSelinux } from './selinux.ts';
import { checkSameCluster } from './stores.ts';
import { checkTlsFiles } from './tls.ts';
import { certificatesOf } from '../certificates.ts';
import type { PluginArgs } from '../cli.ts';
import { choiceOf, type CtdbFile, readCtdbFile } from '../lock-string.ts';
import { findEndpoints } from '../setup.ts';
import type { CommandStatus, CommandContext } from '../context.ts';
import type { Endpoint, Identity } from '../../config/config.ts';
import { SetupError } from '../../base/errors.ts';
import { makeAdminMembers } from '../../etcd/admin-client.ts';
import { Members } from '../../cluster/members.ts';
import { timingOf } from '../../config/timing.ts';

/** The options of `check` on the command line. */
interface CheckArgs {
  readonly configFile: string | undefined;
  readonly given: Identity;
  readonly json: boolean;
  readonly plugin: PluginArgs | undefined;
}

/** One run of `check`: what it may use, and what it collects. */
interface CheckRun {
  readonly context: CommandContext;
  readonly report: CheckReport;
  readonly facts: CheckFacts;
  /** Sends no request that writes an entry into the raft log, except a login with a password. */
  readonly onlyReads: boolean;
}

/**
 * Tests everything that the lock needs.
 * @returns 0 all is well, 1 the lock works but there are warnings, 2 not ready; as a plugin also 3, unknown
 */
export async function commandCheck(args: CheckArgs, context: CommandContext): Promise<CommandStatus> {
  const report = new CheckReport(context.out, context.err, args.json || args.plugin !== undefined);
  const facts = new CheckFacts();
  const ctdb = await readCtdbFile(context);
  const choice = choiceOf(args, ctdb);
  const examineAll = (onlyReads: boolean): Promise<void> =>
    examine(choice, ctdb, { context, report, facts, onlyReads });
  if (args.plugin !== undefined)
    return checkAsPlugin(args.plugin, choice.configFile, context, report, facts, () => examineAll(true));
  await examineAll(false);
  report.progress('');
  const status = statusOf(report);
  if (args.json) {
    const verdict = (['ok', 'warnings', 'broken'] as const)[status];
    const results = report.findings.map((finding) => ({ ...finding, remedy: finding.remedy ?? null }));
    context.out.write(`${JSON.stringify({ verdict, results }, undefined, 2)}\n`);
  } else context.out.write(`${report.summary()}\n`);
  return status;
}

/** Tests the configuration, then etcd, then CTDB and SELinux. */
async function examine(choice: ReturnType<typeof choiceOf>, ctdb: CtdbFile, run: CheckRun): Promise<void> {
  const { context, report } = run;
  const checked = await checkConfig(choice, context, report);
  const clusterId = checked === undefined ? undefined : await checkEtcd(checked, run);
  report.progress('asking CTDB and SELinux');
  await checkCtdb(ctdb, { checked, clusterId }, context, report);
  await checkSelinux(context, report);
}

/**
 * Tests everything that the lock needs of etcd. Resolves to the ID of the cluster that answers; undefined when none
 * answers.
 */
async function checkEtcd(
  checked: CheckedConfig,
  { context, report, facts, onlyReads }: CheckRun,
): Promise<string | undefined> {
  const { config } = checked;
  checkTlsFiles(config, context.clock.wallNow(), report);
  let endpoints: readonly Endpoint[];
  try {
    endpoints = await findEndpoints(config, context);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report.problem(error.id, ...split(error.message, 'correct srv_domain or DNS'));
    return undefined;
  }
  const members = makeAdminMembers(config, endpoints, context);
  facts.endpoints = members.length;
  facts.certificates = certificatesOf(config.tls);
  report.expect(members.map(({ endpoint }) => endpoint));
  if (config.srvDomain !== undefined)
    report.ok('srv-ok', `${members.length} members under ${config.srvDomain}`);
  const asked = new Members(members, context.clock, timingOf(config));
  try {
    const { seen, looks } = await checkEndpoints(
      checked,
      members,
      context,
      report,
      onlyReads ? 1 : undefined,
    );
    facts.looks = looks;
    if (looks.length === 0) return undefined;
    await checkCluster(config, seen, context, report, onlyReads);
    await checkSameCluster(checked.directory, seen, context, report);
    facts.view = await checkHolder(checked.directory, asked, context, report);
    // If the directory can be read without a login, it can be written without one too.
    if (facts.view !== undefined && config.login === undefined && config.tls.certFile === undefined)
      report.note('login-none', 'etcd asks for no login: anyone who reaches it can take the lock away');
    const answering = seen.flatMap(({ answers, member }) => (answers ? [member] : []));
    if (facts.view !== undefined && !onlyReads) await checkLock(checked, asked, answering, context, report);
    await checkPredecessor(checked, context, report);
    const ids = new Set(seen.flatMap(({ header }) => header?.clusterId ?? []));
    return ids.size === 1 ? [...ids][0] : undefined;
  } finally {
    asked.close();
  }
}
