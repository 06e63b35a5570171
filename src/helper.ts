/**
 * The wiring of the helper: makes the real clock, members, host and watchdog, and passes them to `lock/lifecycle.ts`.
 * Nothing is decided here.
 */
import { isIP } from 'node:net';
import { type Clock, type UptimeClock, whenAborted } from './base/clock.ts';
import type { RunCommand } from './base/command.ts';
import { findHungFile } from './base/hung-file.ts';
import { ClusterGuard } from './cluster/cluster-guard.ts';
import { BASH, spawnWatchdogProcess } from './process/watchdog-process.ts';
import { ConnectionFiles } from './connect/connection-files.ts';
import type { Config } from './config/config.ts';
import { DnsCache } from './connect/dns-cache.ts';
import { makeLookUp } from './connect/look-up.ts';
import { configPathOf } from './config/loader.ts';
import { ctdbPnn } from './process/ctdb-pnn.ts';
import { makeWatchdog, NO_WATCHDOG, type Watchdog } from './lock/watchdog.ts';
import { newLeaseId } from './lock/lease-id.ts';
import { makeMembers } from './etcd/client.ts';
import { EXIT, takeAndHold, type ExitStatus } from './lock/lifecycle.ts';
import { makeLinuxHost } from './process/linux-host.ts';
import { inspectProcfs, type Procfs, procfsWarner } from './process/procfs.ts';
import { findLockName } from './config/lock-name.ts';
import type { Log, Notice } from './base/log.ts';
import type { Member } from './cluster/member.ts';
import { Members } from './cluster/members.ts';
import { FileWatch } from './lock/file-watch.ts';
import { MemberWatch } from './lock/member-watch.ts';
import { lockDirectory } from './lock/lock-key.ts';
import { giveBackMemory } from './process/give-back-memory.ts';
import { makeRealClock, uptimeReader } from './process/real-clock.ts';
import { OwnRecord } from './process/own-record.ts';
import { makeCommands, WATCHDOG_SHELL } from './process/run-command.ts';
import { endProcess } from './process/end-process.ts';
import { boundLookUps, sizeThreadPool } from './process/thread-pool.ts';
import { terminationSignal } from './process/termination.ts';
import type { AnswerPipe } from './lock/answer-pipe.ts';
import { timingOf } from './config/timing.ts';
import { lookForV2Lock } from './etcd/v2-lock.ts';

// In bytes. The runtime cuts small buffers from blocks of 64 KiB. A block that is in use during two garbage collections
// is freed only by a full collection. Blocks of 4 KiB are freed earlier. Measured Private_Dirty of two holders each: 0.85 MB
// less after 5 minutes, when giveBackMemory runs; 0.14 MB less after 75 s.
const BUFFER_POOL_BYTES = 4_096;

// From the answer until the memory that the take used is given back. CTDB recovers its databases meanwhile, and the
// first renewals have extended the deadline.
const GIVE_BACK_AFTER_MS = 5_000;
// Each renewal leaves 16 kB of garbage that has become old. V8 by itself collects it only after 8 MB of it, which is
// half an hour with a `refresh` of 2 s. Collecting each 5 minutes keeps it below 2.5 MB, for 31 ms each time.
const GIVE_BACK_EVERY_MS = 300_000;

function makeRealWatchdog(
  config: Config,
  clock: UptimeClock,
  host: ReturnType<typeof makeLinuxHost>,
  procfs: Procfs,
  noShellBecause: string | undefined,
  log: Log,
): Watchdog {
  if (!config.watchdog) return NO_WATCHDOG;
  let problem = noShellBecause;
  return makeWatchdog(
    {
      spawn: (line, onEnd) => {
        if (problem !== undefined) throw new Error(problem);
        return spawnWatchdogProcess(host.self, procfs.foreignBecause === undefined, line, onEnd);
      },
      whyNot: async () => (problem = await whyNoShell(config, clock)),
    },
    clock,
    (id, message) => {
      log.warning(id, message);
    },
  );
}

function nameOfLock(config: Config, hostName: string, run: RunCommand): Promise<string> {
  const configPath = config.file ?? configPathOf({ configFile: undefined }, process.env);
  const sources = { netbiosName: config.netbiosName, givenName: config.given.name, configPath, hostName };
  return findLockName(sources, run);
}

/**
 * The members of the configuration, with the check of each answer; undefined when this process was told to end first.
 * With `srv_domain` a silent DNS server can take long, and a request to end needs no clean-up yet.
 */
async function findMembers(
  config: Config,
  { clock, names, log }: { readonly clock: Clock; readonly names: DnsCache; readonly log: Log },
  terminated: AbortSignal,
): Promise<readonly Member[] | undefined> {
  const onWarning = ({ id, text }: Notice): void => {
    log.warning(id, text);
  };
  const making = makeMembers(config, { clock, names, onWarning });
  making.catch(() => undefined); // awaited below, unless this process is told to end before
  const found = await Promise.race([making, whenAborted(terminated)]);
  return found?.map(guardOf(config));
}

