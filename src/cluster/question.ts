import type { Clock, Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { AbortReason, CallOptions, Member } from './member.ts';
import { asEtcdError, meaningOf, silence, summary } from './member-failures.ts';

/** How long one question takes at each step; milliseconds, from the configuration's timing. */
export interface AskTiming {
  /** One attempt on one member. */
  readonly attemptMs: number;
  /** One attempt in which the member checks a password; as long as any other unless said otherwise. */
  readonly loginMs?: number;
  /** From the start of one attempt until the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** From a failure of a member until it is asked again. */
  readonly retryDelayMs: number;
}

/** What a member needs to be asked anything. */
export type Askable = Pick<Member, 'endpoint' | 'close' | 'waitsFor'>;

/** Asks one member. Must be safe to call again, on the same member or another, whatever became of earlier calls. */
export type Ask<M extends Askable, T> = (member: M, call: CallOptions) => Promise<T>;

/** What one question needs beside the members. */
export interface QuestionOptions<M extends Askable> {
  readonly clock: Clock;
  readonly timing: AskTiming;
  /** When the question is given up, on the clock's scale. */
  readonly byMs: number;
  /** Aborted when nobody wants the answer any more. */
  readonly signal: AbortSignal | undefined;
  /**
   * What becomes of attempts under way when `signal` is aborted: they are called back, or awaited because their answers tell
   * what there is to undo. No new attempt begins either way.
   */
  readonly afterAbort: 'callBack' | 'await';
  /** Told of the member whose answer was taken. */
  readonly onAnswer: (member: M) => void;
  /** Told of each attempt that failed while the question was open. */
  readonly onFailure: (error: EtcdError) => void;
}

/** One call to one member. */
interface Attempt {
  readonly controller: AbortController;
  readonly startedAtMs: number;
  stopTimer: Disposer;
}

/** The state of one member within one question. */
class Candidate<M extends Askable> {
  readonly member: M;
  attempt: Attempt | undefined;
  tries = 0;
  /** Not asked before this instant. */
  notBeforeMs = -Infinity;
  /** It can never answer this question: wrong certificate, wrong cluster, not etcd. */
  ruledOut = false;
  #failure: EtcdError | undefined;

  constructor(member: M) {
    this.member = member;
  }

  /** What the last attempt failed with; silence until `nowMs` when none has failed yet. */
  failureAt(nowMs: number): EtcdError {
    const silentMs = this.attempt === undefined ? undefined : nowMs - this.attempt.startedAtMs;
    return this.silenceWithin(silentMs, true);
  }

  /**
   * @param withinMs how long the last attempt had; undefined when there was none
   * @param wasCutShort then it tells less than an earlier failure
   */
  silenceWithin(withinMs: number | undefined, wasCutShort: boolean): EtcdError {
    const known = wasCutShort ? this.#failure : undefined;
    if (known !== undefined) return known;
    const { endpoint } = this.member;
    return withinMs === undefined
      ? new EtcdError('timeout', endpoint, 'no answer')
      : silence(endpoint, withinMs, this.member.waitsFor?.());
  }

  failed(error: EtcdError): void {
    this.endAttempt();
    this.#failure = error;
  }

  /** Forgets the attempt, which has ended. */
  endAttempt(): void {
    this.attempt?.stopTimer();
    this.attempt = undefined;
  }

  /** Gives the attempt up, if there is one. */
  giveUp(reason: AbortReason): void {
    const { attempt } = this;
    this.endAttempt();
    attempt?.controller.abort(reason);
  }
}

/**
 * One question to a cluster, from the first attempt to the answer.
 *
 * Members are asked in the order given. When a member has not answered within the hedge delay, or has failed, the next one
 * is asked as well, and so on round the list. The first good answer is taken. An attempt that uses up its own time is given
 * up, and the reason `timeout` has its connection replaced.
 */
export class Question<M extends Askable, T> {
  /**
   * The answer. Rejects with an `EtcdError`: at once when the cluster as a whole refuses, or when no member can ever answer;
   * otherwise at `byMs`, with what each member said last; and with kind `timeout` when the signal is aborted.
   */
  readonly answer: Promise<T>;
  readonly #ask: Ask<M, T>;
  readonly #options: QuestionOptions<M>;
  readonly #candidates: readonly Candidate<M>[];
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: EtcdError) => void;
  readonly #onAbort = (): void => {
    if (this.#options.afterAbort === 'callBack') this.#endUnwanted();
    else this.#step();
  };
  #isSettled = false;
  #lastStartMs = -Infinity;
  #stopTimer: Disposer = () => undefined;

  constructor(members: readonly M[], ask: Ask<M, T>, options: QuestionOptions<M>) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#ask = ask;
    this.#options = options;
    this.#candidates = members.map((member) => new Candidate(member));
    options.signal?.addEventListener('abort', this.#onAbort);
    this.#step();
  }

  /** Starts the attempts that are due, and sets the timer for what is due next. */
  #step(nowMs = this.#options.clock.now()): void {
    if (this.#isSettled) return;
    this.#stopTimer();
    const { byMs, signal } = this.#options;
    const possible = this.#candidates.filter((candidate) => !candidate.ruledOut);
    if (nowMs >= byMs || possible.length === 0) {
      this.#fail(summary(this.#candidates.map((candidate) => candidate.failureAt(nowMs))));
      return;
    }
    const idle = possible.filter((candidate) => candidate.attempt === undefined);
    const isBusy = idle.length < possible.length;
    if (signal?.aborted === true) {
      if (isBusy) this.#wakeAt(byMs);
      else this.#endUnwanted();
      return;
    }
    const hedgeAtMs = isBusy ? this.#lastStartMs + this.#options.timing.hedgeDelayMs : nowMs;
    if (nowMs < hedgeAtMs) {
      this.#wakeAt(idle.length > 0 ? Math.min(byMs, hedgeAtMs) : byMs);
      return;
    }
    const next = leastTried(idle.filter((candidate) => candidate.notBeforeMs <= nowMs));
    if (next === undefined) {
      this.#wakeAt(Math.min(byMs, ...idle.map((candidate) => candidate.notBeforeMs)));
      return;
    }
    this.#start(next, nowMs);
    this.#step(nowMs);
  }

  #wakeAt(atMs: number): void {
    this.#stopTimer = this.#options.clock.at(atMs, (nowMs) => {
      this.#step(nowMs);
    });
  }

  #start(candidate: Candidate<M>, nowMs: number): void {
    const { clock, timing, byMs } = this.#options;
    const controller = new AbortController();
    const { attemptMs, loginMs = attemptMs } = timing;
    const end = (atMs: number): void => {
      if (candidate.attempt !== attempt) return;
      // A password is checked slowly on purpose (bcrypt), and to begin again would be no quicker. The others are asked beside.
      const loginEndsAtMs = Math.min(nowMs + loginMs, byMs);
      if (atMs < loginEndsAtMs && candidate.member.waitsFor?.() === 'login') {
        attempt.stopTimer = clock.at(loginEndsAtMs, () => {
          end(loginEndsAtMs);
        });
        return;
      }
      const failure = candidate.silenceWithin(atMs - nowMs, atMs < nowMs + attemptMs);
      candidate.giveUp('timeout');
      this.#attemptFailed(candidate, failure);
    };
    const endsAtMs = Math.min(nowMs + attemptMs, byMs);
    const attempt: Attempt = {
      controller,
      startedAtMs: nowMs,
      stopTimer: clock.at(endsAtMs, () => {
        end(endsAtMs);
      }),
    };
    candidate.attempt = attempt;
    candidate.tries += 1;
    this.#lastStartMs = nowMs;
    this.#ask(candidate.member, { signal: controller.signal }).then(
      (answer) => {
        // The answer of an attempt that was given up is as good as any: questions can be asked twice.
        if (candidate.attempt === attempt) candidate.endAttempt();
        this.#succeed(candidate.member, answer);
      },
      (error: unknown) => {
        if (candidate.attempt === attempt)
          this.#attemptFailed(candidate, asEtcdError(error, candidate.member.endpoint));
      },
    );
  }

  #attemptFailed(candidate: Candidate<M>, error: EtcdError): void {
    if (this.#isSettled) return;
    const { clock, timing, onFailure } = this.#options;
    candidate.failed(error);
    onFailure(error);
    const meaning = meaningOf(error.kind);
    if (meaning === 'final') {
      this.#fail(error);
      return;
    }
    candidate.ruledOut = meaning === 'askOthers';
    candidate.notBeforeMs = clock.now() + timing.retryDelayMs;
    this.#lastStartMs = -Infinity; // after a failure the next member is asked without the hedge delay
    this.#step();
  }

  #succeed(member: M, answer: T): void {
    if (this.#isSettled) return;
    this.#options.onAnswer(member);
    this.#settle();
    this.#resolve(answer);
  }

  #fail(error: EtcdError): void {
    this.#settle();
    this.#reject(error);
  }

  #endUnwanted(): void {
    this.#fail(new EtcdError('timeout', '', 'no longer wanted', undefined, 'net-unwanted'));
  }

  /** Ends the question: attempts that are still under way are given up. */
  #settle(): void {
    const { clock, timing, signal } = this.#options;
    this.#isSettled = true;
    this.#stopTimer();
    signal?.removeEventListener('abort', this.#onAbort);
    for (const candidate of this.#candidates) {
      if (candidate.attempt === undefined) continue;
      const silentMs = clock.now() - candidate.attempt.startedAtMs;
      candidate.giveUp(silentMs >= timing.hedgeDelayMs ? 'outrun' : 'unwanted');
    }
  }
}

/** The first of those that were asked least often. */
function leastTried<M extends Askable>(candidates: readonly Candidate<M>[]): Candidate<M> | undefined {
  return candidates.reduce<Candidate<M> | undefined>(
    (best, candidate) => (best === undefined || candidate.tries < best.tries ? candidate : best),
    undefined,
  );
}
