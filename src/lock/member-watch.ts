import type { Clock, Disposer } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Member } from '../cluster/member.ts';
import type { Timing } from '../config/timing.ts';

/** The part of a member that the watch uses. */
export type WatchedMember = Pick<Member, 'endpoint' | 'readKey'>;

export interface MemberWatchTools {
  /** The endpoint that answers the renewals now. The watch does not ask it, because the renewals show its state. */
  readonly preferred: () => string;
  readonly clock: Clock;
  readonly timing: Pick<Timing, 'attemptMs'>;
  readonly log: Pick<Log, 'warning'>;
}

/**
 * Between two rounds, in milliseconds. A round costs each other member one linearizable read, which writes no entry
 * into the raft log.
 */
export const ROUND_MS = 30_000;
/**
 * Before the warning, the other members are asked once more after this time, because a restart of the cluster can hit
 * two members in one round.
 */
export const SECOND_LOOK_MS = 5_000;
/**
 * The number of good rounds in a row before the warning is taken back, so that an unstable network causes one pair of
 * messages.
 */
export const ROUNDS_UNTIL_OVER = 2;

type Failure = readonly [endpoint: string, message: string];

/**
 * Asks the other members now and then while the lock is held. Warns once when only one of several members still serves
 * the lock, and reports once when that is over. Otherwise a holder would not notice, because it asks only the member
 * that answers. The result has no effect on the lock.
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

  /**
   * Starts to read `key` from the other members.
   * @returns the function that stops this
   */
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
      `Only etcd at ${last} still serves the lock (${others}); check that the other members run and that this node reaches them`,
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

  /** Resolves to the failure; undefined when the member answered. */
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
