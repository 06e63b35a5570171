import { type Clock, sleepUntil } from '../base/clock.ts';
import type { EtcdError } from '../base/errors.ts';
import type { LeaseId, Member, MemberList } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { Timing } from '../config/timing.ts';
import { type Deadline, deadlineMsOf } from './deadline.ts';
import type { TakenKey } from './lock-key.ts';
import {
  askStore,
  ifDecisive,
  inspectEndpoint,
  isAtHome,
  requireFit,
  unclearStore,
  unknownMembers,
} from './one-store.ts';
import { type HeldKey, provenTtlMs } from './renewal.ts';

export interface EntryTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly timing: Timing;
}

// In milliseconds: how long a grpc-proxy needs to be recognized. It is built on etcd's client, which sends keepalives
// every 500 ms (etcd, clientv3, lease.go).
const PROXY_MS = 600;

/**
 * The checks before the `0`: that no proxy answers instead of a member, that all endpoints lead to the same store, and
 * a first renewal, whose first half is the lock's transaction.
 *
 * An endpoint that is silent does not stop the lock while the member list shows that it belongs to the cluster. The
 * checks wait for it no longer than a hedge delay, and for the preferred member 600 ms. They wait longer, and the lock
 * is refused in the end, when there is no member list, or when an endpoint was read without the key.
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

  /** Starts the checks that do not need the key, while the lease is being granted. */
  prepare(): void {
    const { members } = this.#tools;
    if (this.#inspections.size > 0) return;
    for (const member of members.all) if (member !== members.preferred) member.connect();
    this.#inspect(members.preferred).catch(() => undefined); // looked at in `finish`
  }

  /**
   * Resolves with the held key. `0` may then be written while `deadline` is ahead; it has been moved when the renewal
   * was proven. Rejects with `EtcdError` of kind `proxy` or `otherStore`.
   * @param byMs when there is no time left to wait, on the scale of `Clock.now()`
   */
  async finish(held: HeldKey, taken: TakenKey, deadline: Deadline, byMs: number): Promise<HeldKey> {
    const { members, clock, timing } = this.#tools;
    const { member: homeMember } = taken;
    const nowMs = clock.now();
    const call = { signal: this.#ended.signal };
    const others = members.all.filter((member) => member !== homeMember);
    /** The endpoints that confirmed the key, with the member that answered. */
    const confirmed = new Map<string, string>();
    /** The endpoints of another cluster, when the configuration gives the cluster ID. They are not used. */
    const foreign = new Set<string>();
    /** The errors of endpoints that do not have the key, without those where no endpoint has it any more. */
    const denials = new Set<EtcdError>();
    /** The endpoints that were read without the key, and whose log has not answered. */
    const missing = new Set<string>();
    const vouched = new AbortController();
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
      if (list !== undefined) vouched.abort('listed');
    };
    const confirm = async (member: Member): Promise<void> => {
      const onMissing = (): void => {
        missing.add(member.endpoint);
      };
      const answer = await ifDecisive(askStore(member, call, held, onMissing), (error) => {
        if (error.kind === 'wrongCluster') foreign.add(member.endpoint);
      });
      if (answer === undefined) return;
      missing.delete(member.endpoint);
      if (answer.isSame) {
        confirmed.set(member.endpoint, answer.header.memberId);
        if (answer.header.memberId !== held.home.memberId) vouched.abort('confirmed');
        return;
      }
      denials.add(answer.error);
      if (!(await isAtHome(members, call, held))) denials.delete(answer.error);
      else throw answer.error;
    };
    const atHome = [renew(), inspect()];
    const elsewhere = others.map(confirm);
    await Promise.all([
      this.#within(atHome, Math.min(nowMs + PROXY_MS, byMs)),
      this.#within(elsewhere, Math.min(nowMs + timing.hedgeDelayMs, byMs)),
    ]);
    if (!vouched.signal.aborted && others.length > 0)
      await this.#within([...atHome, ...elsewhere], byMs, vouched.signal);
    if (missing.size > 0) await this.#within(elsewhere, byMs);
    for (const denial of denials) throw denial;
    for (const endpoint of missing) throw unclearStore(endpoint, held.home);
    const isConfirmed = [...confirmed.values()].some((memberId) => memberId !== held.home.memberId);
    const endpoints = members.all
      .map(({ endpoint }) => endpoint)
      .filter((endpoint) => !foreign.has(endpoint));
    const silent = endpoints.filter(
      (endpoint) => endpoint !== held.home.endpoint && !confirmed.has(endpoint),
    );
    if (!isConfirmed && silent.length > 0) {
      if (list === undefined) throw unknownMembers(held.home, silent);
      requireFit(held.home, list, endpoints, silent);
    }
    return { ...held, restartedAtMs };
  }

  /** Ends the checks that still run. */
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

  /** Waits until all tasks are done, `enough` is aborted, or the time is up. Rejects with the first task that does. */
  async #within(tasks: readonly Promise<void>[], untilMs: number, enough?: AbortSignal): Promise<void> {
    const done = new AbortController();
    const signal = enough === undefined ? done.signal : AbortSignal.any([done.signal, enough]);
    try {
      await Promise.race([Promise.all(tasks), sleepUntil(this.#tools.clock, untilMs, signal)]);
    } finally {
      done.abort('over');
    }
  }
}
