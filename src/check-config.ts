import type { CheckReport } from './check-report.ts';
import type { CommandWorld } from './command-world.ts';
import type { Config } from './config.ts';
import { configPathOf, loadConfig } from './config-loader.ts';
import { ConfigError, SetupError } from './errors.ts';
import { findLockName } from './lock-name.ts';
import { lockDirectory } from './mutex.ts';
import { timingOf } from './timing.ts';

/** The configuration and the lock that it leads to. */
export interface CheckedConfig {
  readonly config: Config;
  readonly name: string;
  readonly directory: string;
}

// The lessor looks for ended leases every 500 ms and revokes them through raft; together under a second when healthy.
const EXPIRY_LAG_S = 1;

/** A message that ends in `; remedy` or `, want what`, as those of the configuration do, in its two parts. */
function split(message: string): [text: string, remedy: string | undefined] {
  const at = message.lastIndexOf('; ');
  return at === -1 ? [message, undefined] : [message.slice(0, at), message.slice(at + 2)];
}

/** Reads the configuration and names the lock; undefined when that is not possible, which has then been reported. */
export async function checkConfig(
  configFile: string | undefined,
  world: CommandWorld,
  report: CheckReport,
): Promise<CheckedConfig | undefined> {
  const args = { command: 'helper', verbosity: 0, configFile } as const;
  let loaded;
  try {
    loaded = loadConfig(args, world.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report.add('problem', 'config', error.message, 'correct the file');
    return undefined;
  }
  const { config, warnings, notes } = loaded;
  const path = configPathOf(args, world.env);
  if (config.file === undefined)
    report.add('note', 'config', `there is no "${path}": everything has its default`);
  else report.add('ok', 'config', `read "${config.file}"`);
  for (const warning of warnings) report.add('warning', 'config', ...split(warning));
  for (const note of notes) report.add('note', 'config', note);
  checkTimes(config, report);

  try {
    const found = await findLockName(
      { netbiosName: config.netbiosName, configPath: path, hostName: world.host.hostName },
      world.run,
    );
    const directory = lockDirectory(config.lockPrefix, config.locksDir, found.name);
    if (found.warning === undefined) report.add('ok', 'name', `the lock is ${directory.slice(0, -1)}`);
    else report.add('warning', 'name', ...split(found.warning));
    if (config.netbiosName !== undefined) await compareWithSamba(config.netbiosName, world, report);
    return { config, name: found.name, directory };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    report.add('problem', 'name', ...split(error.message));
    return undefined;
  }
}

function checkTimes(config: Config, report: CheckReport): void {
  const timing = timingOf(config);
  const { ttlMs, refreshMs } = timing;
  const fencedMs = ttlMs - timing.marginMs(ttlMs);
  const seconds = (ms: number): string => `${Math.round(ms / 100) / 10} s`;
  report.add(
    'ok',
    'times',
    `lock_ttl ${seconds(ttlMs)}, refresh ${seconds(refreshMs)}: a holder cut off from etcd ends within ${seconds(fencedMs)} of its last renewal, ` +
      `a dead one is replaced within ${seconds(ttlMs + EXPIRY_LAG_S * 1000)} and CTDB's leader timeout`,
  );
  const sparesMs = fencedMs - refreshMs;
  if (sparesMs < 2_000) {
    report.add(
      'warning',
      'times',
      `between two renewals only ${seconds(sparesMs)} are left for a slow etcd, less than the 1 to 2 s that its elections take`,
      'raise lock_ttl to 9 or lower refresh',
    );
  }
  if (!config.watchdog) {
    report.add(
      'warning',
      'times',
      'watchdog is off: a holder that is frozen past its lease still claims the lock',
      'remove watchdog = no',
    );
  }
}

/** A name that is only in this file must be the same on all nodes; testparm's is what the others would take. */
async function compareWithSamba(name: string, world: CommandWorld, report: CheckReport): Promise<void> {
  const sources = { netbiosName: undefined, configPath: '', hostName: '' };
  try {
    const samba = await findLockName(sources, world.run);
    if (samba.name === name) return;
    report.add(
      'note',
      'name',
      `netbios_name is "${name}" and testparm prints "${samba.name}": nodes without netbios_name would take another lock`,
      'see that every node has the same netbios_name',
    );
  } catch (error) {
    if (!(error instanceof SetupError)) throw error; // no Samba on this node: nothing to compare with
  }
}
