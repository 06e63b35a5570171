import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CheckReport } from './report.ts';
import { parseArgs, type Args } from '../cli.ts';
import type { CommandWorld } from '../context.ts';
import type { Config } from '../../config/config.ts';
import { configPathOf } from '../../config/loader.ts';
import { UsageError } from '../../base/errors.ts';
import { readSmallFile } from '../../base/small-file.ts';

const PROGRAM = 'ctdb_etcd_lock';
const USUAL = `!/usr/libexec/ctdb/${PROGRAM}`;
const LARGEST_FILE_BYTES = 65_536;
const COMMAND_LIMIT_MS = 5_000;
// What CTDB waits for its own check of the lock (samba, ctdb/server/ctdb_recover.c); we answer within 4 s.
const LEAST_LEADER_TIMEOUT_S = 5;

/** Settings of ctdb.conf as `section/key`, white space in keys as it stands; the last one counts, as for CTDB. */
function settingsOf(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  let section = '';
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[(.*)\]$/.exec(line)?.[1];
    if (header !== undefined) section = header.trim();
    const [, key, value] = /^([^=]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) settings.set(`${section}/${key.trim()}`, value.trim());
  }
  return settings;
}

/** Looks at what CTDB on this node makes of the helper. */
export async function checkCtdb(config: Config, world: CommandWorld, report: CheckReport): Promise<void> {
  const base = (world.env['CTDB_BASE'] ?? '') === '' ? '/etc/ctdb' : (world.env['CTDB_BASE'] ?? '');
  const path = `${base.replace(/\/$/, '')}/ctdb.conf`;
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind === 'absent') {
    report.note('ctdb-none', `there is no "${path}": CTDB is not set up on this node`);
    return;
  }
  if (file.kind === 'unusable') {
    report.note('ctdb-unseen', `cannot read "${path}": ${file.problem}`);
    return;
  }
  const settings = settingsOf(Buffer.from(file.bytes).toString());
  const lock = settings.get('cluster/cluster lock') ?? settings.get('cluster/recovery lock');
  if (lock === undefined) {
    const remedy = `add to section [cluster]: cluster lock = ${USUAL}`;
    report.problem('ctdb-unset', `"${path}" sets no cluster lock`, remedy);
    return;
  }
  if (!checkString(lock, path, world, config, report)) return;
  const timeout = Number(settings.get('cluster/leader timeout') ?? LEAST_LEADER_TIMEOUT_S);
  if (timeout < LEAST_LEADER_TIMEOUT_S) {
    const text = `"${path}": leader timeout is ${timeout} s, and an answer may take 4 s`;
    report.warning('ctdb-timeout', text, `set leader timeout = ${LEAST_LEADER_TIMEOUT_S} or remove it`);
  }
  await compareWithRunning(lock, path, world, report);
}

/** What CTDB will execute and with which arguments. Returns false when that is not this helper. */
function checkString(
  lock: string,
  path: string,
  world: CommandWorld,
  config: Config,
  report: CheckReport,
): boolean {
  const [program = '', ...words] = lock.replace(/^!/, '').split(/[ \t]+/);
  if (!lock.startsWith('!') || !program.endsWith(`/${PROGRAM}`)) {
    const text = `"${path}": cluster lock is ${lock}, not this helper`;
    report.warning('ctdb-other', text, `set cluster lock = ${USUAL} on every node`);
    return false;
  }
  if (!checkProgram(program, report)) return true;
  if (/["']/.test(lock)) {
    const text = `"${path}": cluster lock has quotes, which CTDB hands on as they are`;
    report.problem('ctdb-quotes', text, 'remove them; arguments are split at spaces');
    return true;
  }
  const args = argumentsOf(words);
  if (typeof args === 'string') {
    report.problem('ctdb-arguments', `"${path}": cluster lock: ${args}`, `set cluster lock = ${USUAL}`);
    return true;
  }
  // CTDB starts its helpers in the root directory.
  const read = resolve('/', configPathOf(args, world.env));
  if (config.file !== undefined && read !== resolve(config.file))
    report.note('ctdb-file', `CTDB's helper reads "${read}", and "${config.file}" was checked`);
  report.ok('ctdb-ok', `"${path}": cluster lock is this helper`);
  return true;
}

/** The arguments as the helper will read them; a line that says what is wrong with them. */
function argumentsOf(words: readonly string[]): Extract<Args, { command: 'helper' }> | string {
  try {
    const args = parseArgs(words);
    return args.command === 'helper' ? args : `${words.join(' ')} takes no lock`;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** Whether CTDB can execute `program`, and whether that is what the administrator runs now. */
function checkProgram(program: string, report: CheckReport): boolean {
  try {
    const theirs = statSync(program);
    const ours = statSync('/proc/self/exe');
    if ((theirs.mode & 0o111) === 0 || !theirs.isFile()) {
      report.problem('ctdb-program', `"${program}" cannot be executed`, `run chmod 755 ${program}`);
      return false;
    }
    if (theirs.dev === ours.dev && theirs.ino === ours.ino) return true;
    if (isScript(program)) {
      const text = `"${program}" is a script, such as Samba's own helper, and not this program`;
      report.problem('ctdb-script', text, 'install the package ctdb-etcd-lock on every node');
      return false;
    }
    report.note('ctdb-copy', `CTDB runs "${program}", which is another file than the program that checks`);
    return true;
  } catch {
    const remedy = `install the package ctdb-etcd-lock, or set cluster lock = ${USUAL}`;
    report.problem('ctdb-program', `"${program}" is not there`, remedy);
    return false;
  }
}

function isScript(path: string): boolean {
  const start = Buffer.alloc(2);
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    readSync(fd, start, 0, 2, 0);
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return start.toString('latin1') === '#!';
}

/** CTDB reads the string at its start only, and compares it between the nodes. */
async function compareWithRunning(
  lock: string,
  path: string,
  { run }: CommandWorld,
  report: CheckReport,
): Promise<void> {
  const outcome = await run('ctdb', ['-T', '3', 'getreclock'], COMMAND_LIMIT_MS);
  if (outcome.kind !== 'exited' || outcome.code !== 0) {
    report.note('ctdb-stopped', 'CTDB does not run here now');
    return;
  }
  const running = outcome.stdout.trim();
  if (running === lock) report.ok('ctdb-running', 'CTDB runs with it');
  else {
    const text = `CTDB runs with ${running === '' ? 'no cluster lock' : running}, unlike "${path}"`;
    report.warning('ctdb-restart', text, 'restart CTDB on all nodes, one string on all of them');
  }
}
