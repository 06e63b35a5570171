import type { Clock } from '../base/clock.ts';
import { sleepUntil } from '../base/clock.ts';
import { Deadline, deadlineMsOf } from './deadline.ts';
import { EtcdError } from '../base/errors.ts';
import type { CallOptions, LeaseId, Member } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import type { Timing } from '../config/timing.ts';

// Between two revokes while a grant of ours may still be on its way to a member.
const REVOKE_AGAIN_MS = 100;

/**
 * One lease of ours, from the first thought of it until nothing of it can be left in etcd. Its ID is ours to choose, so
 * that each step can be repeated, and undone without knowing whether it took effect.
 */
export class LeaseSession {
  readonly leaseId: LeaseId;
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #timing: Timing;
  /** Grants that were sent and whose fate is not known. */
  readonly #openGrants = new Set<Promise<unknown>>();
  #firstSentAtMs: number | undefined;
  /** A grant failed without a plain no: it may have taken effect, or may do so yet. */
  #hasUnknownGrant = false;
  /** Until then, one that was called back because another member was quicker may still arrive. */
  #lateGrantsUntilMs = -Infinity;
  #deadline: Deadline | undefined;
  /** A revoke was sent, or is about to be: this lease ID is used up. */
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

  /** When the first grant was sent, on the clock's scale; from then on there may be something to undo. */
  get firstSentAtMs(): number | undefined {
    return this.#firstSentAtMs;
  }

  /**
   * Asks for the lease. The deadline counts from the first send of any of the tries, because a try whose answer was lost
   * may be the one that took effect. Rejects with `EtcdError`. When `signal` is aborted, no further try is sent.
   */
  async grant(byMs: number, signal: AbortSignal): Promise<Deadline> {
    const grantOn = async (member: Member, call: CallOptions): Promise<number> => {
      // Its revoke may be carried out late, by a leader that knew the lease from before, and would end a new lease of this ID.
      if (this.#isRevoked) throw new Error(`Lease ${this.leaseId} must not be granted after its revoke`);
      this.#firstSentAtMs ??= this.#clock.now();
      const grant = member.grant(this.leaseId, this.#timing.ttlMs, call);
      this.#openGrants.add(grant);
      try {
        return (await grant).ttlMs;
      } catch (error) {
        if (error instanceof EtcdError && error.kind === 'leaseExists') {
          // One of our own earlier tries took effect, with what we asked for or more.
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
    // Set before the first send, which the answer proves to have been.
    const sentAtMs = this.#firstSentAtMs ?? -Infinity;
    if (this.#isRevoked) throw new Error(`Lease ${this.leaseId} was revoked before its grant was answered`);
    this.#deadline = new Deadline(this.#clock, deadlineMsOf(this.#timing, sentAtMs, ttlMs));
    return this.#deadline;
  }

  /**
   * Revokes the lease, and with it our key. Resolves true when etcd is known to have neither, false when time ran out
   * first or the cluster refused; never rejects. A lease that is revoked or not found is gone, unless one of our grants
   * may still be on its way, which would bring it back: then it is looked for again, at most until `byMs`.
   */
  async revoke(byMs: number, signal: AbortSignal): Promise<boolean> {
    this.#deadline?.dispose();
    this.#isRevoked = true;
    if (this.#firstSentAtMs === undefined) return true;
    await this.#grantsToSettle(byMs, signal);
    for (;;) {
      try {
        await this.#members.ask((member, call) => member.revoke(this.leaseId, call), byMs, signal);
      } catch (error) {
        if (!(error instanceof EtcdError && error.kind === 'leaseNotFound')) return false;
      }
      if (!this.#mayYetArrive()) return true;
      await sleepUntil(this.#clock, this.#clock.now() + REVOKE_AGAIN_MS, signal);
      if (signal.aborted || this.#clock.now() >= byMs) return false;
    }
  }

  /** A grant that nobody answered may take its time; one that another outran, no longer than an attempt. */
  #mayYetArrive(): boolean {
    if (this.#openGrants.size > 0) return true;
    if (this.#deadline === undefined) return this.#hasUnknownGrant;
    return this.#clock.now() < this.#lateGrantsUntilMs;
  }

  /** A revoke that overtakes its own grant would find nothing and leave the lease behind: let the grant arrive first. */
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
