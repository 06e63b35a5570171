/**
 * The folder `cluster` asks a cluster of several members one question, as if the cluster were one server. It also
 * declares the port to one member (`member.ts`).
 *
 * It guarantees the answer of one member, or an error that says how each member failed. It does not guarantee which
 * member answers, nor that a question is carried out only once, nor that an answer is up to date. What an answer proves
 * about the lock is decided in `lock`.
 */
import type { Clock, Disposer } from '../base/clock.ts';
import type { EtcdError } from '../base/errors.ts';
import type { Member } from './member.ts';
import { Preference } from './preference.ts';
import type { Askable } from './candidate.ts';
import { type Ask, type AskTiming, Question } from './question.ts';

/**
 * The members of the cluster. `ask` puts one question to as many of them as it takes (see `Question`). The member whose
 * answer was taken is asked first from then on. Code that wants the answer of a certain member calls that member
 * itself.
 */
export class Members<M extends Askable = Member> {
  readonly #members: readonly M[];
  readonly #clock: Clock;
  readonly #timing: AskTiming;
  readonly #onFailure: (error: EtcdError) => void;
  readonly #preference: Preference;
  readonly #excluded = new Set<M>();

  /** @param onFailure called for each attempt that fails while its question is open; for the log */
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

  /** In the order of the configuration. */
  get all(): readonly M[] {
    return this.#members;
  }

  /** True while at least one member is not excluded. */
  get isUsable(): boolean {
    return this.#excluded.size < this.#members.length;
  }

  /** Asks `member` nothing more, as long as another one is left. */
  exclude(member: M): void {
    this.#excluded.add(member);
    if (member === this.preferred) this.preferNext();
  }

  /** The member that is asked first: the one that answered last. */
  get preferred(): M {
    return this.#at(this.#preference.index);
  }

  /** Prefers the next member, when the preferred one is in doubt although no call failed. */
  preferNext(): void {
    this.#preference.moveOn();
    if (this.isUsable) while (this.#excluded.has(this.preferred)) this.#preference.moveOn();
  }

  /**
   * Calls `moved` each time another member becomes the preferred one.
   * @returns the function that stops this
   */
  onMove(moved: () => void): Disposer {
    return this.#preference.onMove(moved);
  }

  close(): void {
    for (const member of this.#members) member.close();
  }

  /**
   * Asks until one member gives a good answer. Rejects with an `EtcdError`, as `Question.answer` does.
   * @param byMs when the question is given up, on the scale of `Clock.now()`
   * @param afterAbort see `QuestionOptions`
   */
  ask<T>(
    question: Ask<M, T>,
    byMs: number,
    signal?: AbortSignal,
    afterAbort: 'callBack' | 'await' = 'callBack',
  ): Promise<T> {
    const inOrder = this.#members.map((_, index) =>
      this.#at((this.#preference.index + index) % this.#members.length),
    );
    const usable = inOrder.filter((member) => !this.#excluded.has(member));
    return new Question(usable.length > 0 ? usable : inOrder, question, {
      clock: this.#clock,
      timing: this.#timing,
      byMs,
      signal,
      afterAbort,
      onAnswer: (member) => {
        this.#preference.moveTo(this.#members.indexOf(member));
      },
      onFailure: this.#onFailure,
    }).answer;
  }

  #at(index: number): M {
    const member = this.#members[index];
    if (member === undefined) throw new Error(`No member ${index} of ${this.#members.length}`);
    return member;
  }
}
