import { acquire, type Acquisition, type AcquireTools } from './acquire.ts';
import { type Disposer, sleepUntil, whenAborted } from '../base/clock.ts';
import type { Deadline } from './deadline.ts';
import type { EndReason } from './end-reason.ts';
import { assertNever, describeFault, EtcdError, etcdErrorText, SetupError } from '../base/errors.ts';
import { hold, type HoldTools } from './hold.ts';
import { describeHolder } from './holder-record.ts';
import { ParentWatch } from './parent-watch.ts';
import type { HeldKey } from './renewal.ts';
import type { LeaseSession } from './lease.ts';
import { ANSWER, type AnswerPipe } from './answer-pipe.ts';
import { WallClockWatch } from './wall-clock-watch.ts';

/** With which status the process exits; for people, CTDB does not look at it. */
export const EXIT = { released: 0, contended: 1, usage: 2, failed: 3, lost: 4 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

export type LifecycleTools = Omit<
  AcquireTools & HoldTools,
  'onLeaseSession' | 'parent' | 'wallClockWatch'
> & {
  readonly status: AnswerPipe;
  /**
   * Finds a fuller value for our key than `holderValue` gave, once the lock is held and nobody waits for us any more;
   * undefined: nothing to add. Never rejects.
   */
  readonly laterValue?: () => Promise<string | undefined>;
  /** Begins to look at the members while the lock is held; says what it finds, and decides nothing. */
  readonly watchMembers?: (held: HeldKey) => Disposer;
};

// etcd's silence is reported by whoever asked it, with what each member said, before the general limit strikes.
const EXPLAIN_MS = 50;

/** What is known of the lock before etcd is asked. */
export interface LockRequest {
  /** The lock's directory in etcd, which needs the lock's name, which may have to be asked for. */
  readonly directory: Promise<string>;
  /** When this process was started, on the clock's scale: CTDB waits from there. */
  readonly startedAtMs: number;
}

type Answer =
  Acquisition | { readonly kind: 'failed'; readonly error: unknown } | { readonly kind: 'unwanted' };

/**
 * The whole story: ask, answer, hold, let go. Resolves with the exit status, and never rejects; when it resolves, stdout
 * has had its byte (unless nobody wants one any more), and what we put into etcd is gone as far as etcd answers.
 */
export async function takeAndHold(lockRequest: LockRequest, tools: LifecycleTools): Promise<ExitStatus> {
  const { clock, timing, status, log, watchdog } = tools;
  const parent = new ParentWatch(tools.host);
  const wallClockWatch = new WallClockWatch(clock);
  const sessions: LeaseSession[] = [];

  const letGo = async (): Promise<void> => {
    status.close(); // the claim ends before the lock can be anybody else's
    watchdog.release();
    const giveUp = new AbortController();
    const byMs = clock.now() + timing.releaseMs;
    await Promise.race([
      Promise.all(sessions.map((session) => session.revoke(byMs, giveUp.signal))),
      sleepUntil(clock, byMs, giveUp.signal),
    ]);
    giveUp.abort('over');
  };

  try {
    const answer: Answer = parent.isOrphan()
      ? {
          kind: 'failed',
          error: new SetupError(
            'take-pid1',
            'Cannot take the cluster lock: the parent process is PID 1, which does not read the answer; let CTDB run this program',
          ),
        }
      : await ask(lockRequest, tools, parent, sessions);
    switch (answer.kind) {
      case 'unwanted':
        await letGo();
        return EXIT.released;
      case 'failed':
        log.error(idOf(answer.error), textOf(answer.error));
        status.answer(ANSWER.error);
        await letGo();
        return EXIT.failed;
      case 'contended':
        status.answer(ANSWER.contended);
        log.info('info-held', `Lock is held by ${describeHolder(answer.holder.key, answer.holder.value)}`);
        await letGo();
        return EXIT.contended;
      case 'held':
        break;
      default:
        assertNever(answer);
    }

    const { deadline, held } = answer;
    // Not armed when it is too late already: the switch would kill us before we have answered and undone it.
    const holding = deadline.hasPassed()
      ? undefined
      : hold(held, deadline, { ...tools, parent, wallClockWatch });
    holding?.catch(() => undefined); // looked at below, unless we let go before
    // A machine that was paused while the answer was on its way may not know how old it is.
    // The look at the deadline is the last thing before the byte.
    if (holding === undefined || wallClockWatch.hasJumped() || deadline.hasPassed()) {
      log.error(
        'take-late',
        'Cannot take the cluster lock: too much time may have passed since etcd granted it',
      );
      status.answer(ANSWER.error);
      await letGo();
      return EXIT.failed;
    }
    if (tools.terminated.aborted || !status.answer(ANSWER.held)) {
      await letGo();
      return EXIT.released;
    }
    void completeValue(held, deadline, tools);
    log.info('info-took', `Took lock ${held.key}, create revision ${held.createRevision.toString()}`);
    const stopWatching = tools.watchMembers?.(held);
    const reason = await holding;
    stopWatching?.();
    return await end(reason, tools, letGo);
  } catch (error) {
    // A fault of the program. Whatever it is, it must not look like a lock that is held.
    status.answer(ANSWER.error);
    status.close();
    log.error('internal', `Internal error, please report it: ${describeFault(error)}`);
    await letGo();
    return EXIT.failed;
  }
}

/** Writes the fuller value, if there is one. It is only a label: whatever goes wrong with it is a note in the log. */
async function completeValue(held: HeldKey, deadline: Deadline, tools: LifecycleTools): Promise<void> {
  const value = await tools.laterValue?.();
  if (value === undefined || tools.status.closed || deadline.hasPassed()) return;
  try {
    await tools.members.ask(
      (member, call) => member.updateValue(held.key, value, held.createRevision, call),
      deadline.atMs,
    );
  } catch (error) {
    tools.log.detail('info-value', `Value of the key was not completed: ${describeFault(error)}`);
  }
}

// To start a program takes some milliseconds, in which nothing else is done. So it waits until the request for the lease, and the
// question to API v2, are on their way, and is done while they are being answered; on a slow machine, when the lock is held.
const WATCHDOG_DELAY_MS = 3;

/** Asks etcd for the lock, but not for longer than CTDB waits, nor when nobody wants to know any more. */
async function ask(
  lockRequest: LockRequest,
  tools: LifecycleTools,
  parent: ParentWatch,
  sessions: LeaseSession[],
): Promise<Answer> {
  const { clock, timing, watchdog } = tools;
  const byMs = lockRequest.startedAtMs + timing.answerMs;
  const settled = new AbortController();
  const stop = new AbortController();
  let stopStarting: Disposer = () => undefined;

  const asking = async (): Promise<Answer> => {
    try {
      const onLeaseSession = (session: LeaseSession): void => {
        sessions.push(session);
        stopStarting();
        stopStarting = clock.at(clock.now() + WATCHDOG_DELAY_MS, () => {
          watchdog.start();
        });
      };
      const directory = await lockRequest.directory;
      return await acquire(directory, { ...tools, onLeaseSession }, byMs - EXPLAIN_MS, stop.signal);
    } catch (error) {
      return { kind: 'failed', error };
    }
  };
  const untilTooLate = async (): Promise<Answer> => {
    await sleepUntil(clock, byMs, settled.signal);
    return {
      kind: 'failed',
      error: new SetupError('take-timeout', 'Cannot take the cluster lock: no answer in time'),
    };
  };
  const untilTerminated = async (): Promise<Answer> => {
    await whenAborted(tools.terminated);
    return { kind: 'unwanted' };
  };
  const untilParentGone = async (): Promise<Answer> => {
    while (!settled.signal.aborted && !parent.isGone()) {
      await sleepUntil(clock, clock.now() + timing.parentCheckMs, settled.signal);
    }
    return { kind: 'unwanted' };
  };

  const answer = await Promise.race([asking(), untilTerminated(), untilParentGone(), untilTooLate()]);
  settled.abort('over');
  stop.abort('over');
  stopStarting(); // who holds feeds it, and that starts it
  return answer;
}

async function end(
  reason: EndReason,
  tools: LifecycleTools,
  letGo: () => Promise<void>,
): Promise<ExitStatus> {
  const { status, log } = tools;
  switch (reason.kind) {
    case 'terminated':
    case 'parentGone':
      await letGo();
      log.info(
        'info-released',
        reason.kind === 'terminated' ? 'Released the lock' : 'Released the lock: the parent process is gone',
      );
      return EXIT.released;
    case 'keyLost':
      status.close();
      log.error('lost-key', `Lock lost - ${reason.how}`);
      await letGo();
      return EXIT.lost;
    case 'refused':
      status.close();
      log.error(reason.id, `Lock lost - ${reason.how}`);
      await letGo();
      return EXIT.lost;
    case 'deadlinePassed':
      status.close();
      // No call to etcd: it is silent, or its answers are not believed.
      log.error('lost-deadline', `Lock lost - etcd did not confirm it in time: ${reason.how}`);
      return EXIT.lost;
  }
}

/** The identifier of `textOf` in the failure guide. */
function idOf(error: unknown): string {
  return error instanceof SetupError || error instanceof EtcdError ? error.id : 'internal';
}

function textOf(error: unknown): string {
  if (error instanceof SetupError) return error.message;
  const why = error instanceof EtcdError ? etcdErrorText(error) : describeFault(error);
  return `Cannot take the cluster lock: ${why}`;
}
