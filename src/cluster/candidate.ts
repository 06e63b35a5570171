import type { Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { AbortReason, Member } from './member.ts';
import { silence } from './member-failures.ts';

/** The part of a member that a question needs. */
export type Askable = Pick<Member, 'endpoint' | 'close' | 'waitsFor'>;

/** One call to one member. */
export interface Attempt {
  readonly controller: AbortController;
  readonly startedAtMs: number;
  stopTimer: Disposer;
}

/** The state of one member within one question. */
export class Candidate<M extends Askable> {
  readonly member: M;
  attempt: Attempt | undefined;
  tries = 0;
  /** Not asked before this instant, on the scale of `Clock.now()`. */
  notBeforeMs = -Infinity;
  /** The member can never answer this question: wrong certificate, wrong cluster, not etcd. */
  ruledOut = false;
  #failure: EtcdError | undefined;

  constructor(member: M) {
    this.member = member;
  }

  /** The failure of the last attempt that failed. When none has failed yet: no answer until `nowMs`. */
  failureAt(nowMs: number): EtcdError {
    const silentMs = this.attempt === undefined ? undefined : nowMs - this.attempt.startedAtMs;
    return this.silenceWithin(silentMs, true);
  }

  /**
   * The error for an attempt without an answer.
   * @param withinMs how long the last attempt lasted; undefined when there was none
   * @param wasCutShort true: the attempt had less than its full time, so an earlier failure tells more
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

  /** Aborts the attempt, if one is running. */
  giveUp(reason: AbortReason): void {
    const { attempt } = this;
    this.endAttempt();
    attempt?.controller.abort(reason);
  }
}

/** The first of the members that were asked least often. */
export function leastTried<M extends Askable>(candidates: readonly Candidate<M>[]): Candidate<M> | undefined {
  return candidates.reduce<Candidate<M> | undefined>(
    (best, candidate) => (best === undefined || candidate.tries < best.tries ? candidate : best),
    undefined,
  );
}
