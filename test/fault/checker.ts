import type { Attempt, Claim, Deed, History } from './history.ts';

/** Two claims at the same time: what must never be. */
export interface Overlap {
  readonly first: string;
  readonly second: string;
  readonly forMs: number;
}

/** How long the lock was nobody's, from one claim's end to the next claim. */
export interface TakeOver {
  readonly after: Deed | 'lost';
  /** From the end of the claim. */
  readonly ms: number;
  /** From the start of the helper that took it; of the first attempt after the end where one came before. */
  readonly fromNextAttemptMs: number;
  /** Of that, for how long no processor was free for the helper that took it. */
  readonly waitedMs: number;
  /** True when etcd or the network was at fault at that time. */
  readonly excused: boolean;
}

export interface Verdict {
  readonly overlaps: readonly Overlap[];
  readonly takeOvers: readonly TakeOver[];
  /** Claims that ended although nothing was done to the holder and etcd was within its reach. */
  readonly needlessLosses: readonly string[];
  /** Claims that ended because etcd answered nobody, the test process included, though no fault was the cause. */
  readonly outageLosses: readonly string[];
  /** Claims that ended because etcd itself revoked a lease that had been renewed in time. */
  readonly earlyRevokes: readonly string[];
  /** Other facts that the history contradicts. */
  readonly problems: readonly string[];
  /** Errors and late answers of helpers that the machine kept waiting for too long to do better. */
  readonly starved: readonly string[];
  readonly claims: number;
  readonly attempts: number;
  readonly slowestAnswerMs: number;
  /** The least time from the end of a claim that the holder gave up by itself to the end of its key; none: undefined. */
  readonly smallestSlackMs: number | undefined;
}

// CTDB's own limit for the contender beside the holder.
const CTDB_PATIENCE_MS = 5_000;

// A quarter of the time in which an answer is promised; a take needs less than a tenth of it.
const STARVED_MS = 1_000;

/** The machine had too much else to do for this helper's answer to say anything about the helper. */
export function isStarved({ waitedMs }: Pick<Attempt, 'waitedMs'>): boolean {
  return waitedMs > STARVED_MS;
}

/** Of the helpers, milliseconds. */
export interface Times {
  /** From the send of a renewal to the deadline. */
  readonly windowMs: number;
  readonly refreshMs: number;
}

// A holder that had its pace, an attempt on a member that fails, and half a second for a busy machine must have renewed.
const ENOUGH_AFTER_REFRESH_MS = 2_000;

/** How long etcd has to be in reach before a deadline for the holder to have no excuse; never more than the window. */
export function enoughMs({ windowMs, refreshMs }: Times): number {
  return Math.min(windowMs, refreshMs + ENOUGH_AFTER_REFRESH_MS);
}

function isOutage(atMs: number, times: Times, history: History): boolean {
  return history.longestAnsweringMs(atMs - times.windowMs, atMs) < enoughMs(times);
}

/** What was not the helper's fault. */
export interface Excuses {
  loss(claim: Claim): boolean;
  answer(attempt: Attempt): boolean;
  takeOver(before: Claim, claim: Claim): boolean;
}

/** Goes by the spans that a scenario has declared. */
function declaredExcuses({ excuses }: History): Excuses {
  const overlaps = (fromMs: number, toMs: number): boolean =>
    excuses.some((excuse) => excuse.fromMs <= toMs && (excuse.toMs ?? Infinity) >= fromMs);
  return {
    loss: ({ toMs = Infinity }) => overlaps(toMs, toMs),
    answer: ({ startedAtMs, answeredAtMs = startedAtMs }) => overlaps(startedAtMs, answeredAtMs),
    takeOver: ({ toMs = Infinity }, { fromMs }) => overlaps(toMs, fromMs),
  };
}

