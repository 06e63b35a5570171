import type { Clock, Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Member } from '../cluster/member.ts';
import type { Timing } from '../config/timing.ts';

/** What the watch needs of a member. */
export type WatchedMember = Pick<Member, 'endpoint' | 'readKey'>;

export interface MemberWatchTools {
  /** The endpoint that answers the renewals now: it is not asked, they tell of it. */
  readonly preferred: () => string;
  readonly clock: Clock;
  readonly timing: Pick<Timing, 'attemptMs'>;
  readonly log: Pick<Log, 'warning'>;
}

/** Between two rounds. Each costs every other member one linearizable read, which makes no entry in the raft log. */
export const ROUND_MS = 30_000;
/** Before it is said that one member is left, the others are asked once more: a restart can hit two in one round. */
export const SECOND_LOOK_MS = 5_000;
/** So many rounds in a row must be good before it is said that it is over: a network that comes and goes is one story. */
export const ROUNDS_UNTIL_OVER = 2;

type Failure = readonly [endpoint: string, message: string];

/**
 * Asks the other members now and then, while the lock is held, and warns once when only one of several still serves the lock, and once when
 * that is over. A holder by itself would not notice: it goes on asking the one member that answers. Nothing depends on what
 * this finds; the renewals decide about the lock.
 */
export class MemberWatch {
  readonly #members: readonly WatchedMember[];
  readonly #tools: MemberWatchTools;
  #isOnLast = false;
  #goodRounds = 0;
  #isAsking = false;
  #stopSecondLook: Disposer = () => undefined;
  #isStopped = false;

  constructor(members: readonly WatchedMember[], tools: MemberWatchTools) {
    this.#members = members;
    this.#tools = tools;
  }

  /** Begins to ask about `key`, until it is stopped. */
  start(key: string): Disposer {
    if (this.#members.length < 2) return () => undefined;
    const stopRounds = this.#tools.clock.every(ROUND_MS, () => {
      void this.#round(key, false);
    });
    return () => {
      this.#isStopped = true;
      stopRounds();
      this.#stopSecondLook();
    };
  }

  async #round(key: string, isSecondLook: boolean): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const preferred = this.#tools.preferred();
    const others = this.#members.filter(({ endpoint }) => endpoint !== preferred);
    const answers = await Promise.all(others.map((member) => this.#ask(member, key)));
    this.#isAsking = false;
    if (this.#isStopped) return;
    const failures = answers.filter((answer) => answer !== undefined);
    const serving = this.#members.length - failures.length;
    this.#goodRounds = serving > 1 ? this.#goodRounds + 1 : 0;
    if (serving > 1) this.#considerOver(serving);
    else if (!this.#isOnLast) {
      if (isSecondLook) this.#warn(preferred, failures);
      else this.#lookAgain(key);
    }
  }

  #lookAgain(key: string): void {
    const { clock } = this.#tools;
    this.#stopSecondLook = clock.at(clock.now() + SECOND_LOOK_MS, () => {
      void this.#round(key, true);
    });
  }

  #warn(last: string, failures: readonly Failure[]): void {
    this.#isOnLast = true;
    const others = failures.map(([endpoint, message]) => `${endpoint}: ${message}`).join('; ');
    this.#tools.log.warning(
      'warn-last-member',
      `Only etcd at ${last} still serves the lock (${others}); see that the others run and that this node reaches them`,
    );
  }

  #considerOver(serving: number): void {
    if (!this.#isOnLast || this.#goodRounds < ROUNDS_UNTIL_OVER) return;
    this.#isOnLast = false;
    this.#tools.log.warning(
      'warn-last-member',
      `etcd serves the lock at ${serving} of ${this.#members.length} endpoints again`,
    );
  }

  /** Undefined when the member answered. */
  async #ask(member: WatchedMember, key: string): Promise<Failure | undefined> {
    const { clock, timing } = this.#tools;
    const limit = new AbortController();
    const stopTimer = clock.at(clock.now() + timing.attemptMs, () => {
      limit.abort('timeout');
    });
    try {
      await member.readKey(key, { signal: limit.signal });
      return undefined;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return [member.endpoint, error.message];
    } finally {
      stopTimer();
    }
  }
}
