import type { CommandContext } from '../context.ts';
import { type CtdbConf, integerOf } from '../ctdb-conf.ts';
import { type CtdbFile, PROGRAM } from '../lock-string.ts';
import { checkLockLine, identityLine, type KnownLock } from './lock-line.ts';
import type { CheckReport } from './report.ts';

const COMMAND_LIMIT_MS = 5_000;
// CTDB's wait for its own check of the lock (samba, ctdb/server/ctdb_recover.c). The helper answers within 4 s.
const LEAST_LEADER_TIMEOUT_S = 5;

/** Checks what CTDB on this node does with the helper. */
export async function checkCtdb(
  file: CtdbFile,
  known: KnownLock,
  context: CommandContext,
  report: CheckReport,
): Promise<void> {
  const { path, conf, unread, lock } = file;
  const line = identityLine(known, lock);
  if (unread !== undefined) {
    report.note('ctdb-unseen', `cannot read "${path}": ${unread}; run check as root`);
    return;
  }
  if (conf === undefined) {
    const text = `there is no "${path}": CTDB is not set up on this node; the line for it is cluster lock = ${line}`;
    report.note('ctdb-none', text);
    return;
  }
  if (!isRead(path, conf, report)) return;
  if (lock.kind === 'none') {
    reportUnset(path, conf, line, report);
    return;
  }
  if (await checkLockLine({ ...file, lock }, known, context, report)) checkTimeout(path, conf, report);
  await compareWithRunning(lock.text, path, context, report);
}

/** True when CTDB reads the file to its end. */
function isRead(path: string, { refused, dropped, ignored }: CtdbConf, report: CheckReport): boolean {
  const remedy = 'correct that line';
  if (refused !== undefined) {
    const text = `"${path}": line ${refused.line}: ${refused.problem}, and it does not start`;
    report.problem('ctdb-refused', text, remedy);
    return false;
  }
  if (dropped !== undefined) {
    const text = `"${path}": line ${dropped.line}: ${dropped.problem}: CTDB stops reading there, and runs without a cluster lock`;
    report.problem('ctdb-dropped', text, remedy);
    return false;
  }
  if (ignored.some(({ problem }) => problem.includes('\ufeff'))) {
    const text = `"${path}" begins with a byte order mark (U+FEFF): CTDB ignores its first section, and runs without a cluster lock`;
    report.problem('ctdb-mark', text, `run sed -i '1s/^\\xef\\xbb\\xbf//' ${path}`);
    return false;
  }
  return true;
}

/** Reports that ctdb.conf sets no cluster lock. This is a note, unless the file seems to try to set one. */
function reportUnset(path: string, { ignored }: CtdbConf, line: string, report: CheckReport): void {
  const remedy = `add to section [cluster], on every node: cluster lock = ${line}`;
  const meant = ignored.find(({ problem }) => /lock/i.test(problem) || problem.includes(PROGRAM));
  if (meant === undefined) {
    const text = `"${path}" is not migrated yet: it sets no cluster lock, and CTDB would run without one`;
    report.warning('ctdb-unset', text, remedy);
    return;
  }
  const text = `"${path}": line ${meant.line}: ${meant.problem}: CTDB ignores that line, and runs without a cluster lock`;
  report.problem('ctdb-ignored', text, remedy);
}

function checkTimeout(path: string, { values }: CtdbConf, report: CheckReport): void {
  const set = values.get('cluster/leader timeout');
  const timeout = set === undefined ? LEAST_LEADER_TIMEOUT_S : integerOf(set);
  if (timeout >= LEAST_LEADER_TIMEOUT_S) return;
  const text = `"${path}": leader timeout is ${timeout} s, and an answer may take 4 s`;
  report.warning('ctdb-timeout', text, `set leader timeout = ${LEAST_LEADER_TIMEOUT_S} or remove it`);
}

/** CTDB reads the string only when it starts, and compares it between the nodes. */
async function compareWithRunning(
  lock: string,
  path: string,
  { run }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const outcome = await run('ctdb', ['-T', '3', 'getreclock'], COMMAND_LIMIT_MS);
  if (outcome.kind !== 'exited' || outcome.code !== 0) {
    report.note('ctdb-stopped', 'CTDB is not running on this node');
    return;
  }
  const running = outcome.stdout.trim();
  if (running === lock) report.ok('ctdb-running', 'CTDB is running with this cluster lock');
  else {
    const text = `CTDB is running with ${running === '' ? 'no cluster lock' : running}, which is not the cluster lock in "${path}"`;
    report.warning(
      'ctdb-restart',
      text,
      'set the same cluster lock on all nodes, and restart CTDB on all of them',
    );
  }
}
