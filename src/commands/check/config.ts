import type { CheckReport } from './report.ts';
import type { CommandContext } from '../context.ts';
import type { Config } from '../../config/config.ts';
import { type ConfigChoice, configPathOf, loadConfigInTime } from '../../config/loader.ts';
import { ConfigError, SetupError } from '../../base/errors.ts';
import { findLockName } from '../../config/lock-name.ts';
import { lockDirectory } from '../../lock/lock-key.ts';
import { isWritableByOthers, shellWord } from '../../config/named-files.ts';
import { lookAtFile } from '../../base/small-file.ts';
import { timingOf } from '../../config/timing.ts';

/** The configuration, and the lock that it names. */
export interface CheckedConfig {
  readonly config: Config;
  readonly name: string;
  readonly directory: string;
}

// In seconds. etcd looks for ended leases every 500 ms and revokes them through raft. Together this takes less than a
// second in a healthy cluster.
const EXPIRY_LAG_S = 1;

/**
 * Splits a message `text; remedy` into its two parts.
 * @param otherwise the remedy of a message that has none
 */
export function split(message: string, otherwise: string): [text: string, remedy: string] {
  // For an unknown key, the remedy is the known key that the message suggests.
  const [hint = '', guess, wanted] =
    /, did you mean (\S+)$|(?<=unknown key .*), want (\w+)$/.exec(message) ?? [];
  const meant = guess ?? wanted;
  if (meant !== undefined) return [message.slice(0, -hint.length), `write ${meant}`];
  const at = message.lastIndexOf('; ');
  return at === -1 ? [message, otherwise] : [message.slice(0, at), message.slice(at + 2)];
}

/**
 * Reads the configuration and finds the name of the lock. Returns undefined when that fails; the failure has then been
 * reported.
 */
export async function checkConfig(
  choice: Omit<ConfigChoice, 'verbosity'>,
  context: CommandContext,
  report: CheckReport,
): Promise<CheckedConfig | undefined> {
  const args = { ...choice, verbosity: 0 } as const;
  let loaded;
  try {
    loaded = await loadConfigInTime(args, context.env, context);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const otherwise =
      error.id === 'conf-missing'
        ? 'create it, or correct the path after -c in ctdb.conf'
        : 'correct the file';
    reportAs('problem', error.id, error.message, report, otherwise);
    return undefined;
  }
  const { config, warnings, notes } = loaded;
  const path = configPathOf(args, context.env);
  if (config.file === undefined)
    report.note('config-none', `there is no "${path}": all keys have their defaults`);
  else report.ok('config-read', `read "${config.file}"`);
  for (const { id, text } of warnings) reportAs('warning', id, text, report);
  for (const { id, text } of notes)
    report.add({ verdict: 'note', area: 'config', id, endpoint: '', text, remedy: undefined });
  checkWriters(config, report);
  checkTimes(config, report);

  try {
    const { netbiosName, given } = config;
    const name = await findLockName(
      { netbiosName, givenName: given.name, configPath: path, hostName: context.host.hostName },
      context.run,
    );
    const directory = lockDirectory(config.lockPrefix, config.locksDir, name);
    report.ok('name-ok', `the lock is ${directory.slice(0, -1)}`);
    if (netbiosName !== undefined) await compareWithSamba(netbiosName, context, report);
    return { config, name, directory };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report.problem(error.id, ...split(error.message, 'set netbios_name'));
    return undefined;
  }
}

/** Reports what the helper says of its configuration, with the same text and identifier. */
function reportAs(
  verdict: 'warning' | 'problem',
  id: string,
  message: string,
  report: CheckReport,
  otherwise = 'correct the file',
): void {
  const [text, remedy] = split(message, otherwise);
  report.add({ verdict, area: 'config', id, endpoint: '', text, remedy });
}

/**
 * Warns about files that others can write. The helper runs as root and trusts them, so a writer could take the lock.
 */
function checkWriters({ file, tls, login }: Config, report: CheckReport): void {
  const paths = [file, tls.caFile, tls.certFile, tls.keyFile, tls.keyPasswordFile, login?.passwordFile];
  for (const path of new Set(paths.filter((one) => one !== undefined))) {
    const look = lookAtFile(path);
    if (look.kind !== 'file' || !isWritableByOthers(look.permissions)) continue;
    report.warning('config-writable', `other users can write "${path}"`, `run chmod go-w ${shellWord(path)}`);
  }
}

function checkTimes(config: Config, report: CheckReport): void {
  const timing = timingOf(config);
  const { ttlMs, refreshMs } = timing;
  const fencedMs = ttlMs - timing.marginMs(ttlMs);
  const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
  report.ok(
    'times-ok',
    `lock_ttl ${seconds(ttlMs)}, refresh ${seconds(refreshMs)}: a holder cut off from etcd stops within ${seconds(fencedMs)} of its last renewal, ` +
      `a dead holder is replaced within ${seconds(ttlMs + EXPIRY_LAG_S * 1000)} plus CTDB's leader timeout`,
  );
  const sparesMs = fencedMs - refreshMs;
  if (sparesMs < 2_000) {
    report.warning(
      'times-short',
      `etcd may be silent for only ${seconds(sparesMs)} between two renewals, and its elections take 1 to 2 s`,
      'raise lock_ttl to 9 or lower refresh',
    );
  }
  if (!config.watchdog) {
    report.warning(
      'times-watchdog',
      'watchdog is off: a holder that is frozen past its lease is not killed',
      'remove watchdog = no',
    );
  }
}

/** Compares a name that only this file sets with testparm's. Nodes without the line would use testparm's name. */
async function compareWithSamba(name: string, context: CommandContext, report: CheckReport): Promise<void> {
  const sources = { netbiosName: undefined, givenName: undefined, configPath: '', hostName: '' };
  try {
    const samba = await findLockName(sources, context.run);
    if (samba === name) return;
    report.note(
      'name-samba',
      `netbios_name is "${name}" and testparm prints "${samba}": set the same netbios_name on every node`,
    );
  } catch (error) {
    if (!(error instanceof SetupError)) throw error; // no Samba on this node: nothing to compare with
  }
}
