import type { Clock } from '../base/clock.ts';
import { judgeHolder } from './contention.ts';
import type { Deadline } from './deadline.ts';
import type { KeyValue, LeaseId } from '../cluster/member.ts';
import type { Host } from './local-host.ts';
import type { Members } from '../cluster/members.ts';
import { lockPlace, tryLock } from './lock-key.ts';
import type { HeldKey } from './renewal.ts';
import { Session } from './lease.ts';
import type { Timing } from '../config/timing.ts';

export type Acquisition =
  | { readonly kind: 'held'; readonly session: Session; readonly held: HeldKey; readonly deadline: Deadline }
  | { readonly kind: 'contended'; readonly holder: Pick<KeyValue, 'key' | 'value'> };

/** What acquiring needs of the world; handed through, not looked up. */
export interface AcquireTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly host: Host;
  readonly timing: Timing;
  readonly newLeaseId: () => LeaseId;
  /** The value of our key, as late as possible: what is known by then stands in it. */
  readonly describeUs: () => string;
  /** Told of each session as it begins, so that nothing is left behind whatever happens next. */
  readonly onSession: (session: Session) => void;
  /**
   * Looks for a holder that etcd v3 does not see; asked once, before a lock that is free is taken, while the lease is
   * being granted. Never rejects.
   */
  readonly findOldHolder?: (byMs: number) => Promise<Pick<KeyValue, 'key' | 'value'> | undefined>;
}

/**
 * Takes the lock, or finds out who holds it, until `byMs`. Looks before it leaps: a contender that finds the lock held
 * leaves no trace in etcd, not even a raft entry.
 *
 * Rejects with `EtcdError` when etcd does not let it know in time, or soon after `signal` is aborted. A grant or a
 * transaction that was sent is not called back then: its answer tells the revoke that follows what there is to undo.
 */
export async function acquire(
  directory: string,
  tools: AcquireTools,
  byMs: number,
  signal: AbortSignal,
): Promise<Acquisition> {
  const { members, clock, timing } = tools;
  const begin = (): Session => {
    const begun = new Session(tools.newLeaseId(), members, clock, timing);
    tools.onSession(begun);
    return begun;
  };
  let session: Session | undefined;
  for (;;) {
    const seen = await members.ask((member, call) => member.readOldest(directory, call), byMs, signal);
    let holder = seen.oldest;
    if (holder === null) {
      let looking: ReturnType<NonNullable<AcquireTools['findOldHolder']>> | undefined;
      if (session === undefined) {
        session = begin();
        looking = tools.findOldHolder?.(byMs);
      } else if (session.deadline !== undefined && isTooOld(session.deadline, clock, timing)) {
        await session.revoke(byMs, signal);
        session = begin();
      }
      const deadline = session.deadline ?? (await session.grant(byMs, signal));
      const old = await looking;
      if (old !== undefined) return { kind: 'contended', holder: old };
      const place = lockPlace(directory, session.leaseId);
      const attempt = await tryLock(members, place, session.leaseId, tools.describeUs(), byMs, signal);
      if (attempt.kind === 'ours') {
        const held: HeldKey = {
          key: place.key,
          leaseId: session.leaseId,
          createRevision: attempt.createRevision,
          restartedAtMs: session.firstSentAtMs ?? -Infinity,
        };
        return { kind: 'held', session, held, deadline };
      }
      holder = attempt.holder;
    }
    const verdict = await judgeHolder(holder, directory, tools, byMs, signal);
    if (verdict === 'contended') return { kind: 'contended', holder };
  }
}

/**
 * Whether a lease has been waited with for so long that its first renewal could come too late. Only one of a few seconds is
 * ever that old within the time for an answer.
 */
function isTooOld(deadline: Deadline, clock: Clock, { attemptMs }: Timing): boolean {
  return clock.now() + 2 * attemptMs > deadline.atMs;
}
