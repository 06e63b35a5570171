import { sleepUntil, type Clock } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { KeyValue, TimeToLiveAnswer } from '../cluster/member.ts';
import { parseHolder, type HolderRecord } from './holder-record.ts';
import type { LocalHost } from './local-host.ts';
import type { Members } from '../cluster/members.ts';
import { lockPlace } from './lock-key.ts';

// The server rounds the time left down to whole seconds, so the lease may have up to this much more.
const TTL_STEP_MS = 1_000;

const POLL_MS = 100;

// A killed process is dead some milliseconds after its files were closed, on a busy machine up to some tens.
const ENDING_POLL_MS = 10;

// At the end of a recovery, each CTDB node checks the lock and takes it for a moment if it is free (measured: 60 to
// 260 ms on a busy machine). A leader holds the lock for longer than this before the first check of its recovery.
const NEWBORN_MS = 300;
const NEWBORN_POLL_MS = 50;

// The part of the time for the answer that is kept after the wait: for writing the `1`, or for taking the lock (30 ms).
const ANSWER_RESERVE_MS = 250;

/** What a contender does after it has found a key. */
export type Verdict = 'wait is over' | 'contended';

export interface ContentionTools {
  readonly members: Members;
  readonly clock: Clock;
  readonly host: LocalHost;
}

/**
 * The shortest time since the last renewal of the holder's lease, computed from the time that it has left. A lease that
 * etcd does not know any more was renewed at least a whole TTL ago.
 */
function sinceRenewalMs(left: TimeToLiveAnswer, record: HolderRecord): number {
  if (left.remainingMs < 0) return record.ttlMs;
  return left.grantedTtlMs - left.remainingMs - TTL_STEP_MS;
}

/**
 * True when the holder has missed more than one renewal. A holder that asks several members one after the other for one
 * renewal is less late than that.
 */
function isDying(left: TimeToLiveAnswer, record: HolderRecord): boolean {
  return sinceRenewalMs(left, record) >= Math.max(2 * record.refreshMs, record.refreshMs + 1_000);
}

/**
 * Waits for the holder of a key that was found, as far as that makes sense, and decides whether the lock is contended.
 *
 * - The holder's process is proven dead, on this host: its lease is revoked, because no process can claim the lock with
 *   it any more. CTDB reads end of file from a killed helper, and starts the next one, before the last thread of the
 *   killed process has ended. That end is waited for.
 * - The lease has missed its renewals: its end is waited for as long as CTDB waits for the answer, because a `1` would
 *   cost CTDB another `leader timeout` (5 s). When it is renewed after all, the holder lives, and the lock is contended.
 *   A wait in vain costs nothing, because CTDB counts the 5 s from the start of its attempt (samba, `leader_handler` in
 *   ctdb/server/ctdb_recoverd.c).
 * - The key is new: it may belong to CTDB's lock check, which releases it at once. It is read again until it is old
 *   enough to be a leader's, because a `1` to all candidates of an election would cost CTDB 5 s too.
 * - In all other cases the lock is contended. A holder that may be alive is never revoked. A holder that renews is not
 *   waited for, except for the moment in which its key is new.
 *
 * @param byMs when the answer is due, on the scale of `Clock.now()`
 * @throws {EtcdError} when a dead holder's lease cannot be revoked
 */
export async function waitForHolder(
  found: KeyValue,
  directory: string,
  tools: ContentionTools,
  byMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const record = parseHolder(found.value);
  // A key that is not named after its lease has been written by hand, which removes the lease from it. The end of a
  // lease will not delete it, so there is nothing to wait for.
  if (record === null || found.key !== lockPlace(directory, found.leaseId).key) return 'contended';
  return await new HolderWait({ found, record, directory, byMs, signal }, tools).verdict();
}

interface Encounter {
  readonly found: KeyValue;
  readonly record: HolderRecord;
  readonly directory: string;
  readonly byMs: number;
  readonly signal: AbortSignal;
}

