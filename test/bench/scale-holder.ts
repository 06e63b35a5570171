import { randomBytes } from 'node:crypto';
import { acquire } from '../../src/lock/acquire.ts';
import type { Clock } from '../../src/base/clock.ts';
import { ClusterGuard } from '../../src/cluster/cluster-guard.ts';
import { NO_WATCHDOG } from '../../src/lock/watchdog.ts';
import { leaseIdFrom, type Member } from '../../src/cluster/member.ts';
import { makeMembers } from '../../src/etcd/client.ts';
import { hold } from '../../src/lock/hold.ts';
import { formatHolder } from '../../src/lock/holder-record.ts';
import type { LocalHost } from '../../src/lock/local-host.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { Members } from '../../src/cluster/members.ts';
import { lockDirectory } from '../../src/lock/lock-key.ts';
import { ParentWatch } from '../../src/lock/parent-watch.ts';
import type { LeaseSession } from '../../src/lock/lease.ts';
import { timingOf } from '../../src/config/timing.ts';
import { WallClockWatch } from '../../src/lock/wall-clock-watch.ts';
import { configWith, depsOf, endpointFrom } from '../support/transport.ts';

/** What all holders of a process share. */
export interface Crowd {
  readonly clock: Clock;
  readonly host: LocalHost;
  /** `host:port` of all members; a holder prefers the first. */
  readonly hosts: readonly string[];
  /** Told how long each proven renewal took, from the send of the keepalive to the answer of the read. */
  readonly onRenewal: (tookMs: number) => void;
  /** Told of each attempt on a member that failed, and of each lock that was lost. */
  readonly onTrouble: (kind: 'failed attempt' | 'lost lock', text: string) => void;
}

/** The same member, with the time of each renewal told. */
function timed(member: Member, { clock, onRenewal }: Crowd): Member {
  let sentAtMs: number | undefined;
  return {
    endpoint: member.endpoint,
    grant: (...args) => member.grant(...args),
    revoke: (...args) => member.revoke(...args),
    confirmKey(...args) {
      sentAtMs = clock.now();
      return member.confirmKey(...args);
    },
    async keepAlive(...args) {
      const answer = await member.keepAlive(...args);
      if (sentAtMs !== undefined) onRenewal(clock.now() - sentAtMs);
      sentAtMs = undefined;
      return answer;
    },
    timeToLive: (...args) => member.timeToLive(...args),
    readKey: (...args) => member.readKey(...args),
    readOldest: (...args) => member.readOldest(...args),
    putIfEmpty: (...args) => member.putIfEmpty(...args),
    updateValue: (...args) => member.updateValue(...args),
    watch: (...args) => member.watch(...args),
    listMembers: (...args) => member.listMembers(...args),
    connect: () => {
      member.connect();
    },
    close: () => {
      member.close();
    },
  };
}

/** One holder of a lock of its own: the shipped code but for the process around it. */
export class ScaleHolder {
  /** From the first step to the answer, connection included. */
  readonly tookMs: number;
  readonly #session: LeaseSession;
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #terminated: AbortController;
  readonly #ended: Promise<unknown>;

  private constructor(
    tookMs: number,
    session: LeaseSession,
    members: Members,
    clock: Clock,
    terminated: AbortController,
    ended: Promise<unknown>,
  ) {
    this.tookMs = tookMs;
    this.#session = session;
    this.#members = members;
    this.#clock = clock;
    this.#terminated = terminated;
    this.#ended = ended;
  }

  /** Takes the lock `name`, which must be free, and holds it. */
  static async take(name: string, crowd: Crowd): Promise<ScaleHolder> {
    const { clock, host, onTrouble } = crowd;
    const startedMs = clock.now();
    const config = configWith({
      endpoints: crowd.hosts.map((hostPort) => endpointFrom(hostPort)),
      netbiosName: name,
    });
    const timing = timingOf(config);
    const guard = new ClusterGuard(undefined);
    const made = (await makeMembers(config, depsOf(clock))).map((member) =>
      guard.guard(timed(member, crowd)),
    );
    made[0]?.connect();
    const members = new Members(made, clock, timing, ({ endpoint, kind, message }) => {
      // What a revoke hears when its hedge was quicker.
      if (kind !== 'leaseNotFound') onTrouble('failed attempt', `${endpoint}: ${message}`);
    });
    const terminated = new AbortController();
    const tools = { members, clock, timing, host, log: SILENT_LOG, terminated: terminated.signal };
    const wallClockWatch = new WallClockWatch(clock);
    const answer = await acquire(
      lockDirectory(config.lockPrefix, config.locksDir, name),
      {
        ...tools,
        newLeaseId: () => leaseIdFrom(randomBytes(8)),
        holderValue: (via) =>
          formatHolder({
            node: name,
            host: name,
            pnn: 0,
            process: host.self,
            since: new Date().toISOString(),
            version: 'scale',
            ttlMs: timing.ttlMs,
            refreshMs: timing.refreshMs,
            via,
          }),
        onLeaseSession: () => undefined,
      },
      startedMs + timing.answerMs,
      terminated.signal,
    );
    if (answer.kind !== 'held') throw new Error(`The lock ${name} is held by another`);
    const { held, deadline, session } = answer;
    const ended = hold(held, deadline, {
      ...tools,
      watchdog: NO_WATCHDOG,
      parent: new ParentWatch(host),
      wallClockWatch,
    }).then(
      (reason) => {
        if (reason.kind !== 'terminated') onTrouble('lost lock', reason.kind);
      },
      (error: unknown) => {
        onTrouble('lost lock', String(error));
      },
    );
    return new ScaleHolder(clock.now() - startedMs, session, members, clock, terminated, ended);
  }

  async release(): Promise<void> {
    this.#terminated.abort('over');
    await this.#ended;
    const limit = new AbortController();
    await this.#session.revoke(this.#clock.now() + 5_000, limit.signal);
    this.#members.close();
  }
}
