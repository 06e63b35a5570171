import { checkCluster } from './cluster.ts';
import { checkConfig, split } from './config.ts';
import { checkEndpoints } from './endpoints.ts';
import { checkLock, checkPredecessor } from './lock.ts';
import { checkCtdb } from './ctdb.ts';
import { CheckReport } from './report.ts';
import { checkSelinux } from './selinux.ts';
import { checkTlsFiles } from './tls.ts';
import { findEndpoints } from '../setup.ts';
import type { CommandStatus, CommandWorld } from '../context.ts';
import type { Endpoint } from '../../config/config.ts';
import { SetupError } from '../../base/errors.ts';
import { makeAdminMembers } from '../../etcd/admin-client.ts';
import { Members } from '../../cluster/members.ts';
import { timingOf } from '../../config/timing.ts';

/** What the command line asks of `check`. */
interface CheckArgs {
  readonly configFile: string | undefined;
  readonly json: boolean;
}

/** Tests everything that the lock needs: 0 all is well, 1 warnings, 2 the lock would not work. */
export async function commandCheck(args: CheckArgs, world: CommandWorld): Promise<CommandStatus> {
  const report = new CheckReport(world.out, world.err, args.json);
  await examine(args.configFile, world, report);
  report.progress('');
  const status = report.count('problem') > 0 ? 2 : report.count('warning') > 0 ? 1 : 0;
  if (args.json) {
    const verdict = (['ok', 'warnings', 'broken'] as const)[status];
    const results = report.findings.map((finding) => ({ ...finding, remedy: finding.remedy ?? null }));
    world.out.write(`${JSON.stringify({ verdict, results }, undefined, 2)}\n`);
  } else world.out.write(`${report.summary()}\n`);
  return status;
}

async function examine(
  configFile: string | undefined,
  world: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const checked = await checkConfig(configFile, world, report);
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
  report.expect(members.map(({ endpoint }) => endpoint));
  if (config.srvDomain !== undefined)
    report.ok('srv-ok', `${members.length} members under ${config.srvDomain}`);
  const asked = new Members(members, world.clock, timingOf(config));
  try {
    const seen = await checkEndpoints(checked, members, world, report);
    if (seen.some(({ answers }) => answers)) {
      await checkCluster(config, seen, world, report);
      await checkLock(checked, asked, world, report);
      await checkPredecessor(checked, world, report);
    }
  } finally {
    asked.close();
  }
  report.progress('asking CTDB and SELinux');
  await checkCtdb(config, world, report);
  await checkSelinux(world, report);
}
