import type { Clock } from '../base/clock.ts';
import { sleepUntil } from '../base/clock.ts';
import { Deadline, deadlineMsOf } from './deadline.ts';
import { EtcdError } from '../base/errors.ts';
import type { CallOptions, LeaseId, Member } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { Timing } from '../config/timing.ts';

// Between two revokes, while a grant may still be on its way to a member.
const REVOKE_AGAIN_MS = 100;

/**
 * One lease, from its first request until nothing of it can be left in etcd. The helper chooses the lease ID. So each
 * step can be repeated, and undone without knowing whether it was carried out.
 */
export class LeaseSession {
  readonly leaseId: LeaseId;
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #timing: Timing;
  /** Grants that were sent and not answered yet. */
  readonly #openGrants = new Set<Promise<unknown>>();
  /** The members to which a grant was sent. */
  readonly #asked = new Set<Member>();
  #firstSentAtMs: number | undefined;
  /** True after a grant failed without a clear refusal: it may have been carried out, or may be later. */
  #hasUnknownGrant = false;
  /** Until this instant, a grant that was aborted because another member was quicker may still arrive. */
  #lateGrantsUntilMs = -Infinity;
  #deadline: Deadline | undefined;
  #grantedTtlMs: number | undefined;
  /** True when a revoke was sent or is about to be. The lease ID cannot be used again. */
  #isRevoked = false;

  constructor(leaseId: LeaseId, members: Members, clock: Clock, timing: Timing) {
    this.leaseId = leaseId;
    this.#members = members;
    this.#clock = clock;
    this.#timing = timing;
  }

  /** Set once the lease has been granted. */
  get deadline(): Deadline | undefined {
    return this.#deadline;
  }

  /**
   * The TTL in etcd's answer, in milliseconds. A member raises a short one to its own minimum. For messages: the
   * deadline counts the smaller TTL. Undefined before the grant.
   */
  get grantedTtlMs(): number | undefined {
    return this.#grantedTtlMs;
  }

  /** When the first grant was sent, on the scale of `Clock.now()`. From then on the lease may exist in etcd. */
  get firstSentAtMs(): number | undefined {
    return this.#firstSentAtMs;
  }

  /**
   * Asks for the lease. The deadline counts from the first send of all tries, because a try whose answer was lost may
   * have been carried out. Rejects with `EtcdError`. After `signal` is aborted, no further try is sent.
   */
  async grant(byMs: number, signal: AbortSignal): Promise<Deadline> {
    const grantOn = async (member: Member, call: CallOptions): Promise<number> => {
      // A raft leader that knew the lease before may carry out its revoke late, which would end a new lease with the
      // same ID.
      if (this.#isRevoked) throw new Error(`Lease ${this.leaseId} must not be granted after its revoke`);
      this.#firstSentAtMs ??= this.#clock.now();
      const grant = member.grant(this.leaseId, this.#timing.ttlMs, call);
      this.#openGrants.add(grant);
      this.#asked.add(member);
      try {
        return (await grant).ttlMs;
      } catch (error) {
        if (error instanceof EtcdError && error.kind === 'leaseExists') {
          // An earlier try was carried out, with the TTL that was asked for or a longer one.
          return this.#timing.ttlMs;
        }
        this.#hasUnknownGrant = true;
        this.#lateGrantsUntilMs = this.#clock.now() + this.#timing.attemptMs;
        throw error;
      } finally {
        this.#openGrants.delete(grant);
      }
    };
    const ttlMs = await this.#members.ask(grantOn, byMs, signal, 'await');
    // Set before the first send, and there was one, because there is an answer.
    const sentAtMs = this.#firstSentAtMs ?? -Infinity;
    if (this.#isRevoked) throw new Error(`Lease ${this.leaseId} was revoked before its grant was answered`);
    this.#grantedTtlMs = ttlMs;
    this.#deadline = new Deadline(this.#clock, deadlineMsOf(this.#timing, sentAtMs, ttlMs));
    return this.#deadline;
  }

  /**
   * Revokes the lease, which deletes its key. Resolves true when etcd has neither of them, false when the time ran out
   * or the cluster refused. Never rejects. A grant that is still on its way would create the lease again. In that case
   * the revoke is repeated, at most until `byMs`.
   * @param isSplit true when the endpoints lead to more than one store. Each of them may have granted the lease, so it
   * is revoked at each endpoint to which a grant was sent. Those that do not answer are waited for until `signal`.
   */
  async revoke(byMs: number, signal: AbortSignal, isSplit = false): Promise<boolean> {
    this.#deadline?.dispose();
    this.#isRevoked = true;
    if (this.#firstSentAtMs === undefined) return true;
    await this.#grantsToSettle(byMs, signal);
    for (;;) {
      const asked = isSplit ? [...this.#asked] : [];
      const everywhere = Promise.allSettled(asked.map((member) => member.revoke(this.leaseId, { signal })));
      const isGone = await this.#revokeOnce(byMs, signal);
      // The endpoint of another cluster refuses at once, while the one that has the key is still busy.
      await everywhere;
      if (!isGone) return false;
      if (!this.#mayYetArrive()) return true;
      await sleepUntil(this.#clock, this.#clock.now() + REVOKE_AGAIN_MS, signal);
      if (signal.aborted || this.#clock.now() >= byMs) return false;
    }
  }

  /** Resolves true when one member has revoked the lease, or does not know it. Never rejects. */
  async #revokeOnce(byMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#members.ask((member, call) => member.revoke(this.leaseId, call), byMs, signal);
      return true;
    } catch (error) {
      return error instanceof EtcdError && error.kind === 'leaseNotFound';
    }
  }

  /**
   * True while a grant may still arrive. A grant without an answer can take any time. A grant that another member
   * outran takes no longer than an attempt.
   */
  #mayYetArrive(): boolean {
    if (this.#openGrants.size > 0) return true;
    if (this.#deadline === undefined) return this.#hasUnknownGrant;
    return this.#clock.now() < this.#lateGrantsUntilMs;
  }

  /**
   * Waits for the answers to the grants. A revoke that overtakes its own grant finds no lease, and the grant then
   * leaves one behind.
   */
  async #grantsToSettle(byMs: number, signal: AbortSignal): Promise<void> {
    if (this.#openGrants.size === 0) return;
    const waited = new AbortController();
    const stop = (): void => {
      waited.abort('over');
    };
    signal.addEventListener('abort', stop);
    const untilMs = Math.min(this.#clock.now() + this.#timing.attemptMs / 2, byMs);
    await Promise.race([
      Promise.allSettled(this.#openGrants),
      sleepUntil(this.#clock, untilMs, waited.signal),
    ]);
    stop();
    signal.removeEventListener('abort', stop);
  }
}
