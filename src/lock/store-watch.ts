import type { Clock } from '../base/clock.ts';
import { EtcdError, etcdErrorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { CallOptions, Member } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { Timing } from '../config/timing.ts';
import type { EndReason } from './end-reason.ts';
import { askStore, inspectEndpoint, isAtHome } from './one-store.ts';
import type { HeldKey } from './renewal.ts';

const FIRST_LOOK_MS = 50;

export interface StoreWatchTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly log: Log;
}

/**
 * Checks while the lock is held that each endpoint leads to the store in which the lock was taken. Each endpoint is
 * asked once, as soon as it can be reached. An endpoint behind which a proxy answers is not used.
 */
export class StoreWatch {
  readonly #held: HeldKey;
  readonly #tools: StoreWatchTools;
  /** The endpoints that have answered. */
  readonly #seen: Set<string>;
  readonly #underWay = new Set<Member>();
  readonly #ended = new AbortController();
  #lose: (reason: EndReason) => void = () => undefined;

  constructor(held: HeldKey, tools: StoreWatchTools) {
    this.#held = held;
    this.#tools = tools;
    this.#seen = new Set();
  }

  /** True when `endpoint` is known to lead to the store in which the lock was taken. */
  isSameStore(endpoint: string): boolean {
    return endpoint === this.#held.home.endpoint || this.#seen.has(endpoint);
  }

  /** Resolves when the endpoints lead to more than one store, or when none of them leads to a member. */
  run(signal: AbortSignal): Promise<EndReason> {
    const { promise, resolve } = Promise.withResolvers<EndReason>();
    this.#lose = resolve;
    signal.addEventListener('abort', () => {
      this.#ended.abort('unwanted');
    });
    // The first questions are sent later, so that they do not delay the `0`.
    const stop = this.#tools.clock.at(this.#tools.clock.now() + FIRST_LOOK_MS, () => {
      this.look();
    });
    signal.addEventListener('abort', stop);
    return promise;
  }

  /** Asks each endpoint that has not answered yet, unless a question to it is running. */
  look(): void {
    if (this.#ended.signal.aborted) return;
    for (const member of this.#tools.members.all) {
      if (this.#seen.has(member.endpoint) || this.#underWay.has(member)) continue;
      this.#underWay.add(member);
      void this.#ask(member).finally(() => {
        this.#underWay.delete(member);
      });
    }
  }

  /** Stops using an endpoint behind which a proxy answers. */
  excludeProxy(member: Member, error: EtcdError): void {
    const { members, log } = this.#tools;
    if (this.#seen.has(member.endpoint)) return;
    this.#seen.add(member.endpoint);
    members.exclude(member);
    if (members.isUsable) log.warning(error.id, `${etcdErrorText(error)}; it is not used`);
    else this.#lose({ kind: 'refused', id: error.id, how: etcdErrorText(error) });
  }

  async #ask(member: Member): Promise<void> {
    const { log } = this.#tools;
    const { endpoint } = member;
    try {
      const answer = await this.#attempt((call) => askStore(member, call, this.#held));
      if (!answer.isSame) {
        // A deleted key is found by the watch and the renewals.
        const isThere = await this.#attempt((call) => isAtHome(this.#tools.members, call, this.#held));
        if (isThere) throw answer.error;
        return;
      }
      await this.#attempt((call) => inspectEndpoint(member, call, this.#held.leaseId));
      this.#seen.add(endpoint);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (this.#ended.signal.aborted) return;
      if (error.kind === 'proxy') this.excludeProxy(member, error);
      else if (error.kind === 'otherStore')
        this.#lose({ kind: 'refused', id: error.id, how: etcdErrorText(error) });
      else
        log.detail(
          'info-compare',
          () => `Not compared with the other endpoints yet: ${etcdErrorText(error)}`,
        );
    }
  }

  /** Runs a call with the time limit of an attempt. */
  async #attempt<T>(ask: (call: CallOptions) => Promise<T>): Promise<T> {
    const { clock, timing } = this.#tools;
    const giveUp = new AbortController();
    const stop = clock.at(clock.now() + timing.attemptMs, () => {
      giveUp.abort('timeout');
    });
    const end = (): void => {
      giveUp.abort('unwanted');
    };
    this.#ended.signal.addEventListener('abort', end);
    if (this.#ended.signal.aborted) end();
    try {
      return await ask({ signal: giveUp.signal });
    } finally {
      stop();
      this.#ended.signal.removeEventListener('abort', end);
    }
  }
}
