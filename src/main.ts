/**
 * Start-up: reads the command line, runs the helper or one of the administrator's commands, and ends the process with
 * its status. When something fails before the helper has begun, the line and the byte for CTDB are written here.
 */
import { closeSync, writeFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import { parseArgs, wantsPlugin, type Args } from './commands/cli.ts';
import { helpText, versionText, type BuildInfo } from './commands/program-text.ts';
import { DnsCache } from './connect/dns-cache.ts';
import { makeLookUp } from './connect/look-up.ts';
import type { HungFileTools } from './base/hung-file.ts';
import { loadConfigInTime } from './config/loader.ts';
import { Alarms } from './process/alarms.ts';
import { AnswerOutput } from './process/answer-output.ts';
import { closeInheritedDescriptors } from './process/descriptors.ts';
import type { CommandRuntime } from './commands/commands.ts';
import { ConfigError, describeFault, SetupError, UsageError } from './base/errors.ts';
import { writeText } from './base/write-text.ts';
import { helpCtdb } from './helper.ts';
import { EXIT, type ExitStatus } from './lock/lifecycle.ts';
import { makeLinuxHost } from './process/linux-host.ts';
import { inspectProcfs } from './process/procfs.ts';
import { makeRealClock } from './process/real-clock.ts';
import { makeCommands } from './process/run-command.ts';
import { endAtFaults, endProcess } from './process/end-process.ts';
import { boundLookUps, sizeThreadPool } from './process/thread-pool.ts';
import { makeAnswerPipe, ANSWER } from './lock/answer-pipe.ts';
import { makeStderrLog, openStderr } from './process/stderr-log.ts';

/** Set by the build. */
declare const __BUILD__: BuildInfo | undefined;

const BUILD: BuildInfo =
  typeof __BUILD__ === 'undefined' ? { version: 'unbuilt', commit: 'unknown', etcd3: 'unknown' } : __BUILD__;

const STDOUT = 1;
const STDERR = 2;

/**
 * Runs everything except the helper's own work. The commands are loaded here, so that the helper does not load them.
 */
async function serveAdministrator(args: Exclude<Args, { command: 'helper' }>): Promise<ExitStatus> {
  if (args.command === 'version') return print(versionText(BUILD, process.versions));
  if (args.command === 'help' && args.topic === undefined) return print(helpText());
  const { commandHelp, runCommand } = await import('./commands/commands.ts');
  if (args.command !== 'help') return runCommand(args, commandRuntime());
  return print(args.topic === undefined ? helpText() : commandHelp(args.topic));
}

/** Prints a text for people. A reader that has closed its end of the pipe wants no more of it, which is no failure. */
function print(text: string): ExitStatus {
  const failure = writeText(STDOUT, text);
  if (failure === undefined || failure.isUnread) return EXIT.released;
  writeText(STDERR, `${failure.line}\n`);
  return EXIT.failed;
}

function commandRuntime(): CommandRuntime {
  const interrupted = new AbortController();
  const onInterrupt = (): void => {
    if (interrupted.signal.aborted) process.exit(EXIT.usage);
    interrupted.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  boundLookUps(process.env, Infinity);
  const clock = makeRealClock();
  return {
    clock,
    names: new DnsCache(makeLookUp(clock)),
    host: makeLinuxHost(process, inspectProcfs(process.pid).foreignBecause),
    run: makeCommands(clock, process.env).run,
    env: process.env,
    interrupted: interrupted.signal,
    version: BUILD.version,
  };
}

/** Sets the name that `ps` and `pkill` show. The runtime calls its main thread `MainThread`. */
function nameOurselves(): void {
  try {
    writeFileSync('/proc/self/comm', 'ctdb_etcd_lock');
  } catch {
    // Ignored: the name has no effect on the lock.
  }
}

/** The helper's own clock is made when its configuration is known. */
function hungFileTools(): HungFileTools {
  const now = (): number => performance.now();
  const alarms = new Alarms(now);
  return {
    clock: { now, at: (atMs, fire) => alarms.at(atMs, fire) },
    beforeThreads: () => {
      sizeThreadPool(process.env, Infinity);
    },
  };
}

async function main(): Promise<ExitStatus> {
  nameOurselves();
  closeInheritedDescriptors(performance.timeOrigin, process.ppid);
  const stderr = openStderr();
  const complain = makeStderrLog(0, stderr);
  const answerOutput = new AnswerOutput(STDOUT, complain);
  let isForPeople = false;
  const answerPipe = makeAnswerPipe(
    (text) => {
      if (!isForPeople) answerOutput.write(text);
    },
    () => {
      if (!isForPeople) closeSync(STDOUT);
    },
  );
  endAtFaults(process, complain, answerPipe, EXIT.failed);
  try {
    const args = parseArgs(process.argv.slice(2));
    if (args.command !== 'helper') {
      isForPeople = true;
      return await serveAdministrator(args);
    }
    const { config, warnings, notes } = await loadConfigInTime(args, process.env, hungFileTools());
    const log = makeStderrLog(config.verbosity, stderr);
    for (const { id, text } of warnings) log.warning(id, text);
    for (const { id, text } of notes) log.detail(id, text);
    const status = await helpCtdb(config, log, answerPipe, BUILD.version);
    return answerOutput.isLost ? EXIT.failed : status;
  } catch (error) {
    // The lines are written before the byte. CTDB answers every byte except 0 with SIGTERM, which no handler catches
    // yet.
    if (error instanceof UsageError && wantsPlugin(process.argv.slice(2))) {
      const { pluginLine } = await import('./commands/check/plugin.ts');
      print(pluginLine(EXIT.failed, error.message));
      return EXIT.failed;
    }
    if (error instanceof UsageError) {
      isForPeople = isatty(STDOUT); // CTDB's is a pipe
      complain.error(error.id, error.message);
      for (const line of helpText().trimEnd().split('\n').slice(0, 2)) complain.error('cli-usage', line);
    } else if (error instanceof ConfigError || error instanceof SetupError) {
      complain.error(error.id, error.message);
    } else complain.error('internal', `Internal error, please report it: ${describeFault(error)}`);
    answerPipe.answer(ANSWER.error);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

// Not awaited: the program is packed as one CommonJS file, which cannot have `await` at its top level.
void main().then((status) => {
  endProcess(process, status);
});
