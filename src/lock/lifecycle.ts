/**
 * The life of a helper: take the lock, answer CTDB, hold the lock, release it.
 *
 * The folder `lock` guarantees that a helper claims the lock only while etcd cannot have given it to another helper,
 * under the assumptions of docs/safety.md. It does not guarantee that storage refuses the writes of a node whose whole
 * machine was paused: only fencing can do that.
 */
import type { Acquisition } from './acquire.ts';
import type { Disposer } from '../base/clock.ts';
import type { Deadline } from './deadline.ts';
import type { EndReason } from './end-reason.ts';
import { describeFault, EtcdError, etcdErrorText, SetupError } from '../base/errors.ts';
import { hold, type HoldTools } from './hold.ts';
import { describeHolder } from './holder-record.ts';
import { ParentWatch } from './parent-watch.ts';
import { Release } from './release.ts';
import type { HeldKey } from './renewal.ts';
import { type LockRequest, takeLock, type TakeResult, type TakeTools } from './take.ts';
import { ANSWER, type AnswerPipe } from './answer-pipe.ts';
import { WallClockWatch } from './wall-clock-watch.ts';

/** The exit status of the process. It is for people; CTDB does not read it. */
export const EXIT = { released: 0, contended: 1, usage: 2, failed: 3, lost: 4 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

export type LifecycleTools = Omit<TakeTools & HoldTools, 'onLeaseSession' | 'parent' | 'wallClockWatch'> & {
  readonly answerPipe: AnswerPipe;
  /**
   * Finds a more complete value for the lock's key than `holderValue` returned. Called when the lock is held and CTDB
   * has its answer. Resolves to undefined when there is nothing to add. Never rejects.
   */
  readonly laterValue?: () => Promise<string | undefined>;
  /** Begins to watch members and files while the lock is held. Reports what it finds, and decides nothing. */
  readonly startWatches?: (held: HeldKey) => Disposer;
};

type HoldingTools = LifecycleTools & HoldTools;
type Held = Extract<Acquisition, { readonly kind: 'held' }>;
type NotHeld = Exclude<TakeResult, { readonly kind: 'held' }>;

/**
 * Takes the lock, answers CTDB, holds the lock and releases it. Resolves with the exit status and never rejects. By
 * then stdout has carried its byte, unless CTDB does not wait for one any more, and everything that this process put
 * into etcd has been removed, if etcd answered. After a deadline that has passed, the lease ends by itself.
 */
export async function takeAndHold(request: LockRequest, tools: LifecycleTools): Promise<ExitStatus> {
  const { clock, answerPipe, log } = tools;
  const parent = new ParentWatch(tools.host);
  const wallClockWatch = new WallClockWatch(clock);
  const release = new Release(tools);
  try {
    const result = await takeLock(request, {
      ...tools,
      parent,
      onLeaseSession: (session) => {
        release.add(session);
      },
    });
    return result.kind === 'held'
      ? await answerAndHold(result, { ...tools, parent, wallClockWatch }, release)
      : await endWithoutLock(result, tools, release);
  } catch (error) {
    // A fault of the program must never look like a lock that is held.
    answerPipe.answer(ANSWER.error);
    answerPipe.close();
    log.error('internal', `Internal error, please report it: ${describeFault(error)}`);
    await release.run();
    return EXIT.failed;
  }
}

async function endWithoutLock(
  result: NotHeld,
  { answerPipe, log }: LifecycleTools,
  release: Release,
): Promise<ExitStatus> {
  switch (result.kind) {
    case 'unwanted':
      await release.run();
      return EXIT.released;
    case 'failed':
      log.error(idOf(result.error), textOf(result.error));
      answerPipe.answer(ANSWER.error);
      await release.run(maySplit(result.error));
      return EXIT.failed;
    case 'contended':
      answerPipe.answer(ANSWER.contended);
      log.info('info-held', `Lock is held by ${describeHolder(result.holder.key, result.holder.value)}`);
      await release.run();
      return EXIT.contended;
  }
}

/** Writes the `0`, if the deadline is still ahead, and holds the lock until there is a reason to stop. */
async function answerAndHold(
  { held, deadline, session }: Held,
  tools: HoldingTools,
  release: Release,
): Promise<ExitStatus> {
  const { answerPipe, log, terminated, wallClockWatch } = tools;
  // Nothing is started after the deadline: the watchdog would kill this process before it has answered and revoked its
  // lease.
  const holding = deadline.hasPassed() ? undefined : hold(held, deadline, tools);
  holding?.catch(() => undefined); // awaited below, unless the lock is released before
  // The wall clock shows a pause of the machine that the monotonic clock missed. The deadline is checked last, just
  // before the byte.
  const hasJumped = holding !== undefined && wallClockWatch.hasJumped();
  if (holding === undefined || hasJumped || deadline.hasPassed()) {
    const why = hasJumped
      ? 'the wall clock jumped ahead meanwhile, so the machine may have been paused; CTDB tries again by itself'
      : 'etcd granted it too late; check the disks and the network of etcd';
    log.error('take-late', `Cannot take the cluster lock: ${why}`);
    answerPipe.answer(ANSWER.error);
    await release.run();
    return EXIT.failed;
  }
  if (terminated.aborted || !answerPipe.answer(ANSWER.held)) {
    await release.run();
    return EXIT.released;
  }
  void completeValue(held, deadline, tools);
  log.info('info-took', `Took lock ${held.key}, create revision ${held.createRevision.toString()}`);
  warnOfRaisedTtl(session.grantedTtlMs, tools);
  const stopWatching = tools.startWatches?.(held);
  const reason = await holding;
  stopWatching?.();
  return await endHolding(reason, tools, release);
}

/**
 * Warns that the lease lasts longer than the TTL that was asked for. The deadline is not affected, but the next holder
 * waits longer after a death of this one.
 */
function warnOfRaisedTtl(grantedMs: number | undefined, { timing, log }: HoldingTools): void {
  if (grantedMs === undefined || grantedMs <= timing.ttlMs) return;
  const [granted, asked] = [grantedMs / 1_000, timing.ttlMs / 1_000];
  // A member's minimum is one and a half election timeouts (etcd, server/etcdserver/server.go).
  const electionMs = Math.floor((timing.ttlMs * 2) / 3);
  log.warning(
    'warn-ttl',
    `etcd granted ${granted} s instead of lock_ttl = ${asked}: after a death of this holder the lock is free ${granted - asked} s later; lower --election-timeout of all members to ${electionMs} or less, or set lock_ttl = ${granted}`,
  );
}

/** Writes the more complete value, if there is one. The value is only a label, so a failure is a line with -vv. */
async function completeValue(held: HeldKey, deadline: Deadline, tools: LifecycleTools): Promise<void> {
  const value = await tools.laterValue?.();
  if (value === undefined || tools.answerPipe.closed || deadline.hasPassed()) return;
  try {
    await tools.members.ask(
      (member, call) => member.updateValue(held.key, value, held.createRevision, call),
      deadline.atMs,
    );
  } catch (error) {
    tools.log.detail('info-value', `The node number was not added to the key: ${describeFault(error)}`);
  }
}

async function endHolding(
  reason: EndReason,
  { answerPipe, log }: LifecycleTools,
  release: Release,
): Promise<ExitStatus> {
  switch (reason.kind) {
    case 'terminated':
    case 'parentGone':
      await release.run();
      log.info(
        'info-released',
        reason.kind === 'terminated' ? 'Released the lock' : 'Released the lock: the parent process is gone',
      );
      return EXIT.released;
    case 'keyLost':
      answerPipe.close();
      log.error('lost-key', `Lock lost - ${reason.how}`);
      await release.run(reason.maySplit);
      return EXIT.lost;
    case 'refused':
      answerPipe.close();
      log.error(reason.id, `Lock lost - ${reason.how}`);
      await release.run(true);
      return EXIT.lost;
    case 'deadlinePassed':
      answerPipe.close();
      // etcd is not called: it is silent, or its answers do not count any more.
      log.error('lost-deadline', `Lock lost - etcd did not confirm it in time: ${reason.how}`);
      return EXIT.lost;
  }
}

/** True when the endpoints may lead to more than one store. One of them may not know the lease that another granted. */
function maySplit(error: unknown): boolean {
  return error instanceof EtcdError && (error.kind === 'otherStore' || error.kind === 'leaseNotFound');
}

/** The entry in docs/failure-guide.md for `textOf`. */
function idOf(error: unknown): string {
  return error instanceof SetupError || error instanceof EtcdError ? error.id : 'internal';
}

function textOf(error: unknown): string {
  if (error instanceof SetupError) return error.message;
  const why = error instanceof EtcdError ? etcdErrorText(error) : describeFault(error);
  return `Cannot take the cluster lock: ${why}`;
}
