import type { Clock, Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import { type Askable, type Attempt, Candidate, leastTried } from './candidate.ts';
import type { CallOptions } from './member.ts';
import { asEtcdError, meaningOf, summary } from './member-failures.ts';

/** The durations of one question, in milliseconds, from the timing of the configuration. */
export interface AskTiming {
  /** Limit for one attempt on one member. */
  readonly attemptMs: number;
  /** Limit for one attempt in which the member checks a password; `attemptMs` when undefined. */
  readonly loginMs?: number;
  /** From the start of one attempt until the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** From the failure of a member until it is asked again. */
  readonly retryDelayMs: number;
}

/** Asks one member. It can be called again, on the same or another member, whatever the result of earlier calls. */
export type Ask<M extends Askable, T> = (member: M, call: CallOptions) => Promise<T>;

/** What one question needs in addition to the members. */
export interface QuestionOptions<M extends Askable> {
  readonly clock: Clock;
  readonly timing: AskTiming;
  /** When the question is given up, on the scale of `Clock.now()`. */
  readonly byMs: number;
  /** Aborted when the answer is no longer needed. */
  readonly signal: AbortSignal | undefined;
  /**
   * What happens to running attempts when `signal` is aborted. `callBack` gives them up. `await` waits for them,
   * because their answers tell what must be undone. In both cases no new attempt begins.
   */
  readonly afterAbort: 'callBack' | 'await';
  /** Called with the member whose answer was taken. */
  readonly onAnswer: (member: M) => void;
  /** Called for each attempt that fails while the question is open. */
  readonly onFailure: (error: EtcdError) => void;
}

/**
 * One question to a cluster, from the first attempt to the answer.
 *
 * Members are asked in the order given. When a member has failed, or has not answered within the hedge delay, the next
 * one is asked as well, and so on round the list. The first good answer is taken. An attempt that reaches its time
 * limit is aborted with the reason `timeout`, which replaces its connection.
 */
export class Question<M extends Askable, T> {
  /**
   * The answer. Rejects with an `EtcdError`: at once when the cluster as a whole refuses, or when no member can ever
   * answer; at `byMs` with the last failure of each member; with kind `timeout` when the signal is aborted.
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
      // bcrypt makes the check of a password slow, and a second attempt would start it again. So the attempt gets the
      // longer limit, and other members are asked meanwhile.
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
        // The answer of an attempt that was given up is taken too, because a question can be carried out more than
        // once.
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
    this.#fail(new EtcdError('timeout', '', 'the call was canceled', undefined, 'net-unwanted'));
  }

  /** Ends the question and aborts the attempts that still run. */
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
