import { isIP } from 'node:net';
import { type UptimeClock, whenAborted } from './base/clock.ts';
import { ClusterGuard } from './cluster/cluster-guard.ts';
import { spawnWatchdogProcess } from './process/watchdog-process.ts';
import { ConnectionFiles } from './connect/connection-files.ts';
import type { Config } from './config/config.ts';
import { DnsCache } from './connect/dns-cache.ts';
import { makeLookUp } from './connect/look-up.ts';
import { configPathOf } from './config/loader.ts';
import { ctdbPnn } from './process/ctdb-pnn.ts';
import { makeWatchdog, NO_WATCHDOG, type Watchdog } from './lock/watchdog.ts';
import { newLeaseId } from './lock/lease-id.ts';
import { makeMembers } from './etcd/client.ts';
import { formatHolder, type HolderRecord } from './lock/holder-record.ts';
import { EXIT, takeAndHold, type ExitStatus } from './lock/lifecycle.ts';
import { makeLinuxHost } from './process/linux-host.ts';
import { inspectProcfs, type Procfs } from './process/procfs.ts';
import { findLockName } from './config/lock-name.ts';
import type { Log } from './base/log.ts';
import { Members } from './cluster/members.ts';
import { FileWatch } from './lock/file-watch.ts';
import { MemberWatch } from './lock/member-watch.ts';
import { lockDirectory } from './lock/lock-key.ts';
import { makeRealClock, uptimeReader } from './process/real-clock.ts';
import { makeCommands } from './process/run-command.ts';
import { boundLookUps, endProcess } from './process/end-process.ts';
import type { AnswerPipe } from './lock/answer-pipe.ts';
import { timingOf } from './config/timing.ts';
import { lookForV2Lock } from './etcd/v2-lock.ts';

// In bytes. The runtime cuts small buffers from blocks of 64 KiB. A block that is in use during two garbage collections
// is freed only by a full collection, which a holder has no other reason to run. This cost 2.6 kB for each renewal, up
// to 4 MB. Blocks of 4 KiB are freed earlier.
const BUFFER_POOL_BYTES = 4_096;

// CTDB sends SIGTERM to a helper whose stdout has ended. When another process asks the helper to end, it closes stdout
// first, so that SIGTERM follows. This second request must not end the release early, because the lock would then stay
// taken until the lease ends.
const SAME_REQUEST_MS = 500;

/** Aborted by the first request to end. A second request that comes more than 500 ms later ends the process at once. */
function terminationSignal(status: AnswerPipe): AbortSignal {
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
  // CTDB ignores SIGPIPE, and its children inherit that. A terminal that closes (SIGHUP) is no reason to release a lock
  // either.
  process.on('SIGPIPE', () => undefined);
  process.on('SIGHUP', () => undefined);
  return terminated.signal;
}

function makeRealWatchdog(
  config: Config,
  clock: UptimeClock,
  host: ReturnType<typeof makeLinuxHost>,
  procfs: Procfs,
  log: Log,
): Watchdog {
  if (!config.watchdog) return NO_WATCHDOG;
  return makeWatchdog(
    (onEnd) => spawnWatchdogProcess(host.self, procfs.foreignBecause === undefined, onEnd),
    clock,
    (id, message) => {
      log.warning(id, message);
    },
  );
}

/**
 * Warns a helper that is about to take the lock about a /proc that cannot be used: it is not the kernel's own, or
 * belongs to another process.
 */
function warnOfProcfs({ foreignBecause, noUptimeBecause }: Procfs, log: Log): void {
  if (foreignBecause !== undefined)
    log.warning(
      'warn-proc',
      `A dead holder on this host is not recognized (${foreignBecause}); mount procfs in CTDB's pid namespace: mount -t proc proc /proc`,
    );
  if (noUptimeBecause !== undefined)
    log.warning(
      'warn-uptime',
      `The kernel's uptime is not used (${noUptimeBecause}): only the wall clock shows a suspend; run umount /proc/uptime in this container`,
    );
}

/** Connects the real parts and runs the helper with them. */
export async function helpCtdb(
  config: Config,
  log: Log,
  status: AnswerPipe,
  version: string,
): Promise<ExitStatus> {
  // When the runtime closes a socket it compares it with `process.stderr`, and creates that stream to do so. That takes
  // a thirtieth of a start. The helper does not use the stream: it logs with stderr-log.ts.
  Object.defineProperty(process, 'stderr', { value: undefined });
  Buffer.poolSize = BUFFER_POOL_BYTES;
  const procfs = inspectProcfs(process.pid);
  const clock = makeRealClock(undefined, uptimeReader(procfs));
  const startedAtMs = clock.now() - performance.now();
  const timing = timingOf(config);
  const terminated = terminationSignal(status);
  const hasNames = config.srvDomain !== undefined || config.endpoints.some(({ host }) => isIP(host) === 0);
  boundLookUps(process.env, hasNames);
  const host = makeLinuxHost(process, procfs.foreignBecause);
  const { run, stopAll } = makeCommands(clock, process.env);
  process.once('exit', stopAll);

  const name = findLockName(
    {
      netbiosName: config.netbiosName,
      givenName: config.given.name,
      configPath: config.file ?? configPathOf({ configFile: undefined }, process.env),
      hostName: host.hostName,
    },
    run,
  );
  const directory = name.then((found) => lockDirectory(config.lockPrefix, config.locksDir, found));
  directory.catch(() => undefined); // looked at when the members are known

  const guard = new ClusterGuard(
    config.expectedClusterId,
    config.given.clusterId === undefined ? 'expected_cluster_id' : '--cluster-id',
  );
  // Before the members read the files, so that no change is missed.
  const fileWatch = new FileWatch(new ConnectionFiles(config), { clock, log });
  const names = new DnsCache(makeLookUp(clock));
  const making = makeMembers(config, {
    clock,
    names,
    onWarning: ({ id, text }) => {
      log.warning(id, text);
    },
  });
  making.catch(() => undefined); // looked at below, unless nobody waits for the lock any more
  // With `srv_domain` a silent DNS server can take long. A request to end needs no clean-up yet.
  const made = await Promise.race([making, whenAborted(terminated)]);
  if (made === undefined) return EXIT.released;
  const members = made.map((member) => guard.guard(member));
  members[0]?.connect();

  let written: HolderRecord | undefined;
  const holderValue = (via: string): string => {
    warnOfProcfs(procfs, log);
    written = {
      node: host.hostName,
      host: host.hostName,
      pnn: undefined,
      process: host.self,
      since: new Date().toISOString(),
      version,
      ttlMs: timing.ttlMs,
      refreshMs: timing.refreshMs,
      via,
    };
    return formatHolder(written);
  };
  // Started only after the answer: a start of the command takes 3 ms, and a refused contender needs no number.
  const laterValue = async (): Promise<string | undefined> => {
    const pnn = await ctdbPnn(run);
    return pnn === undefined || written === undefined ? undefined : formatHolder({ ...written, pnn });
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
        const stops = [memberWatch.start(key), fileWatch.start()];
        return () => {
          for (const stop of stops) stop();
        };
      },
      clock,
      timing,
      host,
      log,
      status,
      terminated,
      newLeaseId,
      holderValue,
      laterValue,
      findV2Holder: async (byMs) => lookForV2Lock(config, await name, { clock, names, log }, byMs),
      watchdog: makeRealWatchdog(config, clock, host, procfs, log),
    },
  );
}
