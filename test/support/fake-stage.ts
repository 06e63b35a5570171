import type { Watchdog } from '../../src/lock/watchdog.ts';
import type { LeaseId } from '../../src/cluster/member.ts';
import { formatHolder } from '../../src/lock/holder-record.ts';
import type { LocalHost, ProcessIdentity } from '../../src/lock/local-host.ts';
import { takeAndHold, type ExitStatus, type LifecycleTools } from '../../src/lock/lifecycle.ts';
import { SILENT_LOG, type Log } from '../../src/base/log.ts';
import { Members } from '../../src/cluster/members.ts';
import { makeAnswerPipe } from '../../src/lock/answer-pipe.ts';
import { timingOf, type Timing } from '../../src/config/timing.ts';
import assert from 'node:assert/strict';
import { FakeClock, settle } from './fake-clock.ts';
import { FakeMember, KindEtcd } from './fake-member.ts';

export const DIRECTORY = '/_locks/_ctdb/NAME/';
export const LEASE = '26' as LeaseId;

/** The value of a key as a helper of process `process` writes it. */
export function holderValue(process: ProcessIdentity, timing: Timing, via = 'etcd0:2379'): string {
  return formatHolder({
    node: 'fs1',
    host: 'fs1',
    pnn: 1,
    process,
    since: '2026-01-02T03:04:05.000Z',
    version: '1.0.0',
    ttlMs: timing.ttlMs,
    refreshMs: timing.refreshMs,
    via,
  });
}

/** Everything that `takeAndHold` needs, in the hands of a test. */
export class FakeStage {
  readonly clock = new FakeClock();
  readonly timing: Timing;
  readonly fakes: readonly FakeMember[];
  readonly members: Members;
  /** What was written to stdout, and when it was closed, in order: `0`, `closed`. */
  readonly stdout: string[] = [];
  /** What was told to the watchdog: `start`, instants, `release`. */
  readonly fed: (number | 'start' | 'release')[] = [];
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly termination = new AbortController();
  parentPid = 4711;
  isDead = false;
  exitStatus: ExitStatus | undefined;
  /** Called before a byte is written. */
  onWrite: () => void = () => undefined;
  readonly self: ProcessIdentity = { bootId: 'boot', namespaces: '1/2', pid: 815, startTicks: 99 };

  constructor(members = 3, ttlMs = 9_000, refreshMs = 2_000) {
    this.timing = timingOf({ ttlMs, refreshMs, readTimeoutMs: undefined });
    this.fakes = Array.from({ length: members }, (_, index) => new FakeMember(`etcd${index}:2379`));
    this.members = new Members(this.fakes, this.clock, this.timing);
  }

  get fake(): FakeMember {
    const [first] = this.fakes;
    if (first === undefined) throw new Error('A stage has members');
    return first;
  }

  get allCalls(): FakeMember['calls'] {
    return this.fakes.flatMap(({ calls }) => calls);
  }

  readonly watchdog: Watchdog = {
    start: () => {
      this.fed.push('start');
    },
    feed: (untilMs) => {
      this.fed.push(untilMs);
    },
    release: () => {
      this.fed.push('release');
    },
  };

  readonly log: Log = {
    ...SILENT_LOG,
    error: (_, message) => {
      this.errors.push(message);
    },
    warning: (_, message) => {
      this.warnings.push(message);
    },
    detail: (_, message) => {
      if (typeof message === 'function') message();
    },
    trace: (_, message) => {
      if (typeof message === 'function') message();
    },
  };

  get host(): LocalHost {
    return {
      self: this.self,
      hostName: 'fs1',
      parentPid: () => this.parentPid,
      readsAnswer: () => false,
      isDead: () => this.isDead,
      isEnding: () => false,
    };
  }

  tools(): LifecycleTools {
    const { clock, timing, members, log, host, watchdog } = this;
    return {
      members,
      clock,
      timing,
      host,
      log,
      watchdog,
      answerPipe: makeAnswerPipe(
        (byte) => {
          this.onWrite();
          this.stdout.push(byte);
        },
        () => {
          this.stdout.push('closed');
        },
      ),
      terminated: this.termination.signal,
      newLeaseId: () => LEASE,
      holderValue: (endpoint) => holderValue(this.self, timing, endpoint),
    };
  }

  /** Lives as the shipped program does; the test turns the clock. */
  takeAndHold(directory: Promise<string> = Promise.resolve(DIRECTORY)): void {
    void takeAndHold({ directory, startedAtMs: this.clock.now() }, this.tools()).then((status) => {
      this.exitStatus = status;
    });
  }

  /** Lets every member be served by the same etcd. */
  serveAll(serve: FakeMember['onCall']): void {
    for (const fake of this.fakes) fake.onCall = serve;
  }
}

/** A stage on which the lock has just been taken, and the etcd behind its members. */
export async function stageThatHolds(members = 1): Promise<{ stage: FakeStage; etcd: KindEtcd }> {
  const stage = new FakeStage(members);
  const etcd = new KindEtcd();
  stage.serveAll(etcd.serve);
  stage.takeAndHold();
  await settle();
  assert.deepEqual(stage.stdout, ['0']);
  return { stage, etcd };
}
