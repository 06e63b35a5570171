import { acquire, type Acquisition, type AcquireTools } from './acquire.ts';
import { type Clock, type Disposer, sleepUntil, whenAborted } from '../base/clock.ts';
import { SetupError } from '../base/errors.ts';
import type { LeaseSession } from './lease.ts';
import type { ParentWatch } from './parent-watch.ts';
import type { Watchdog } from './watchdog.ts';

/** What is known of the lock before etcd is asked. */
export interface LockRequest {
  /** The lock's directory in etcd. It contains the lock's name, which testparm may have to tell first. */
  readonly directory: Promise<string>;
  /** When this process was started, on the scale of `Clock.now()`. CTDB waits from then on. */
  readonly startedAtMs: number;
}

/** How a take ended. `unwanted`: CTDB does not wait for the answer any more. */
export type TakeResult =
  Acquisition | { readonly kind: 'failed'; readonly error: unknown } | { readonly kind: 'unwanted' };

export type TakeTools = AcquireTools & {
  readonly parent: ParentWatch;
  readonly terminated: AbortSignal;
  readonly watchdog: Watchdog;
};

// The acquire ends this much before the limit for the answer, because its failure names what each member said. The
// limit's own failure does not.
const EXPLAIN_MS = 50;

// Starting a program blocks this process for some milliseconds. So the watchdog is started when the request for the
// lease and the question to API v2 have been sent. On a slow machine it is started when the lock is held.
const WATCHDOG_DELAY_MS = 3;

/**
 * Takes the lock, or finds its holder. Ends when CTDB does not wait any longer: at the limit for the answer, at a
 * request to end, and when the parent is gone. Never rejects.
 */
export async function takeLock(request: LockRequest, tools: TakeTools): Promise<TakeResult> {
  const { clock, timing, parent } = tools;
  if (parent.isOrphan()) {
    const message =
      'Cannot take the cluster lock: the parent process is PID 1, which does not read the answer; let CTDB run this program';
    return { kind: 'failed', error: new SetupError('take-pid1', message) };
  }
  const byMs = request.startedAtMs + timing.answerMs;
  const ended = new AbortController();
  const watchdogStart = new WatchdogStart(tools);
  const onLeaseSession = (session: LeaseSession): void => {
    tools.onLeaseSession(session);
    watchdogStart.schedule();
  };
  const result = await Promise.race([
    acquireLock(request, { ...tools, onLeaseSession }, byMs - EXPLAIN_MS, ended.signal),
    untilTerminated(tools.terminated),
    untilParentGone(tools, ended.signal),
    untilTooLate(clock, byMs, ended.signal),
  ]);
  ended.abort('over');
  watchdogStart.cancel(); // a holder starts the watchdog when it feeds it
  return result;
}

/** Starts the watchdog soon after the last request for a lease. */
class WatchdogStart {
  readonly #tools: Pick<TakeTools, 'clock' | 'watchdog'>;
  #stop: Disposer = () => undefined;

  constructor(tools: Pick<TakeTools, 'clock' | 'watchdog'>) {
    this.#tools = tools;
  }

  schedule(): void {
    const { clock, watchdog } = this.#tools;
    this.cancel();
    this.#stop = clock.at(clock.now() + WATCHDOG_DELAY_MS, () => {
      watchdog.start();
    });
  }

  cancel(): void {
    this.#stop();
  }
}

async function acquireLock(
  { directory }: LockRequest,
  tools: AcquireTools,
  byMs: number,
  signal: AbortSignal,
): Promise<TakeResult> {
  try {
    return await acquire(await directory, tools, byMs, signal);
  } catch (error) {
    return { kind: 'failed', error };
  }
}

async function untilTerminated(terminated: AbortSignal): Promise<TakeResult> {
  await whenAborted(terminated);
  return { kind: 'unwanted' };
}

async function untilParentGone(
  { clock, timing, parent }: TakeTools,
  ended: AbortSignal,
): Promise<TakeResult> {
  while (!ended.aborted && !parent.isGone()) {
    await sleepUntil(clock, clock.now() + timing.parentCheckMs, ended);
  }
  return { kind: 'unwanted' };
}

async function untilTooLate(clock: Clock, byMs: number, ended: AbortSignal): Promise<TakeResult> {
  await sleepUntil(clock, byMs, ended);
  return {
    kind: 'failed',
    error: new SetupError(
      'take-timeout',
      'Cannot take the cluster lock: testparm or DNS did not answer in time; set netbios_name, and check DNS',
    ),
  };
}
