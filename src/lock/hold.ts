import { whenAborted } from '../base/clock.ts';
import type { Deadline } from './deadline.ts';
import type { EndReason } from './end-reason.ts';
import { watchForLoss } from './loss-watch.ts';
import type { ParentWatch } from './parent-watch.ts';
import type { HeldKey } from './renewal.ts';
import { StoreWatch } from './store-watch.ts';
import { RenewalLoop, type RenewalTools } from './renewal-loop.ts';
import type { WallClockWatch } from './wall-clock-watch.ts';

export interface HoldTools extends RenewalTools {
  readonly parent: ParentWatch;
  readonly terminated: AbortSignal;
  /** Created before the lease was asked for. */
  readonly wallClockWatch: WallClockWatch;
}

/** Resolves with a reason to stop holding. After `signal` is aborted it stops, and its result is not used. */
type Watcher = (signal: AbortSignal) => Promise<EndReason>;

/**
 * Holds the lock until there is a reason to stop. All watchers are started before this function returns its promise.
 * The first of them to end decides the reason, and the others are stopped. Rejects only on a fault of the program.
 */
export async function hold(held: HeldKey, deadline: Deadline, tools: HoldTools): Promise<EndReason> {
  const { clock, timing, terminated, parent, log } = tools;
  const store = new StoreWatch(held, tools);
  const renewals = new RenewalLoop(held, deadline, store, tools);
  const ended = new AbortController();

  const untilTerminated: Watcher = async () => {
    await whenAborted(terminated);
    return { kind: 'terminated' };
  };

  const untilDeadline: Watcher = async () => {
    await deadline.passed;
    return { kind: 'deadlinePassed', how: renewals.lastFailure ?? 'this process was paused' };
  };

  /** Checks the deadline, the parent and the wall clock at each beat. */
  const untilParentGone: Watcher = (signal) => {
    const { promise, resolve } = Promise.withResolvers<EndReason>();
    const stop = clock.every(timing.parentCheckMs, (nowMs) => {
      if (deadline.hasPassed(nowMs)) resolve(untilDeadline(signal));
      else if (parent.isGone()) resolve({ kind: 'parentGone' });
      else if (tools.wallClockWatch.hasJumped(nowMs)) {
        log.detail('info-clock', 'Wall clock jumped ahead, renewing the lock now');
        renewals.distrustClock();
      }
    });
    signal.addEventListener('abort', stop);
    return promise;
  };

  const untilDeleted: Watcher = async (signal) => {
    await watchForLoss(held, renewals, tools, signal);
    return { kind: 'keyLost', how: 'the key was deleted, or its lease ended' };
  };

  const watchers: Watcher[] = [
    untilTerminated,
    untilDeadline,
    untilParentGone,
    untilDeleted,
    (signal) => renewals.run(signal),
    (signal) => store.run(signal),
  ];
  try {
    return await Promise.race(watchers.map((watcher) => watcher(ended.signal)));
  } finally {
    ended.abort('over');
    deadline.dispose();
  }
}
