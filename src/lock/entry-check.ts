import { type Clock, sleepUntil } from '../base/clock.ts';
import type { EtcdError } from '../base/errors.ts';
import type { LeaseId, Member, MemberList } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { Timing } from '../config/timing.ts';
import { type Deadline, deadlineMsOf } from './deadline.ts';
import type { TakenKey } from './lock-key.ts';
import { askStore, ifDecisive, inspectEndpoint, isAtHome, requireFit } from './one-store.ts';
import { type HeldKey, provenTtlMs } from './renewal.ts';

export interface EntryTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly timing: Timing;
}

// etcd's client, on which its grpc-proxy is built, sends keepalives every 500 ms (clientv3, lease.go), so that is how long the proxy
// needs to show itself.
const PROXY_MS = 600;

/**
 * What is made sure of before the `0`: that no proxy answers in the place of members, that the other endpoints lead to the same store, and
 * a first renewal, for which the lock's transaction is the first half.
 *
 * Silence is no reason to refuse the lock: it is waited for no longer than a hedge delay (for the preferred member 600 ms).
 */
export class EntryCheck {
  readonly #tools: EntryTools;
  readonly #leaseId: LeaseId;
  readonly #ended = new AbortController();
  readonly #inspections = new Map<Member, Promise<MemberList | undefined>>();

  constructor(leaseId: LeaseId, tools: EntryTools) {
    this.#leaseId = leaseId;
    this.#tools = tools;
  }

  /** Does ahead, while the lease is being granted, what does not need the key. */
  prepare(): void {
    const { members } = this.#tools;
    if (this.#inspections.size > 0) return;
    for (const member of members.all) if (member !== members.preferred) member.connect();
    this.#inspect(members.preferred).catch(() => undefined); // looked at in `finish`
  }

  /**
   * Resolves with the held key, after which `0` may be said while `deadline` lies ahead; it has been moved if the renewal was proven. Rejects
   * with `EtcdError` of kind `proxy` or `otherStore`.
   *
   * @param byMs when there is no time left to wait for anybody
   */
  async finish(held: HeldKey, taken: TakenKey, deadline: Deadline, byMs: number): Promise<HeldKey> {
    const { members, clock, timing } = this.#tools;
    const { member: homeMember } = taken;
    const nowMs = clock.now();
    const call = { signal: this.#ended.signal };
    const others = members.all.filter((member) => member !== homeMember);
    /** Endpoints that confirmed the key, and the member that answered. */
    const confirmed = new Map<string, string>();
    /** Endpoints of another cluster, where the configuration says which one is ours: they are not used. */
    const foreign = new Set<string>();
    /** Endpoints that do not have the key, as far as it is not known that nobody has it any more. */
    const denials = new Set<EtcdError>();
    let restartedAtMs = held.restartedAtMs;
    let list: MemberList | undefined;

    const renew = async (): Promise<void> => {
      const ttlMs = await ifDecisive(
        homeMember
          .keepAlive(held.leaseId, call)
          .then((renewed) => provenTtlMs(taken.answer, renewed, homeMember.endpoint)),
      );
      if (ttlMs === undefined) return;
      if (deadline.extendTo(deadlineMsOf(timing, taken.sentAtMs, ttlMs))) restartedAtMs = taken.sentAtMs;
    };
    const inspect = async (): Promise<void> => {
      list = await this.#inspect(homeMember);
    };
    const confirm = async (member: Member): Promise<void> => {
      const answer = await ifDecisive(askStore(member, call, held), (error) => {
        if (error.kind === 'wrongCluster') foreign.add(member.endpoint);
      });
      if (answer === undefined) return;
      if (answer.isSame) {
        confirmed.set(member.endpoint, answer.header.memberId);
        return;
      }
      denials.add(answer.error);
      if (!(await isAtHome(members, call, held))) denials.delete(answer.error);
      else throw answer.error;
    };
    await Promise.all([
      this.#within([renew(), inspect()], Math.min(nowMs + PROXY_MS, byMs)),
      this.#within(others.map(confirm), Math.min(nowMs + timing.hedgeDelayMs, byMs)),
    ]);
    for (const denial of denials) throw denial;
    const isConfirmed = [...confirmed.values()].some((memberId) => memberId !== held.home.memberId);
    const endpoints = members.all
      .map(({ endpoint }) => endpoint)
      .filter((endpoint) => !foreign.has(endpoint));
    const silent = endpoints.filter(
      (endpoint) => endpoint !== held.home.endpoint && !confirmed.has(endpoint),
    );
    if (!isConfirmed && silent.length > 0 && list !== undefined) {
      requireFit(held.home, list, endpoints, silent);
    }
    return { ...held, restartedAtMs };
  }

  /** Gives up what is still being asked. */
  stop(): void {
    this.#ended.abort('unwanted');
  }

  #inspect(member: Member): Promise<MemberList | undefined> {
    const known = this.#inspections.get(member);
    if (known !== undefined) return known;
    const inspection = inspectEndpoint(member, { signal: this.#ended.signal }, this.#leaseId);
    this.#inspections.set(member, inspection);
    return inspection;
  }

  /** Until all are done or time is up; rejects with the first that does. */
  async #within(tasks: readonly Promise<void>[], untilMs: number): Promise<void> {
    const done = new AbortController();
    try {
      await Promise.race([Promise.all(tasks), sleepUntil(this.#tools.clock, untilMs, done.signal)]);
    } finally {
      done.abort('over');
    }
  }
}
