import { BEAT_MS } from '../base/clock.ts';
import type { Config } from './config.ts';

/** All durations of the lock, in milliseconds, derived once from the configuration. */
export interface Timing {
  /** The TTL that the helper asks for. The TTL in the server's answer counts. */
  readonly ttlMs: number;
  /** From the send of a renewal that succeeded to the send of the next one. */
  readonly refreshMs: number;
  /** From the deadline to the earliest end of the lease, for a lease of `ttlMs`. */
  readonly marginMs: (ttlMs: number) => number;
  /** Limit for one attempt on one member. */
  readonly attemptMs: number;
  /** Limit for one attempt in which the member checks a password before the call. */
  readonly loginMs: number;
  /** Without an answer for this long, the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** From the failure of all members to the next round over them. */
  readonly retryDelayMs: number;
  /** From process start to the byte on stdout. */
  readonly answerMs: number;
  /** From the request to end until the process exits, even if the release is not done. */
  readonly releaseMs: number;
  /** Between two looks at the parent and the clock. */
  readonly parentCheckMs: number;
}

// CTDB waits 5 s for the contender of its set_recmode check (samba, ctdb/server/ctdb_recover.c). Its default leader
// timeout is 5 s too. The helper promises 4 s: the 4 can be changed here, the 5 cannot.
const ANSWER_LIMIT_MS = 4_000;

// The part of those 4 s for the start of the packed runtime and for writing the byte. A start takes about 100 ms, and
// several times that on a busy machine.
const ANSWER_SLACK_MS = 300;

// CTDB sends one SIGTERM. It does not wait, and no SIGKILL follows (samba, ctdb/server/ctdb_cluster_mutex.c). During
// the release the cluster has no leader. The helper promises 2 s.
const RELEASE_LIMIT_MS = 2_000;

// The part of those 2 s for the exit, after the release was given up.
const RELEASE_SLACK_MS = 200;

// With `--experimental-enable-lease-checkpoint`, from 3.6 on the feature gate `LeaseCheckpoint`, etcd stores every
// 5 minutes how much of each longer lease is left. A new raft leader then counts from that value instead of the full
// TTL, so a lease of more than 300 s could end before the deadline of its holder.
export const LONGEST_TTL_MS = 300_000;

// The margin between the deadline and the end of the lease. 1 s covers the server's whole-second arithmetic and the
// exit of the helper. The share of a sixth covers clock drift, which grows with the length of the lease.
const SMALLEST_MARGIN_MS = 1_000;
const MARGIN_SHARE = 1 / 6;

// Between the time that a renewal is due and the deadline, two members can be asked one after the other, 1.5 s each.
// With a short lease, each attempt gets a quarter of the window.
const LONGEST_ATTEMPT_MS = 1_500;
const ATTEMPT_SHARE = 1 / 4;
const ATTEMPTS_IN_RESERVE = 2;

// etcd checks a password with bcrypt: 70 ms at its default cost of 10, twice as much with each step. Measured: 1.2 s at
// 14 and 2.4 s at 15. A login may take as long as three attempts; other members are asked meanwhile.
const LOGIN_ATTEMPTS = 3;

// Far above the answer time of a healthy network (3 to 8 ms measured on loopback), far below what CTDB notices.
const HEDGE_DELAY_MS = 250;

// A restarting member refuses connections for about a second, in which it is then asked about ten times.
const RETRY_DELAY_MS = 100;

// Samba's own helpers check every 5 s (samba, ctdb_mutex_fcntl_helper.c). The requirement here is at most 1 s.
const PARENT_CHECK_MS = BEAT_MS;

// 2 s is `lock_refresh` of the predecessor. A lease that is too short for it uses a third of its window.
const DEFAULT_REFRESH_MS = 2_000;
const DEFAULT_REFRESH_SHARE = 1 / 3;

/** The margin of a lease of `ttlMs`, in milliseconds: a sixth, at least 1 s. */
export function marginMsOf(ttlMs: number): number {
  return Math.max(SMALLEST_MARGIN_MS, ttlMs * MARGIN_SHARE);
}

