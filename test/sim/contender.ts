import { sleepUntil } from '../../src/base/clock.ts';
import { ClusterGuard } from '../../src/cluster/cluster-guard.ts';
import { makeWatchdog, NO_WATCHDOG, type Watchdog } from '../../src/lock/watchdog.ts';
import type { LeaseId } from '../../src/cluster/member.ts';
import { formatHolder, type HolderRecord } from '../../src/lock/holder-record.ts';
import { takeAndHold } from '../../src/lock/lifecycle.ts';
import { makeLinuxHost } from '../../src/process/linux-host.ts';
import { inspectProcfs, type Procfs } from '../../src/process/procfs.ts';
import type { Log, Text } from '../../src/base/log.ts';
import { Members } from '../../src/cluster/members.ts';
import { makeAnswerPipe } from '../../src/lock/answer-pipe.ts';
import type { Machine } from './machine.ts';
import { introduce } from './running.ts';
import { Route } from './route.ts';
import { SimWatchdogProcess } from './sim-watchdog-process.ts';
import { SimMember } from './sim-member.ts';
import { SimProcess } from './sim-process.ts';
import type { World } from './world.ts';

export const DIRECTORY = '/_locks/_ctdb/SMB/';

/** What whoever started a contender, and the checker, want to hear of it. */
export interface Audience {
  onByte(contender: Contender, byte: string): void;
  /** Its stdout is closed: end of file for the reader. */
  onEndOfFile(contender: Contender): void;
  onExit(contender: Contender): void;
}

/** One run of the helper: the shipped `live` and all below it, in a simulated process. */
export class Contender {
  readonly world: World;
  readonly process: SimProcess;
  readonly startedAtMs: number;
  readonly wallOffsetAtStartMs: number;
  readonly leases: LeaseId[] = [];
  readonly members: readonly SimMember[];
  watchdogProcess: SimWatchdogProcess | undefined;
  byte: string | undefined;
  isOpen = true;
  terminatedAtMs: number | undefined;
  frozenBeforeTerminationMs = 0;
  orphanedAtMs: number | undefined;
  endedAtMs: number | undefined;
  /** Its key was in etcd when it closed its stdout, and had been there since the take. */
  hadKeyAtEnd = false;
  /** The last thing it complained about. */
  complaint = '';
  /** By its own clock: when its deadline was, and when that was last cut short. */
  deadlineMs: number | undefined;
  shortenedAtMs = -Infinity;
  /** The deadline that it looked at last. */
  knownDeadlineMs = Infinity;
  /** Its clock had shown that instant, or a later one, when it wrote its answer. */
  sawDeadlinePass = false;
  readonly #terminated = new AbortController();
  readonly #audience: readonly Audience[];

  constructor(
    world: World,
    machine: Machine,
    label: string,
    parentPid: number,
    audience: readonly Audience[],
  ) {
    this.world = world;
    this.process = new SimProcess(machine, label, parentPid);
    introduce(this);
    this.startedAtMs = world.timeline.nowMs;
    this.wallOffsetAtStartMs = this.process.machine.wallOffsetMs;
    this.#audience = audience;
    this.members = world.servers.map((server, index) => {
      const link = world.network.linksOf(machine)[index];
      if (link === undefined) throw new Error('A machine lacks a link');
      const route = new Route(
        server,
        world.servers,
        world.proxies[index],
        world.traits.balancing,
        world.random,
      );
      return new SimMember(this.process, route, link, world.checker);
    });
    this.process.onEnd = () => {
      this.#closed();
      this.watchdogProcess?.masterEnded();
      for (const each of audience) each.onExit(this);
    };
    this.process.onThaw = () => {
      world.checker.onThaw(this);
    };
  }

  /** SIGTERM has reached it. */
  get knowsItIsUnwanted(): boolean {
    return this.#terminated.signal.aborted;
  }

  get name(): string {
    return this.process.label;
  }

  /** Lives; returns at once. */
  start(): void {
    this.process.deliver(() => {
      void takeAndHold(
        { directory: Promise.resolve(DIRECTORY), startedAtMs: this.process.now() },
        this.#tools(),
      ).then((status) => {
        this.world.history.tell(this.name, () => `exits with status ${status}`);
        this.process.exit(status);
      });
    });
  }

  /** SIGTERM. */
  terminate(): void {
    if (this.process.state !== 'alive' || this.terminatedAtMs !== undefined) return;
    this.terminatedAtMs = this.world.timeline.nowMs;
    this.frozenBeforeTerminationMs = this.process.frozenMs;
    this.world.history.tell(this.name, () => 'is sent SIGTERM');
    this.process.deliver(() => {
      this.#terminated.abort();
    });
  }

  /** Its parent has died. */
  orphan(): void {
    this.process.parentPid = 1;
    this.orphanedAtMs = this.world.timeline.nowMs;
  }

