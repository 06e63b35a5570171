import { BEAT_MS } from '../base/clock.ts';
import type { Config } from './config.ts';

/** All the times that the lock lives by, in milliseconds, derived once from the configuration. */
export interface Timing {
  /** The TTL that we ask for; the server's own answer is what counts. */
  readonly ttlMs: number;
  /** From the send of one renewal that succeeded to the send of the next. */
  readonly refreshMs: number;
  /** How long before the end of the lease we stop to claim it, for a lease of `ttlMs`. */
  readonly marginMs: (ttlMs: number) => number;
  /** One attempt on one member. */
  readonly attemptMs: number;
  /** One attempt in which the member checks a password, before the call itself. */
  readonly loginMs: number;
  /** After this much silence the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** Between two rounds over members that all failed at once. */
  readonly retryDelayMs: number;
  /** From process start to the byte on stdout. */
  readonly answerMs: number;
  /** From the wish to let go until we exit regardless. */
  readonly releaseMs: number;
  /** Between two looks at parent and clock. */
  readonly parentCheckMs: number;
}

// CTDB waits 5 s for the contender of its set_recmode check (samba, ctdb/server/ctdb_recover.c), and its default
// leader timeout is as long. We promise 4 s; the 4 is ours to tune, the 5 is not.
const ANSWER_LIMIT_MS = 4_000;

// What the start of a packed runtime and the last steps to the byte may take out of the promise. A start takes about
// 100 ms; under load a multiple of that.
const ANSWER_SLACK_MS = 300;

// CTDB sends one SIGTERM and neither waits nor follows with SIGKILL (ctdb/server/ctdb_cluster_mutex.c); while we let
// go, the cluster has no leader. We promise 2 s.
const RELEASE_LIMIT_MS = 2_000;

// For the exit itself, after the work of letting go was given up.
const RELEASE_SLACK_MS = 200;

// With `--experimental-enable-lease-checkpoint` etcd writes down, every 5 minutes, how much is left of each lease that has more than
// that, and a new leader then counts from there instead of anew: a lease of more than 300 s could end before its holder's deadline.
export const LONGEST_TTL_MS = 300_000;

// The fences of both the holder's clock and the server's are drawn with this much between them: 1 s covers the server's
// whole-second lease arithmetic and our own exit, a sixth grows with the drift that a longer lease can gather.
const SMALLEST_MARGIN_MS = 1_000;
const MARGIN_SHARE = 1 / 6;

// Within one refresh after a renewal is due, two members can be asked one after the other (design: 1.5 s each), and
// two attempts must fit into half of what a short lease leaves.
const LONGEST_ATTEMPT_MS = 1_500;
const ATTEMPT_SHARE = 1 / 4;
const ATTEMPTS_IN_RESERVE = 2;

// etcd checks a password with bcrypt: 70 ms at its default cost of 10, twice as much with each step; 1.2 s at 14 and 2.4 s at
// 15 were measured. Two of three attempts of a holder's lease may pass with that, beside which other members are asked.
const LOGIN_ATTEMPTS = 3;

// Far above a healthy network's answer (3 to 8 ms measured on loopback), far below anything that CTDB notices.
const HEDGE_DELAY_MS = 250;

// A member that restarts refuses connections for a second or so; asking ten times in it is neither slow nor rude.
const RETRY_DELAY_MS = 100;

// Samba's own helpers look every 5 s (ctdb_mutex_fcntl_helper.c); the design asks for at most 1 s.
const PARENT_CHECK_MS = BEAT_MS;

// The predecessor's `lock_refresh`; a third of the window where the lease is too short for it.
const DEFAULT_REFRESH_MS = 2_000;
const DEFAULT_REFRESH_SHARE = 1 / 3;

/** How long before the end of a lease of `ttlMs` its holder stops to claim it: a sixth, at least 1 s. */
export function marginMsOf(ttlMs: number): number {
  return Math.max(SMALLEST_MARGIN_MS, ttlMs * MARGIN_SHARE);
}

/** How long one proven renewal lets its holder claim a lease of `ttlMs`, counted from the send. */
function windowMsOf(ttlMs: number): number {
  return ttlMs - marginMsOf(ttlMs);
}

/** The longest attempt on one member under a lease of `ttlMs`. */
function attemptMsOf(ttlMs: number): number {
  return Math.min(LONGEST_ATTEMPT_MS, windowMsOf(ttlMs) * ATTEMPT_SHARE);
}

/**
 * The longest `refresh` that keeps a lease of `ttlMs` alive when the first attempt of a renewal fails: two attempts fit
 * between the time that a renewal is due and the deadline.
 */
export function longestRefreshMs(ttlMs: number): number {
  return windowMsOf(ttlMs) - ATTEMPTS_IN_RESERVE * attemptMsOf(ttlMs);
}

/** The `refresh` of a configuration that does not name one: 2 s, or a third of the window where 2 s do not fit. */
export function defaultRefreshMs(ttlMs: number): number {
  if (DEFAULT_REFRESH_MS <= longestRefreshMs(ttlMs)) return DEFAULT_REFRESH_MS;
  return Math.floor(windowMsOf(ttlMs) * DEFAULT_REFRESH_SHARE);
}

/** Fails when two times contradict each other: a mistake in this file, or a `Config` that was not checked. */
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

/** Derives every time from the configuration; `Config` has been checked, so a failure here is a mistake in the code. */
export function timingOf(config: Pick<Config, 'ttlMs' | 'refreshMs' | 'readTimeoutMs'>): Timing {
  const attemptMs = Math.min(attemptMsOf(config.ttlMs), config.readTimeoutMs ?? Infinity);
  const timing: Timing = {
    ttlMs: config.ttlMs,
    refreshMs: config.refreshMs,
    marginMs: marginMsOf,
    attemptMs,
    loginMs: LOGIN_ATTEMPTS * attemptMs,
    // A lease of a few seconds leaves short attempts; the next member is asked while the first still has time.
    hedgeDelayMs: Math.min(HEDGE_DELAY_MS, attemptMs / 2),
    retryDelayMs: RETRY_DELAY_MS,
    answerMs: ANSWER_LIMIT_MS - ANSWER_SLACK_MS,
    releaseMs: RELEASE_LIMIT_MS - RELEASE_SLACK_MS,
    parentCheckMs: PARENT_CHECK_MS,
  };
  assertRelations(timing);
  return Object.freeze(timing);
}
