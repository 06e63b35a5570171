import { checkCluster } from './cluster.ts';
import { checkConfig, split } from './config.ts';
import { checkEndpoints } from './endpoints.ts';
import { checkHolder, checkLock, checkPredecessor } from './lock.ts';
import { CheckFacts, checkAsPlugin } from './plugin.ts';
import { checkCtdb } from './ctdb.ts';
import { CheckReport, statusOf } from './report.ts';
import { checkSelinux } from './selinux.ts';
import { checkTlsFiles } from './tls.ts';
import { certificatesOf } from '../certificates.ts';
import type { PluginArgs } from '../cli.ts';
import { findEndpoints } from '../setup.ts';
import type { CommandStatus, CommandWorld } from '../context.ts';
import type { Endpoint, Identity } from '../../config/config.ts';
import { SetupError } from '../../base/errors.ts';
import { makeAdminMembers } from '../../etcd/admin-client.ts';
import { Members } from '../../cluster/members.ts';
import { timingOf } from '../../config/timing.ts';

/** What the command line asks of `check`. */
interface CheckArgs {
  readonly configFile: string | undefined;
  readonly given: Identity;
  readonly json: boolean;
  readonly plugin: PluginArgs | undefined;
}

/** Tests everything that the lock needs: 0 all is well, 1 warnings, 2 the lock would not work; as a plugin also 3, cannot tell. */
export async function commandCheck(args: CheckArgs, world: CommandWorld): Promise<CommandStatus> {
  const report = new CheckReport(world.out, world.err, args.json || args.plugin !== undefined);
  const facts = new CheckFacts();
  if (args.plugin !== undefined)
    return checkAsPlugin(args.plugin, args.configFile, world, report, facts, () =>
      examine(args, world, report, facts, true),
    );
  await examine(args, world, report, facts, false);
  report.progress('');
  const status = statusOf(report);
  if (args.json) {
    const verdict = (['ok', 'warnings', 'broken'] as const)[status];
    const results = report.findings.map((finding) => ({ ...finding, remedy: finding.remedy ?? null }));
    world.out.write(`${JSON.stringify({ verdict, results }, undefined, 2)}\n`);
  } else world.out.write(`${report.summary()}\n`);
  return status;
}

/** @param onlyReads no request that writes an entry into the raft log, except a login with a password */
async function examine(
  args: CheckArgs,
  world: CommandWorld,
  report: CheckReport,
  facts: CheckFacts,
  onlyReads: boolean,
): Promise<void> {
  const checked = await checkConfig(args, world, report);
  if (checked === undefined) return;
  const { config } = checked;
  checkTlsFiles(config, world.clock.wallNow(), report);
  let endpoints: readonly Endpoint[];
  try {
    endpoints = await findEndpoints(config, world);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report.problem('srv-failed', ...split(error.message, 'correct srv_domain or DNS'));
    return;
  }
  const members = makeAdminMembers(config, endpoints, world.clock);
  facts.endpoints = members.length;
  facts.certificates = certificatesOf(config.tls);
  report.expect(members.map(({ endpoint }) => endpoint));
  if (config.srvDomain !== undefined)
    report.ok('srv-ok', `${members.length} members under ${config.srvDomain}`);
  const asked = new Members(members, world.clock, timingOf(config));
  try {
    const { seen, looks } = await checkEndpoints(checked, members, world, report, onlyReads ? 1 : undefined);
    facts.looks = looks;
    if (looks.length > 0) {
      await checkCluster(config, seen, world, report, onlyReads);
      facts.view = await checkHolder(checked.directory, asked, world, report);
      if (facts.view !== undefined && !onlyReads) await checkLock(checked, asked, world, report);
      await checkPredecessor(checked, world, report);
    }
  } finally {
    asked.close();
  }
  report.progress('asking CTDB and SELinux');
  await checkCtdb(config, world, report);
  await checkSelinux(world, report);
}
