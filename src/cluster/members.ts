import type { Clock, Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { AbortReason, CallOptions, Member } from './member.ts';
import { asEtcdError, meaningOf, silence, summary } from './member-failures.ts';
import { Preference } from './preference.ts';

/** One question on its way to one member. */
interface Attempt {
  readonly controller: AbortController;
  readonly startedAtMs: number;
  readonly stopTimer: Disposer;
}

/** How long one question takes at each step; milliseconds, from the configuration's timing. */
export interface AskTiming {
  /** One attempt on one member. */
  readonly attemptMs: number;
  /** From the start of one attempt until the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** From a failure of a member until it is asked again. */
  readonly retryDelayMs: number;
}

/** What a member needs to be asked anything. */
type Asked = Pick<Member, 'endpoint' | 'close'>;

/** What we know of one member while one question is open. */
interface Candidate<M extends Asked> {
  readonly member: M;
  attempt: Attempt | undefined;
  tries: number;
  /** Not asked before this instant. */
  notBeforeMs: number;
  /** It will never answer this question: wrong certificate, wrong cluster, not etcd. */
  ruledOut: boolean;
  failure: EtcdError | undefined;
}

function failureOf({ failure, member }: Candidate<Asked>): EtcdError {
  return failure ?? new EtcdError('timeout', member.endpoint, 'no answer');
}

/**
 * The members of the cluster, and the one way to ask them anything.
 *
 * The preferred member is asked first. When it has not answered within the hedge delay, or has failed, the next one is
 * asked as well, and so on round the list; the first good answer wins, and its member is preferred from then on. An
 * attempt that uses up its own time is given up and its connection replaced. Every question must therefore be one that
 * can be asked twice.
 */
export class Members<M extends Asked = Member> {
  readonly #members: readonly M[];
  readonly #clock: Clock;
  readonly #timing: AskTiming;
  readonly #onFailure: (error: EtcdError) => void;
  readonly #preference: Preference;

  /** @param onFailure told of each attempt that failed while its question was open; for the log. */
  constructor(
    members: readonly M[],
    clock: Clock,
    timing: AskTiming,
    onFailure: (error: EtcdError) => void = () => undefined,
  ) {
    if (members.length === 0) throw new Error('Cannot ask a cluster without members');
    this.#members = members;
    this.#preference = new Preference(members.length);
    this.#clock = clock;
    this.#timing = timing;
    this.#onFailure = onFailure;
  }

  /** The member that answered last. */
  get preferred(): M {
    return this.#at(this.#preference.index);
  }

  /** The member after the preferred one: where to go when the preferred one is in doubt without having failed. */
  preferNext(): void {
    this.#preference.moveOn();
  }

  /** Calls `moved` whenever another member is preferred from then on, until it is stopped. */
  onMove(moved: () => void): Disposer {
    return this.#preference.onMove(moved);
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  /**
   * Asks until one member gives a good answer. Rejects with an `EtcdError`: at once when the cluster as a whole refuses,
   * or when no member can ever answer; otherwise at `byMs`, with what each member said last; and with kind `timeout` when
   * `signal` is aborted.
   *
   * @param afterAbort what becomes of the attempts that are under way then: they are called back, or awaited, because their
   *   answers tell what there is to undo. No new one begins.
   */
  ask<T>(
    question: (member: M, call: CallOptions) => Promise<T>,
    byMs: number,
    signal?: AbortSignal,
    afterAbort: 'callBack' | 'await' = 'callBack',
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const clock = this.#clock;
    const { attemptMs, hedgeDelayMs, retryDelayMs } = this.#timing;
    const candidates = this.#members.map((_, index): Candidate<M> => ({
      member: this.#at((this.#preference.index + index) % this.#members.length),
      attempt: undefined,
      tries: 0,
      notBeforeMs: -Infinity,
      ruledOut: false,
      failure: undefined,
    }));
    let settled = false;
    let lastStartMs = -Infinity;
    let stopTimer: Disposer = () => undefined;

    const giveUp = (candidate: Candidate<M>, reason: AbortReason): void => {
      candidate.attempt?.stopTimer();
      candidate.attempt?.controller.abort(reason);
      candidate.attempt = undefined;
    };

    const settle = (finish: () => void): void => {
      settled = true;
      stopTimer();
      signal?.removeEventListener('abort', onAbort);
      for (const candidate of candidates) {
        if (candidate.attempt === undefined) continue;
        const silentMs = clock.now() - candidate.attempt.startedAtMs;
        giveUp(candidate, silentMs >= hedgeDelayMs ? 'outrun' : 'unwanted');
      }
      finish();
    };

    const rejectUnwanted = (): void => {
      settle(() => {
        reject(new EtcdError('timeout', '', 'no longer wanted'));
      });
    };

    const onAbort = (): void => {
      if (afterAbort === 'callBack') rejectUnwanted();
      else step();
    };

    const onFailure = (candidate: Candidate<M>, error: EtcdError): void => {
      candidate.attempt?.stopTimer();
      candidate.attempt = undefined;
      candidate.failure = error;
      this.#onFailure(error);
      const meaning = meaningOf(error.kind);
      if (meaning === 'final') {
        settle(() => {
          reject(error);
        });
        return;
      }
      candidate.ruledOut = meaning === 'askOthers';
      candidate.notBeforeMs = clock.now() + retryDelayMs;
      lastStartMs = -Infinity; // a failure needs no hedge delay before the next member is asked
      step();
    };

    const start = (candidate: Candidate<M>, now: number): void => {
      const controller = new AbortController();
      const endsAtMs = Math.min(now + attemptMs, byMs);
      const attempt: Attempt = {
        controller,
        startedAtMs: now,
        stopTimer: clock.at(endsAtMs, () => {
          if (candidate.attempt !== attempt) return;
          giveUp(candidate, 'timeout');
          // An attempt that the end of the question cut short tells less than what came before it.
          const known = endsAtMs < now + attemptMs ? candidate.failure : undefined;
          onFailure(candidate, known ?? silence(candidate.member.endpoint, endsAtMs - now));
        }),
      };
      candidate.attempt = attempt;
      candidate.tries += 1;
      lastStartMs = now;
      question(candidate.member, { signal: controller.signal }).then(
        (answer) => {
          if (settled) return;
          // A late answer of an attempt that was given up is as good as any: the questions are made for that.
          this.#preference.moveTo(this.#members.indexOf(candidate.member));
          // Nothing of it is under way any more.
          if (candidate.attempt === attempt) {
            attempt.stopTimer();
            candidate.attempt = undefined;
          }
          settle(() => {
            resolve(answer);
          });
        },
        (error: unknown) => {
          if (settled || candidate.attempt !== attempt) return;
          onFailure(candidate, asEtcdError(error, candidate.member.endpoint));
        },
      );
    };

    /** Does all that is due now and sets the timer for what is due next. */
    const step = (now = clock.now()): void => {
      if (settled) return;
      stopTimer();
      const possible = candidates.filter((candidate) => !candidate.ruledOut);
      if (now >= byMs || possible.length === 0) {
        settle(() => {
          reject(summary(candidates.map(failureOf)));
        });
        return;
      }
      const idle = possible.filter((candidate) => candidate.attempt === undefined);
      const busy = idle.length < possible.length;
      if (signal?.aborted === true) {
        if (busy) stopTimer = clock.at(byMs, step);
        else rejectUnwanted();
        return;
      }
      const hedgeAtMs = busy ? lastStartMs + hedgeDelayMs : now;
      let nextMs = byMs;
      if (idle.length > 0) {
        if (now >= hedgeAtMs) {
          const due = idle.filter((candidate) => candidate.notBeforeMs <= now);
          const next = due.reduce<Candidate<M> | undefined>(
            (best, candidate) => (best === undefined || candidate.tries < best.tries ? candidate : best),
            undefined,
          );
          if (next !== undefined) {
            start(next, now);
            step(now);
            return;
          }
          nextMs = Math.min(nextMs, ...idle.map((candidate) => candidate.notBeforeMs));
        } else {
          nextMs = Math.min(nextMs, hedgeAtMs);
        }
      }
      stopTimer = clock.at(nextMs, step);
    };

    signal?.addEventListener('abort', onAbort);
    step();
    return promise;
  }

  #at(index: number): M {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`No member ${index} of ${this.#members.length}`);
    return member;
  }
}
