import type { CheckReport } from './report.ts';
import type { CommandContext } from '../context.ts';
import { readSmallFile } from '../../base/small-file.ts';

const PROGRAM = 'ctdb_etcd_lock';
const COMMAND_LIMIT_MS = 5_000;

/** Reports what SELinux has denied the helper, or would deny it. */
export async function checkSelinux({ run }: CommandContext, report: CheckReport): Promise<void> {
  const enforce = readSmallFile('/sys/fs/selinux/enforce', 16);
  if (enforce.kind !== 'file' || Buffer.from(enforce.bytes).toString().trim() !== '1') return;
  const modules = await run('semodule', ['-l'], COMMAND_LIMIT_MS);
  const canTell = modules.kind === 'exited' && modules.code === 0;
  const isLoaded = canTell && modules.stdout.split(/\s+/).includes(PROGRAM);
  if (isLoaded) report.ok('selinux-ok', `enforcing, with the policy module ${PROGRAM}`);
  else if (canTell) {
    const remedy = `run semodule -i /usr/share/selinux/packages/${PROGRAM}.pp`;
    report.warning('selinux-policy', `enforcing, and the policy module ${PROGRAM} is not loaded`, remedy);
  } else report.note('selinux-unseen', 'enforcing; only root can see which policy modules are loaded');

  const denials = await run('ausearch', ['-m', 'AVC', '-ts', 'today', '-c', PROGRAM], COMMAND_LIMIT_MS);
  if (denials.kind !== 'exited' || denials.code !== 0) return;
  const last = denials.stdout
    .split('\n')
    .filter((line) => line.includes('denied'))
    .at(-1);
  if (last === undefined) return;
  const what = /denied\s+\{[^}]*\}.*/.exec(last)?.[0] ?? 'something';
  const remedy = isLoaded
    ? `if the policy module was loaded before that, report it with the output of ausearch -m AVC -c ${PROGRAM}`
    : `load the policy module ${PROGRAM}`;
  report.warning('selinux-denied', `SELinux refused the helper today: ${what}`, remedy);
}