  #tools(): Parameters<typeof takeAndHold>[1] {
    const { world, process } = this;
    const { timing } = world;
    const guard = new ClusterGuard(undefined);
    const { onlyMember } = world.traits;
    const known = this.members.filter((_, index) => onlyMember === undefined || index === onlyMember);
    const order = world.random.chance(0.5) ? known : world.random.shuffle([...known]);
    const procfs = inspectProcfs(process.pid);
    process.readsUptime = procfs.noUptimeBecause === undefined;
    const runtime = {
      pid: process.pid,
      get ppid() {
        return process.parentPid;
      },
      kill: (pid: number): true => {
        if (process.machine.processes.has(pid)) return true;
        throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
      },
    };
    const host = makeLinuxHost(runtime, procfs.foreignBecause);
    const record = (via: string): HolderRecord => ({
      node: this.name,
      host: host.hostName,
      pnn: undefined,
      process: host.self,
      since: new Date(process.wallNow()).toISOString(),
      version: 'simulated',
      ttlMs: timing.ttlMs,
      refreshMs: timing.refreshMs,
      via,
    });
    // CTDB's number of the node is asked for after the lock was taken, and now and then it becomes known.
    const laterValue = async (): Promise<string | undefined> => {
      if (!world.random.chance(0.2)) return undefined;
      const knownAtMs = process.now() + world.random.integer(0, 5_000);
      await sleepUntil(process, knownAtMs, new AbortController().signal);
      return formatHolder({ ...record(''), pnn: 1 });
    };
    return {
      members: new Members(
        order.map((member) => guard.guard(member)),
        process,
        timing,
        ({ endpoint, kind, message }) => {
          world.history.tell(this.name, () => `hears from ${endpoint}: ${message}`);
          if (kind === 'unproven') world.checker.onUnproven(this);
          if (kind === 'unproven' || kind === 'stale' || kind === 'lagging')
            world.count(`not believed: ${message.replace(/ \d+/g, '')}`);
        },
      ),
      clock: process,
      timing,
      host,
      log: this.#log(),
      answerPipe: makeAnswerPipe(
        (byte) => {
          if (this.orphanedAtMs !== undefined) throw new Error('EPIPE');
          // Judged by what it has seen until here, and not by what it sees while the byte waits for the end of a freeze.
          this.sawDeadlinePass = process.lastShownMs >= this.knownDeadlineMs;
          process.act(() => {
            this.#wrote(byte);
          });
        },
        () => {
          process.act(() => {
            this.#closed();
          });
        },
      ),
      terminated: this.#terminated.signal,
      newLeaseId: () => {
        const leaseId = String(world.random.integer(1, Number.MAX_SAFE_INTEGER)) as LeaseId;
        this.leases.push(leaseId);
        world.checker.onNewLease(this, leaseId);
        return leaseId;
      },
      holderValue: (endpoint) => formatHolder(record(endpoint)),
      laterValue,
      watchdog: this.#watchdog(procfs),
    };
  }

  #watchdog({ foreignBecause, noUptimeBecause }: Procfs): Watchdog {
    const { world, process } = this;
    if (!world.traits.hasWatchdog) return NO_WATCHDOG;
    const { uptimeOffsetMs } = process.machine;
    const comparesStart = foreignBecause === undefined;
    return makeWatchdog(
      {
        spawn: (line, onEnd) => {
          const startMs = world.random.between(3, 40);
          const watchdogProcess = new SimWatchdogProcess(process, startMs, comparesStart, line, onEnd);
          watchdogProcess.onKill = () => {
            if (process.state !== 'alive') return;
            world.history.tell(this.name, () => 'is killed by the watchdog');
            world.checker.onWatchdogKill(this);
            process.kill(world.random.between(0, 30));
          };
          this.watchdogProcess = watchdogProcess;
          if (world.traits.watchdogFails) {
            world.timeline.after(1, () => {
              watchdogProcess.kill();
            });
          }
          return watchdogProcess;
        },
        whyNot: () => Promise.resolve(undefined),
      },
      {
        now: () => process.now(),
        uptimeOf: (atMs) => (noUptimeBecause === undefined ? atMs + uptimeOffsetMs : NaN),
      },
      (_, message) => {
        world.history.tell(this.name, () => `warns: ${message}`);
      },
    );
  }

  #log(): Log {
    const { history } = this.world;
    const tell = (_: string, message: Text): void => {
      history.tell(this.name, () => {
        // To put a message into words can take a look at the clock, which must not matter to what happens.
        const { ambush } = this.process;
        this.process.ambush = undefined;
        const text = typeof message === 'string' ? message : message();
        this.process.ambush = ambush;
        return `says: ${text}`;
      });
    };
    return {
      error: (id, message) => {
        this.complaint = message;
        tell(id, message);
        if (message.startsWith('Internal error'))
          this.world.checker.violated('a fault of the program', message);
      },
      warning: tell,
      info: tell,
      detail: tell,
      attempt: tell,
      trace: tell,
    };
  }

  #wrote(byte: string): void {
    if (!this.isOpen) return;
    this.world.history.tell(this.name, () => `answers ${byte}`);
    for (const each of this.#audience) each.onByte(this, byte);
    this.byte = byte;
  }

  #closed(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.world.history.tell(this.name, () => 'has closed its stdout');
    for (const each of this.#audience) each.onEndOfFile(this);
  }
}
