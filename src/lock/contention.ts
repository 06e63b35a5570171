import { sleepUntil, type Clock } from '../base/clock.ts';
import { EtcdError } from '../base/errors.ts';
import type { KeyValue, TimeToLiveAnswer } from '../cluster/member.ts';
import { parseHolder, type HolderRecord } from './holder-record.ts';
import type { LocalHost, ProcessIdentity } from './local-host.ts';
import type { Members } from '../cluster/members.ts';
import { lockPlace } from './lock-key.ts';

// The server rounds the time left down to whole seconds, so the lease may have this much more.
const TTL_STEP_MS = 1_000;

const POLL_MS = 100;

// A process that was killed is seen to end some milliseconds after its files were closed, on a busy machine up to some tens.
const ENDING_POLL_MS = 10;

// The lock check that every node of CTDB makes at the end of a recovery takes the lock for a moment when it is free (seen: 60
// to 260 ms, on a busy machine). A leader holds it for longer than this before any check of its recovery asks.
const NEWBORN_MS = 300;
const NEWBORN_POLL_MS = 50;

// What is kept of the answer budget when the wait was in vain, for the `1`; when it was not, it is enough to take the
// lock in (about 30 ms).
const ANSWER_RESERVE_MS = 250;

/** What a contender that finds a key does about it. */
export type Verdict = 'wait is over' | 'contended';

/**
 * How long ago, at least, the holder's lease was renewed, going by the time that it has left. A lease that etcd does not
 * know any more was last renewed a whole TTL ago.
 */
function sinceRenewalMs(left: TimeToLiveAnswer, record: HolderRecord): number {
  if (left.remainingMs < 0) return record.ttlMs;
  return left.grantedTtlMs - left.remainingMs - TTL_STEP_MS;
}

/**
 * True when the lease has missed more than one renewal of a holder that renews at its usual pace. A holder that has to go
 * round several members for one renewal is late by less than this.
 */
function isDying(left: TimeToLiveAnswer, record: HolderRecord): boolean {
  return sinceRenewalMs(left, record) >= Math.max(2 * record.refreshMs, record.refreshMs + 1_000);
}

/**
 * Decides about a key that stands in our way.
 *
 * - The holder's process is provably dead, on this very host: revoke its lease; nobody can claim by it any more. CTDB
 *   reads end of file from a killed helper, and starts us, before the last of its threads is gone: that is waited for.
 * - Its lease has missed its renewals: wait for its end for as long as CTDB waits for our answer, because a `1` would
 *   cost CTDB another `leader timeout` (5 s). Should it renew after all, it is alive: contended. A wait in vain costs
 *   nothing: CTDB counts the 5 s from the start of its attempt, not from our answer (`leader_handler` in samba's
 *   ctdb/server/ctdb_recoverd.c).
 * - The key is only just there: it may be that of CTDB's lock check, which lets go at once. It is looked at again until it
 *   is old enough to be a leader's; a `1` to all who stand for election would cost CTDB 5 s here as well.
 * - All else is contention. A holder that could be alive is never revoked, and one that renews is not waited for longer than
 *   the moment that a new key is looked at again.
 */
export async function judgeHolder(
  found: KeyValue,
  directory: string,
  tools: { readonly members: Members; readonly clock: Clock; readonly host: LocalHost },
  byMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const { members, clock, host } = tools;
  const record = parseHolder(found.value);
  // A key that is not named after its lease is not as its holder left it (somebody put it by hand, which takes the lease
  // off it): no end of any lease will take it away.
  if (record === null || found.key !== lockPlace(directory, found.leaseId).key) return 'contended';
  await waitForEnding(record.process, host, clock, byMs - ANSWER_RESERVE_MS, signal);
  if (host.isDead(record.process)) {
    try {
      await members.ask((member, call) => member.revoke(found.leaseId, call), byMs, signal);
    } catch (error) {
      // Not found: the lease has ended in the meantime, or another neighbor was quicker.
      if (!(error instanceof EtcdError && error.kind === 'leaseNotFound')) throw error;
      // Should its key be there all the same, it is not to be asked for as fast as etcd can answer.
      await sleepUntil(clock, clock.now() + POLL_MS, signal);
    }
    return 'wait is over';
  }
  const isThere = async (): Promise<boolean> => {
    const seen = await members.ask(
      (member, call) => member.readOldest(directory, call),
      byMs - ANSWER_RESERVE_MS,
      signal,
    );
    return seen.oldest?.key === found.key;
  };
  try {
    if (await vanishesYoung(record, isThere, clock, byMs, signal)) return 'wait is over';
    return await waitForDying(found, record, isThere, members, clock, byMs, signal);
  } catch (error) {
    // That somebody held the lock when we looked is all that CTDB needs to know.
    if (error instanceof EtcdError) return 'contended';
    throw error;
  }
}

/** Until the process is dead, as long as nothing can keep it from that. */
async function waitForEnding(
  holder: ProcessIdentity,
  host: LocalHost,
  clock: Clock,
  untilMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!host.isDead(holder) && host.isEnding(holder) && clock.now() < untilMs && !signal.aborted) {
    await sleepUntil(clock, clock.now() + ENDING_POLL_MS, signal);
  }
}

/**
 * True when the key goes before it is older than a moment. Its age is by two hosts' clocks, so it is only good for deciding
 * whether to look again for that moment: where the clocks differ by more, nobody does.
 */
async function vanishesYoung(
  record: HolderRecord,
  isThere: () => Promise<boolean>,
  clock: Clock,
  byMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const ageMs = clock.wallNow() - Date.parse(record.since);
  if (!(Math.abs(ageMs) < NEWBORN_MS)) return false;
  const untilMs = Math.min(clock.now() + NEWBORN_MS - Math.max(0, ageMs), byMs - ANSWER_RESERVE_MS);
  while (clock.now() < untilMs && !signal.aborted) {
    await sleepUntil(clock, Math.min(clock.now() + NEWBORN_POLL_MS, untilMs), signal);
    if (!(await isThere())) return true;
  }
  return false;
}

async function waitForDying(
  found: KeyValue,
  record: HolderRecord,
  isThere: () => Promise<boolean>,
  members: Members,
  clock: Clock,
  byMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const giveUpMs = byMs - ANSWER_RESERVE_MS;
  const askTimeLeft = (): Promise<TimeToLiveAnswer> =>
    members.ask((member, call) => member.timeToLive(found.leaseId, call), giveUpMs, signal);

  while (isDying(await askTimeLeft(), record) && clock.now() + POLL_MS < giveUpMs) {
    await sleepUntil(clock, clock.now() + POLL_MS, signal);
    if (!(await isThere())) return 'wait is over';
  }
  return 'contended';
}