/** The wait of one contender for one holder. */
class HolderWait {
  readonly #encounter: Encounter;
  readonly #tools: ContentionTools;
  /** When the wait ends, on the scale of `Clock.now()`. */
  readonly #giveUpMs: number;

  constructor(encounter: Encounter, tools: ContentionTools) {
    this.#encounter = encounter;
    this.#tools = tools;
    this.#giveUpMs = encounter.byMs - ANSWER_RESERVE_MS;
  }

  async verdict(): Promise<Verdict> {
    const { host } = this.#tools;
    const { record } = this.#encounter;
    await this.#whileEnding();
    if (host.isDead(record.process)) {
      await this.#reclaim();
      return 'wait is over';
    }
    try {
      return (await this.#vanishesWhileNew()) || (await this.#vanishesWhileDying())
        ? 'wait is over'
        : 'contended';
    } catch (error) {
      // CTDB only needs to know that another helper held the lock when the key was found.
      if (error instanceof EtcdError) return 'contended';
      throw error;
    }
  }

  /** Waits while the process is ending, which nothing can stop any more. */
  async #whileEnding(): Promise<void> {
    const { host, clock } = this.#tools;
    const { record, signal } = this.#encounter;
    const { process } = record;
    while (
      !host.isDead(process) &&
      host.isEnding(process) &&
      clock.now() < this.#giveUpMs &&
      !signal.aborted
    ) {
      await this.#pauseUntil(clock.now() + ENDING_POLL_MS);
    }
  }

  /** Revokes the lease of a dead holder. */
  async #reclaim(): Promise<void> {
    const { members, clock } = this.#tools;
    const { found, byMs, signal } = this.#encounter;
    try {
      await members.ask((member, call) => member.revoke(found.leaseId, call), byMs, signal);
    } catch (error) {
      // Not found: the lease has ended meanwhile, or another contender on this host was quicker.
      if (!(error instanceof EtcdError && error.kind === 'leaseNotFound')) throw error;
      // If its key still exists, the caller finds it again. The pause limits how often that happens.
      await this.#pauseUntil(clock.now() + POLL_MS);
    }
  }

  /**
   * True when the key vanishes before it is NEWBORN_MS old. Its age is the difference of two hosts' clocks, so it only
   * decides whether the key is read again. When the clocks differ by more than NEWBORN_MS, it is not.
   */
  async #vanishesWhileNew(): Promise<boolean> {
    const { clock } = this.#tools;
    const { record, signal } = this.#encounter;
    const ageMs = clock.wallNow() - Date.parse(record.since);
    if (!(Math.abs(ageMs) < NEWBORN_MS)) return false;
    const untilMs = Math.min(clock.now() + NEWBORN_MS - Math.max(0, ageMs), this.#giveUpMs);
    while (clock.now() < untilMs && !signal.aborted) {
      await this.#pauseUntil(Math.min(clock.now() + NEWBORN_POLL_MS, untilMs));
      if (!(await this.#isThere())) return true;
    }
    return false;
  }

  /** True when the key vanishes while its lease misses its renewals. */
  async #vanishesWhileDying(): Promise<boolean> {
    const { clock } = this.#tools;
    const { record } = this.#encounter;
    while (isDying(await this.#timeLeft(), record) && clock.now() + POLL_MS < this.#giveUpMs) {
      await this.#pauseUntil(clock.now() + POLL_MS);
      if (!(await this.#isThere())) return true;
    }
    return false;
  }

  async #isThere(): Promise<boolean> {
    const { found, directory, signal } = this.#encounter;
    const { oldest } = await this.#tools.members.ask(
      (member, call) => member.readOldest(directory, call),
      this.#giveUpMs,
      signal,
    );
    return oldest?.key === found.key;
  }

  #timeLeft(): Promise<TimeToLiveAnswer> {
    const { found, signal } = this.#encounter;
    return this.#tools.members.ask(
      (member, call) => member.timeToLive(found.leaseId, call),
      this.#giveUpMs,
      signal,
    );
  }

  #pauseUntil(atMs: number): Promise<void> {
    return sleepUntil(this.#tools.clock, atMs, this.#encounter.signal);
  }
}
