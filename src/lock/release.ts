import { type Clock, sleepUntil } from '../base/clock.ts';
import type { Timing } from '../config/timing.ts';
import type { AnswerPipe } from './answer-pipe.ts';
import type { LeaseSession } from './lease.ts';
import type { Watchdog } from './watchdog.ts';

export interface ReleaseTools {
  readonly clock: Clock;
  readonly timing: Pick<Timing, 'releaseMs'>;
  readonly answerPipe: AnswerPipe;
  readonly watchdog: Watchdog;
}

/** The release of the lock: ends the claim first, and then removes from etcd what this process has put there. */
export class Release {
  readonly #tools: ReleaseTools;
  readonly #sessions: LeaseSession[] = [];

  constructor(tools: ReleaseTools) {
    this.#tools = tools;
  }

  /** Adds a lease that must be revoked. */
  add(session: LeaseSession): void {
    this.#sessions.push(session);
  }

  /**
   * Closes stdout, ends the watchdog and revokes the leases. Resolves after `releaseMs` at the latest. Never rejects.
   * @param isSplit true when the endpoints lead to more than one store; see `LeaseSession.revoke`
   */
  async run(isSplit = false): Promise<void> {
    const { clock, timing, answerPipe, watchdog } = this.#tools;
    answerPipe.close(); // the claim ends before another helper can take the lock
    watchdog.release();
    const giveUp = new AbortController();
    const byMs = clock.now() + timing.releaseMs;
    await Promise.race([
      Promise.all(this.#sessions.map((session) => session.revoke(byMs, giveUp.signal, isSplit))),
      sleepUntil(clock, byMs, giveUp.signal),
    ]);
    giveUp.abort('unwanted');
  }
}