/** How long a renewal lets its holder claim a lease of `ttlMs`, in milliseconds from the send. */
function windowMsOf(ttlMs: number): number {
  return ttlMs - marginMsOf(ttlMs);
}

/** The longest attempt on one member with a lease of `ttlMs`. */
function attemptMsOf(ttlMs: number): number {
  return Math.min(LONGEST_ATTEMPT_MS, windowMsOf(ttlMs) * ATTEMPT_SHARE);
}

/**
 * The longest `refresh` for a lease of `ttlMs`, in milliseconds. When the first attempt of a renewal fails, a second
 * one still fits in before the deadline.
 */
export function longestRefreshMs(ttlMs: number): number {
  return windowMsOf(ttlMs) - ATTEMPTS_IN_RESERVE * attemptMsOf(ttlMs);
}

/** The default of `refresh`, in milliseconds: 2 s, or a third of the window when 2 s is too long. */
export function defaultRefreshMs(ttlMs: number): number {
  if (DEFAULT_REFRESH_MS <= longestRefreshMs(ttlMs)) return DEFAULT_REFRESH_MS;
  return Math.floor(windowMsOf(ttlMs) * DEFAULT_REFRESH_SHARE);
}

/**
 * @throws {Error} when two durations contradict each other, because of a mistake in this file or an unchecked `Config`
 */
function assertRelations(timing: Timing): void {
  const { ttlMs, refreshMs, attemptMs, hedgeDelayMs, retryDelayMs, answerMs, releaseMs, parentCheckMs } =
    timing;
  const relations: readonly (readonly [string, boolean])[] = [
    ['the margin lies within the lease', timing.marginMs(ttlMs) < ttlMs],
    ['a new leader of etcd restarts the lease in full', ttlMs <= LONGEST_TTL_MS],
    ['two attempts fit between a due renewal and the deadline', refreshMs <= longestRefreshMs(ttlMs)],
    ['a renewal is due after the one before was sent', refreshMs > 0],
    ['an attempt outlives the hedge delay', hedgeDelayMs < attemptMs],
    ['a retry comes before the attempt limit', retryDelayMs < LONGEST_ATTEMPT_MS],
    ['two attempts fit into the answer budget', 2 * attemptMs < answerMs],
    ['the answer comes within the promise', answerMs < ANSWER_LIMIT_MS],
    ['one attempt fits into the release budget', attemptMs < releaseMs],
    ['the release ends within the promise', releaseMs < RELEASE_LIMIT_MS],
    ['the parent is looked at once a second', parentCheckMs <= 1_000],
  ];
  for (const [fact, holds] of relations) {
    if (!holds) throw new Error(`Cannot time the lock: it is not true that ${fact}`);
  }
}

/**
 * Derives every duration from the configuration.
 * @throws {Error} when they contradict each other: a mistake in the code, because `Config` has been checked
 */
export function timingOf(config: Pick<Config, 'ttlMs' | 'refreshMs' | 'readTimeoutMs'>): Timing {
  const attemptMs = Math.min(attemptMsOf(config.ttlMs), config.readTimeoutMs ?? Infinity);
  const timing: Timing = {
    ttlMs: config.ttlMs,
    refreshMs: config.refreshMs,
    marginMs: marginMsOf,
    attemptMs,
    loginMs: LOGIN_ATTEMPTS * attemptMs,
    // A lease of a few seconds has short attempts. The next member is then asked while the first attempt still has half
    // its time.
    hedgeDelayMs: Math.min(HEDGE_DELAY_MS, attemptMs / 2),
    retryDelayMs: RETRY_DELAY_MS,
    answerMs: ANSWER_LIMIT_MS - ANSWER_SLACK_MS,
    releaseMs: RELEASE_LIMIT_MS - RELEASE_SLACK_MS,
    parentCheckMs: PARENT_CHECK_MS,
  };
  assertRelations(timing);
  return Object.freeze(timing);
}
