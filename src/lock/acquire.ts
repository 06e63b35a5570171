import type { Clock } from '../base/clock.ts';
import { waitForHolder } from './contention.ts';
import type { Deadline } from './deadline.ts';
import { EntryCheck } from './entry-check.ts';
import type { KeyValue, LeaseId } from '../cluster/member.ts';
import type { LocalHost } from './local-host.ts';
import type { Members } from '../cluster/members.ts';
import { lockPlace, tryLock } from './lock-key.ts';
import type { HeldKey } from './renewal.ts';
import { LeaseSession } from './lease.ts';
import type { Timing } from '../config/timing.ts';

export type Acquisition =
  | {
      readonly kind: 'held';
      readonly session: LeaseSession;
      readonly held: HeldKey;
      readonly deadline: Deadline;
    }
  | { readonly kind: 'contended'; readonly holder: Pick<KeyValue, 'key' | 'value'> };

/** What an acquire needs. It is passed in, so that tests can replace it. */
export interface AcquireTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly host: LocalHost;
  readonly timing: Timing;
  readonly newLeaseId: () => LeaseId;
  /**
   * Returns the value of the key for a put through `endpoint`. Called just before the put, so that the value contains
   * all that is known by then.
   */
  readonly holderValue: (endpoint: string) => string;
  /** Called with each lease session when it begins, so that its lease can be revoked whatever happens later. */
  readonly onLeaseSession: (session: LeaseSession) => void;
  /**
   * Looks for a holder that etcd's API v3 does not show. Called once, before a free lock is taken, while the lease is
   * being granted. Never rejects.
   */
  readonly findV2Holder?: (byMs: number) => Promise<Pick<KeyValue, 'key' | 'value'> | undefined>;
}

/**
 * Takes the lock, or finds its holder, until `byMs` on the scale of `Clock.now()`. It reads first, so a contender that
 * finds the lock held leaves nothing in etcd, not even a raft entry.
 *
 * Rejects with `EtcdError` when etcd does not answer in time, or soon after `signal` is aborted. A grant or transaction
 * that was sent is still awaited, because its answer tells the revoke that follows what must be undone.
 */
export async function acquire(
  directory: string,
  tools: AcquireTools,
  byMs: number,
  signal: AbortSignal,
): Promise<Acquisition> {
  const { members, clock, timing } = tools;
  let taking: Taking | undefined;
  try {
    for (;;) {
      const seen = await members.ask((member, call) => member.readOldest(directory, call), byMs, signal);
      let holder = seen.oldest;
      if (holder === null) {
        let looking: ReturnType<NonNullable<AcquireTools['findV2Holder']>> | undefined;
        if (taking === undefined) {
          taking = begin(tools);
          looking = tools.findV2Holder?.(byMs);
        } else if (
          taking.session.deadline !== undefined &&
          isTooOld(taking.session.deadline, clock, timing)
        ) {
          taking.entry.stop();
          await taking.session.revoke(byMs, signal);
          taking = begin(tools);
        }
        const { session, entry } = taking;
        const { deadline: granted } = session;
        const granting = granted === undefined ? session.grant(byMs, signal) : Promise.resolve(granted);
        entry.prepare();
        const deadline = await granting;
        const old = await looking; // a holder in API v2
        if (old !== undefined) return { kind: 'contended', holder: old };
        const { leaseId } = session;
        const place = lockPlace(directory, leaseId);
        const attempt = await tryLock(members, place, leaseId, tools.holderValue, clock, byMs, signal);
        if (attempt.kind === 'ours') {
          const { createRevision, value, member, answer } = attempt;
          const { clusterId, memberId } = answer.header;
          const home = { endpoint: member.endpoint, clusterId, memberId };
          const restartedAtMs = session.firstSentAtMs ?? -Infinity;
          const key = { key: place.key, leaseId, createRevision, value, home, restartedAtMs };
          const held = await entry.finish(key, attempt, deadline, byMs);
          return { kind: 'held', session, held, deadline };
        }
        holder = attempt.holder;
      }
      const verdict = await waitForHolder(holder, directory, tools, byMs, signal);
      if (verdict === 'contended') return { kind: 'contended', holder };
    }
  } finally {
    taking?.entry.stop();
  }
}

/** One try to take a lock that seems to be free: its lease, and the checks that run beside it. */
interface Taking {
  readonly session: LeaseSession;
  readonly entry: EntryCheck;
}

function begin(tools: AcquireTools): Taking {
  const session = new LeaseSession(tools.newLeaseId(), tools.members, tools.clock, tools.timing);
  tools.onLeaseSession(session);
  return { session, entry: new EntryCheck(session.leaseId, tools) };
}

/**
 * True when so much of the lease has passed that its first renewal could come too late. Only a lease of a few seconds
 * gets that old within the time for an answer.
 */
function isTooOld(deadline: Deadline, clock: Clock, { attemptMs }: Timing): boolean {
  return clock.now() + 2 * attemptMs > deadline.atMs;
}