/** Adds the check of each answer to a member. All members share what has been seen of the cluster. */
function guardOf({ expectedClusterId, given }: Config): (member: Member) => Member {
  const expectedBy = given.clusterId === undefined ? 'expected_cluster_id' : '--cluster-id';
  const guard = new ClusterGuard(expectedClusterId, expectedBy);
  return (member) => guard.guard(member);
}

/** How many host names may be looked up; Infinity when DNS has to say which. */
function countNames({ srvDomain, endpoints }: Config): number {
  if (srvDomain !== undefined) return Infinity;
  return new Set(endpoints.map(({ host }) => host).filter((host) => isIP(host) === 0)).size;
}

/** Sets what holds for the whole process, before its first connection and its first thread. */
function prepareProcess(config: Config): void {
  // When the runtime closes a socket it compares it with `process.stderr`, and creates that stream to do so. This would
  // make CTDB's log non-blocking for every process that shares it. The helper does not use the stream: it logs with
  // stderr-log.ts.
  Object.defineProperty(process, 'stderr', { value: undefined });
  Buffer.poolSize = BUFFER_POOL_BYTES;
  boundLookUps(process.env, countNames(config));
}

/**
 * Why the watchdog's shell cannot be started: its file system hangs. Node waits until the kernel has loaded a program
 * that it starts.
 */
async function whyNoShell(config: Config, clock: Clock): Promise<string | undefined> {
  if (!config.watchdog) return undefined;
  const beforeThreads = (): void => {
    sizeThreadPool(process.env, countNames(config));
  };
  const problem = (await findHungFile([BASH], { clock, beforeThreads }))?.problem;
  return problem === undefined ? undefined : `${BASH}: ${problem}`;
}

/** The commands of the take, and those of a holder. All end with this process. */
function commandsOf(clock: Clock): { readonly run: RunCommand; readonly runWhileHolding: RunCommand } {
  const taking = makeCommands(clock, process.env);
  const holding = makeCommands(clock, process.env, WATCHDOG_SHELL);
  process.once('exit', () => {
    taking.stopAll();
    holding.stopAll();
  });
  return { run: taking.run, runWhileHolding: holding.run };
}

/** Connects the real parts and runs the helper with them. */
export async function helpCtdb(
  config: Config,
  log: Log,
  answerPipe: AnswerPipe,
  version: string,
): Promise<ExitStatus> {
  prepareProcess(config);
  const procfs = inspectProcfs(process.pid);
  const clock = makeRealClock(undefined, uptimeReader(procfs));
  const startedAtMs = clock.now() - performance.now();
  const timing = timingOf(config);
  const terminated = terminationSignal(process, () => {
    answerPipe.close();
    endProcess(process, EXIT.released);
  });
  const host = makeLinuxHost(process, procfs.foreignBecause);
  const { run, runWhileHolding } = commandsOf(clock);

  const name = nameOfLock(config, host.hostName, run);
  const directory = name.then((found) => lockDirectory(config.lockPrefix, config.locksDir, found));
  directory.catch(() => undefined); // looked at when the members are known

  // Before the members read the files, so that no change is missed.
  const fileWatch = new FileWatch(new ConnectionFiles(config), { clock, log });
  const names = new DnsCache(makeLookUp(clock));
  const members = await findMembers(config, { clock, names, log }, terminated);
  if (members === undefined) return EXIT.released;
  members[0]?.connect();
  const noShellBecause = await whyNoShell(config, clock);

  const record = new OwnRecord(host, timing, version);
  const warnOfProcfs = procfsWarner(procfs, log);
  // Started only after the answer: a start of the command takes 3 ms, and a refused contender needs no number.
  const laterValue = async (): Promise<string | undefined> => {
    // Without the watchdog nothing has loaded its shell, and the start could wait for a disk.
    const hasShell = config.watchdog && noShellBecause === undefined;
    const pnn = hasShell ? await ctdbPnn(runWhileHolding) : undefined;
    return pnn === undefined ? undefined : record.valueWithPnn(pnn);
  };

  const asked = new Members(members, clock, timing, (error) => {
    log.attempt(error.id, `${error.endpoint}: ${error.message}`);
  });
  const memberWatch = new MemberWatch(members, {
    clock,
    timing,
    log,
    preferred: () => asked.preferred.endpoint,
  });

  return takeAndHold(
    { directory, startedAtMs },
    {
      members: asked,
      startWatches: ({ key }) => {
        const stops = [
          memberWatch.start(key),
          fileWatch.start(),
          clock.at(clock.now() + GIVE_BACK_AFTER_MS, giveBackMemory),
          clock.every(GIVE_BACK_EVERY_MS, giveBackMemory),
        ];
        return () => {
          for (const stop of stops) stop();
        };
      },
      clock,
      timing,
      host,
      log,
      answerPipe,
      terminated,
      newLeaseId,
      holderValue: (via) => {
        warnOfProcfs();
        return record.valueForTake(via);
      },
      laterValue,
      findV2Holder: async (byMs) => lookForV2Lock(config, await name, { clock, names, log }, byMs),
      watchdog: makeRealWatchdog(config, clock, host, procfs, noShellBecause, log),
    },
  );
}
