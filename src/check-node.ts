import { resolve } from 'node:path';
import type { CheckReport } from './check-report.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { readSmallFile } from './small-file.ts';

const PROGRAM = 'ctdb_etcd_lock';
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

/** The file that the helper reads when CTDB runs it with this command. */
function fileOf(words: readonly string[], base: string): string {
  const at = words.findIndex((word) => word === '-c' || word === '--config');
  const attached = words.find((word) => word.startsWith('--config='))?.slice('--config='.length);
  return resolve('/', attached ?? (at === -1 ? `${base}/etcd` : (words[at + 1] ?? '')));
}

/** Looks at what CTDB on this node makes of the helper. */
export async function checkCtdb(config: Config, world: CommandWorld, report: CheckReport): Promise<void> {
  const base = (world.env['CTDB_BASE'] ?? '') === '' ? '/etc/ctdb' : (world.env['CTDB_BASE'] ?? '');
  const path = `${base.replace(/\/$/, '')}/ctdb.conf`;
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind === 'absent') {
    report.add('note', 'ctdb', `there is no "${path}": CTDB is not set up on this node`);
    return;
  }
  if (file.kind === 'unusable') {
    report.add('note', 'ctdb', `cannot read "${path}": ${file.problem}`);
    return;
  }
  const settings = settingsOf(Buffer.from(file.bytes).toString());
  const lock = settings.get('cluster/cluster lock') ?? settings.get('cluster/recovery lock');
  if (lock === undefined) {
    const remedy = `add to section [cluster]: cluster lock = !/usr/libexec/ctdb/${PROGRAM}`;
    report.add('problem', 'ctdb', `"${path}" sets no cluster lock`, remedy);
    return;
  }
  if (!reportLock(lock, path, base, config, report)) return;
  const timeout = Number(settings.get('cluster/leader timeout') ?? LEAST_LEADER_TIMEOUT_S);
  if (timeout < LEAST_LEADER_TIMEOUT_S) {
    const text = `"${path}": leader timeout is ${timeout} s, and an answer may take 4 s`;
    report.add('warning', 'ctdb', text, `set leader timeout = ${LEAST_LEADER_TIMEOUT_S} or remove it`);
  }
  await compareWithRunning(lock, path, world, report);
}

function reportLock(lock: string, path: string, base: string, config: Config, report: CheckReport): boolean {
  const [program = '', ...words] = lock.replace(/^!/, '').split(/[ \t]+/);
  if (!lock.startsWith('!') || !program.endsWith(`/${PROGRAM}`)) {
    const remedy = `set it to !/usr/libexec/ctdb/${PROGRAM} on every node`;
    report.add('warning', 'ctdb', `"${path}": cluster lock is ${lock}, not this helper`, remedy);
    return false;
  }
  if (/["']/.test(lock)) {
    const text = `"${path}": cluster lock has quotes, which CTDB hands on as they are`;
    report.add('problem', 'ctdb', text, 'remove them; arguments are split at spaces');
  }
  const read = fileOf(words, base);
  if (config.file !== undefined && read !== resolve(config.file)) {
    const text = `CTDB's helper reads "${read}", and "${config.file}" was checked`;
    report.add('note', 'ctdb', text);
  }
  report.add('ok', 'ctdb', `"${path}": cluster lock is this helper`);
  return true;
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
    report.add('note', 'ctdb', 'CTDB does not run here now');
    return;
  }
  const running = outcome.stdout.trim();
  if (running === lock) report.add('ok', 'ctdb', 'CTDB runs with it');
  else {
    const text = `CTDB runs with ${running === '' ? 'no cluster lock' : running}, unlike "${path}"`;
    report.add('warning', 'ctdb', text, 'restart CTDB on all nodes, one string on all of them');
  }
}

/** What SELinux has denied the helper, or would. */
export async function checkSelinux({ run }: CommandWorld, report: CheckReport): Promise<void> {
  const enforce = readSmallFile('/sys/fs/selinux/enforce', 16);
  if (enforce.kind !== 'file' || Buffer.from(enforce.bytes).toString().trim() !== '1') return;
  const loaded = await run('semodule', ['-l'], COMMAND_LIMIT_MS);
  if (loaded.kind === 'exited' && loaded.code === 0 && !loaded.stdout.includes(PROGRAM)) {
    const remedy = `run semodule -i /usr/share/selinux/packages/${PROGRAM}.pp`;
    report.add('warning', 'selinux', `enforcing, and the policy module ${PROGRAM} is not loaded`, remedy);
  }
  const denials = await run('ausearch', ['-m', 'AVC', '-ts', 'today', '-c', PROGRAM], COMMAND_LIMIT_MS);
  if (denials.kind !== 'exited' || denials.code !== 0) return;
  const last = denials.stdout
    .split('\n')
    .filter((line) => line.includes('denied'))
    .at(-1);
  if (last === undefined) return;
  const what = /denied\s+\{[^}]*\}.*/.exec(last)?.[0] ?? 'something';
  report.add(
    'warning',
    'selinux',
    `today the helper was refused: ${what}`,
    `load the policy module ${PROGRAM}`,
  );
}