/** Reads the verdict off a history. A claim that is still open ends at `nowMs`. */
export function judge(
  history: History,
  nowMs: number,
  times: Times,
  excuses: Excuses = declaredExcuses(history),
): Verdict {
  const claims = [...history.claims].sort((a, b) => a.fromMs - b.fromMs);
  const robbed = claims.filter(({ revokedBy }) => revokedBy !== undefined);
  const lossesOf = (inOutage: boolean): string[] =>
    claims
      .filter((claim) => claim.toMs !== undefined && claim.deed === undefined && !robbed.includes(claim))
      .filter((claim) => !excuses.loss(claim))
      .filter((claim) => isOutage(claim.toMs ?? nowMs, times, history) === inOutage)
      .map((claim) => `${claim.helper} lost the lock at ${seconds(claim.toMs, history)}`);
  const complaints = history.attempts.map((attempt) => ({
    starved: isStarved(attempt),
    found: problemsOf(attempt, history, excuses),
  }));
  const slackMs = smallestSlackOf(claims, history);
  const slowest = history.attempts.map((attempt) => (attempt.answeredAtMs ?? nowMs) - attempt.startedAtMs);
  return {
    overlaps: overlapsOf(claims, nowMs),
    takeOvers: takeOversOf(claims, history, excuses),
    needlessLosses: lossesOf(false),
    outageLosses: lossesOf(true),
    earlyRevokes: robbed.map(
      ({ helper, revokedBy, toMs }) =>
        `${revokedBy ?? ''} took the lock from ${helper} at ${seconds(toMs, history)}`,
    ),
    problems: [
      ...complaints.flatMap(({ found, starved }) => (starved ? [] : found)),
      ...(slackMs !== undefined && slackMs < 0 ? [`a claim ended ${-slackMs} ms after its key`] : []),
    ],
    starved: complaints.flatMap(({ found, starved }) => (starved ? found : [])),
    claims: claims.length,
    attempts: history.attempts.length,
    slowestAnswerMs: Math.round(Math.max(0, ...slowest)),
    smallestSlackMs: slackMs,
  };
}

function overlapsOf(claims: readonly Claim[], nowMs: number): Overlap[] {
  const overlaps: Overlap[] = [];
  for (const [index, first] of claims.entries()) {
    for (const second of claims.slice(index + 1)) {
      const forMs = Math.min(first.toMs ?? nowMs, second.toMs ?? nowMs) - second.fromMs;
      if (forMs > 0) overlaps.push({ first: first.helper, second: second.helper, forMs });
    }
  }
  return overlaps;
}

function takeOversOf(claims: readonly Claim[], history: History, excuses: Excuses): TakeOver[] {
  return claims.slice(1).flatMap((claim, index) => {
    const before = claims[index];
    if (before?.toMs === undefined) return [];
    const endMs = before.toMs;
    const tries = history.attempts.filter(
      (attempt) => attempt.purpose === 'take' && attempt.startedAtMs >= endMs,
    );
    return {
      after: before.deed ?? 'lost',
      ms: claim.fromMs - endMs,
      fromNextAttemptMs:
        claim.fromMs - Math.min(claim.fromMs, ...tries.map(({ startedAtMs }) => startedAtMs)),
      waitedMs: tries.find(({ helper }) => helper === claim.helper)?.waitedMs ?? 0,
      excused: excuses.takeOver(before, claim),
    };
  });
}

function problemsOf(attempt: Attempt, history: History, excuses: Excuses): string[] {
  const { helper, answer, answeredAtMs, startedAtMs } = attempt;
  if (answeredAtMs === undefined) return []; // the run ended before it could
  const tookMs = answeredAtMs - startedAtMs;
  const found: string[] = [];
  if (tookMs > CTDB_PATIENCE_MS) found.push(`${helper} needed ${Math.round(tookMs)} ms for its answer`);
  if (answer === '' && history.deadHelpers.has(helper)) return found;
  if (answer === '3' ? !excuses.answer(attempt) : answer !== '0' && answer !== '1') {
    found.push(
      `${helper} answered "${answer ?? ''}" at ${seconds(answeredAtMs, history)} although etcd was fine`,
    );
  }
  return found;
}

/** Where a claim ended by itself and its key went later, that is how much room was left. */
function smallestSlackOf(claims: readonly Claim[], history: History): number | undefined {
  const slack = claims
    .filter(({ revokedBy }) => revokedBy === undefined)
    .filter((claim) => claim.deed === undefined || claim.deed === 'stopped')
    .flatMap((claim) => {
      const said = history.stderr.find(({ helper }) => helper === claim.helper)?.text ?? '';
      const key = /^Took lock (\S+), create revision/m.exec(said)?.[1] ?? '';
      const deletedAtMs = history.keys.get(key)?.deletedAtMs;
      return claim.toMs === undefined || deletedAtMs === undefined ? [] : [deletedAtMs - claim.toMs];
    });
  return slack.length === 0 ? undefined : Math.round(Math.min(...slack));
}

function seconds(atMs: number | undefined, history: History): string {
  return `${(((atMs ?? NaN) - history.startedAtMs) / 1000).toFixed(1)} s`;
}
