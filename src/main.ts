import { randomBytes } from 'node:crypto';
import { closeSync, writeFileSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { parseArgs, helpText, versionText, type Args, type BuildInfo } from './cli.ts';
import { makeRealClock, readUptimeMs, whenAborted, type Clock } from './clock.ts';
import { ClusterGuard } from './cluster-guard.ts';
import { spawnCompanion } from './companion.ts';
import type { Config } from './config.ts';
import { configPathOf, loadConfig } from './config-loader.ts';
import { ctdbPnn } from './ctdb-pnn.ts';
import { makeSwitch, NO_SWITCH, type DeadMansSwitch } from './dead-mans-switch.ts';
import { closeInherited } from './descriptors.ts';
import type { CommandRuntime } from './commands.ts';
import { ConfigError, describeFault, SetupError, UsageError } from './errors.ts';
import { leaseIdFrom } from './etcd.ts';
import { makeMembers } from './etcd-client.ts';
import { formatHolder, type HolderRecord } from './holder.ts';
import { EXIT, live, type ExitStatus } from './lifecycle.ts';
import { makeLinuxHost } from './linux-host.ts';
import { findLockName } from './lock-name.ts';
import type { Log } from './log.ts';
import { Members } from './members.ts';
import { lockDirectory } from './mutex.ts';
import { makeCommands } from './run-command.ts';
import { boundLookUps, endProcess } from './silent-dns.ts';
import { makeStatusPipe, STATUS, type StatusPipe } from './status.ts';
import { makeStderrLog, openStderr } from './stderr-log.ts';
import { timingOf } from './timing.ts';
import { lookForV2Lock } from './v2-lock.ts';

/** Set by the build. */
declare const __BUILD__: BuildInfo | undefined;

const BUILD: BuildInfo =
  typeof __BUILD__ === 'undefined' ? { version: 'unbuilt', commit: 'unknown', etcd3: 'unknown' } : __BUILD__;

const STDOUT = 1;

// CTDB sends SIGTERM to a helper whose stdout has ended, and ours ends first of all when somebody else asks us to end. That
// second request must not cut the release short, or nobody gets the lock until the lease has ended.
const SAME_REQUEST_MS = 500;

/** Aborted by the first request to end; a second one that comes later than CTDB's own echo of it ends us at once. */
function terminationSignal(status: StatusPipe): AbortSignal {
  const terminated = new AbortController();
  let requestedAtMs = 0;
  const onRequest = (): void => {
    if (!terminated.signal.aborted) {
      requestedAtMs = performance.now();
      terminated.abort('over');
    } else if (performance.now() - requestedAtMs > SAME_REQUEST_MS) {
      status.close();
      endProcess(process, EXIT.released);
    }
  };
  process.on('SIGTERM', onRequest);
  process.on('SIGINT', onRequest);
  // CTDB ignores SIGPIPE and leaves it so; a terminal that goes away is not a reason to let go of a lock either.
  process.on('SIGPIPE', () => undefined);
  process.on('SIGHUP', () => undefined);
  return terminated.signal;
}

/** All that is not the helper's own work. The commands are loaded for those who call them only. */
async function serveAdministrator(args: Exclude<Args, { command: 'helper' }>): Promise<ExitStatus> {
  if (args.command === 'version') writeSync(STDOUT, versionText(BUILD, process.versions));
  else if (args.command === 'help' && args.topic === undefined) writeSync(STDOUT, helpText());
  else {
    const { printHelp, runCommand } = await import('./commands.ts');
    if (args.command !== 'help') return runCommand(args, commandRuntime());
    if (args.topic !== undefined) printHelp(args.topic, process.env);
  }
  return EXIT.released;
}

function commandRuntime(): CommandRuntime {
  const interrupted = new AbortController();
  const onInterrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(EXIT.usage);
    interrupted.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  const clock = makeRealClock();
  return {
    clock,
    host: makeLinuxHost(process),
    run: makeCommands(clock, process.env).run,
    env: process.env,
    interrupted: interrupted.signal,
    version: BUILD.version,
  };
}

function makeDeadMansSwitch(
  config: Config,
  clock: Clock,
  host: ReturnType<typeof makeLinuxHost>,
  log: Log,
): DeadMansSwitch {
  if (!config.watchdog) return NO_SWITCH;
  return makeSwitch(
    (onEnd) => spawnCompanion(host.self, onEnd),
    () => clock.now(),
    readUptimeMs,
    (message) => {
      log.warning(message);
    },
  );
}

/** Wires the real parts together and lives the helper's life with them. */
async function helpCtdb(config: Config, log: Log, status: StatusPipe): Promise<ExitStatus> {
  const clock = makeRealClock();
  const startedAtMs = clock.now() - performance.now();
  const timing = timingOf(config);
  const terminated = terminationSignal(status);
  boundLookUps(process.env);
  const host = makeLinuxHost(process);
  const { run, stopAll } = makeCommands(clock, process.env);
  process.once('exit', stopAll);

  const name = findLockName(
    {
      netbiosName: config.netbiosName,
      configPath: config.file ?? configPathOf({ configFile: undefined }, process.env),
      hostName: host.hostName,
    },
    run,
  );
  const directory = name.then((found) => {
    if (found.warning !== undefined) log.warning(found.warning);
    return lockDirectory(config.lockPrefix, config.locksDir, found.name);
  });
  directory.catch(() => undefined); // looked at when the members are known

  const guard = new ClusterGuard(config.expectedClusterId);
  const making = makeMembers(config, {
    clock,
    onWarning: (text) => {
      log.warning(text);
    },
  });
  making.catch(() => undefined); // looked at below, unless nobody waits for the lock any more
  // With srv_domain a silent DNS takes its time, and nothing needs to be undone yet.
  const made = await Promise.race([making, whenAborted(terminated)]);
  if (made === undefined) return EXIT.released;
  const members = made.map((member) => guard.guard(member));
  members[0]?.connect();

  let written: HolderRecord | undefined;
  const describeUs = (): string => {
    written = {
      node: host.hostName,
      host: host.hostName,
      pnn: undefined,
      process: host.self,
      since: new Date().toISOString(),
      version: BUILD.version,
      ttlMs: timing.ttlMs,
      refreshMs: timing.refreshMs,
    };
    return formatHolder(written);
  };
  // Not before there is an answer: to start a program takes 3 ms, and who is refused needs no number.
  const laterValue = async (): Promise<string | undefined> => {
    const pnn = await ctdbPnn(run);
    return pnn === undefined || written === undefined ? undefined : formatHolder({ ...written, pnn });
  };

  return live(
    { directory, startedAtMs },
    {
      members: new Members(members, clock, timing, (error) => {
        log.detail(`${error.endpoint}: ${error.message}`);
      }),
      clock,
      timing,
      host,
      log,
      status,
      terminated,
      newLeaseId: () => leaseIdFrom(randomBytes(8)),
      describeUs,
      laterValue,
      findOldHolder: async (byMs) => lookForV2Lock(config, (await name).name, clock, log, byMs),
      deadMansSwitch: makeDeadMansSwitch(config, clock, host, log),
    },
  );
}

/** The runtime calls its main thread MainThread, and `ps` and `pkill` know a process by that name. */
function nameOurselves(): void {
  try {
    writeFileSync('/proc/self/comm', 'ctdb_etcd_lock');
  } catch {
    // Only a name.
  }
}

async function main(): Promise<ExitStatus> {
  nameOurselves();
  closeInherited(performance.timeOrigin);
  let isForPeople = false;
  const status = makeStatusPipe(
    (text) => {
      if (!isForPeople) writeSync(STDOUT, text);
    },
    () => {
      closeSync(STDOUT);
    },
  );
  const stderr = openStderr();
  const complain = makeStderrLog(0, stderr);
  const onFault = (error: unknown): void => {
    complain.error(`Internal error, please report it: ${describeFault(error)}`);
    status.answer(STATUS.error);
    process.exit(EXIT.failed);
  };
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);
  try {
    const args = parseArgs(process.argv.slice(2));
    if (args.command !== 'helper') {
      isForPeople = true;
      return await serveAdministrator(args);
    }
    const { config, warnings, notes } = loadConfig(args, process.env);
    const log = makeStderrLog(config.verbosity, stderr);
    for (const warning of warnings) log.warning(warning);
    for (const note of notes) log.detail(note);
    return await helpCtdb(config, log, status);
  } catch (error) {
    // The lines first: the answer to any byte but 0 is a SIGTERM at once, and nobody handles that yet.
    if (error instanceof UsageError) {
      isForPeople = isatty(STDOUT); // CTDB's is a pipe
      complain.error(error.message);
      for (const line of helpText().trimEnd().split('\n').slice(0, 2)) complain.error(line);
    } else
      complain.error(
        error instanceof ConfigError || error instanceof SetupError
          ? error.message
          : `Internal error, please report it: ${describeFault(error)}`,
      );
    status.answer(STATUS.error);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

// Not awaited: the program is packed as one CommonJS file, which has no await at its top.
void main().then((status) => {
  endProcess(process, status);
});
