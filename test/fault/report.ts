import type { Overlap, TakeOver, Verdict } from './checker.ts';

/** What came of one scenario, or of one random run, on one release of etcd. */
export interface Outcome {
  readonly name: string;
  readonly expectation: string;
  readonly release: string;
  /** Which of several runs of the same scenario it was, from 1. */
  readonly run: number;
  readonly held: boolean;
  readonly problems: readonly string[];
  /** Overlaps that docs/safety.md announces for this scenario, and that were no longer than it says. */
  readonly documentedOverlaps: readonly Overlap[];
  readonly verdict: Verdict | undefined;
  readonly leftovers: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Where the history is. */
  readonly log: string;
}

export interface Statistic {
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly largestMs: number;
}

/** By nearest rank; undefined of nothing. */
export function statisticOf(values: readonly number[]): Statistic | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? NaN);
  if (sorted.length === 0) return undefined;
  return { count: sorted.length, medianMs: at(0.5), p99Ms: at(0.99), largestMs: at(1) };
}

/** Take-over times, the goal for their 99th percentile, and a limit beyond which something is wrong on any machine. */
export interface TakeOverTimes {
  readonly what: string;
  readonly times: Statistic | undefined;
  /** The same less the time for which no processor was free for the helper. */
  readonly timesNet: Statistic | undefined;
  readonly goalMs: number;
  readonly limitMs: number;
}

// CTDB's `leader timeout`: what one attempt that came too early costs.
const LEADER_TIMEOUT_MS = 5_000;

/** While etcd was fine: after a holder's death from its end, after SIGTERM from the start of the next attempt. */
export function takeOverTimes(takeOvers: readonly TakeOver[], ttlMs: number): TakeOverTimes[] {
  const fine = takeOvers.filter(({ excused }) => !excused);
  const deaths = fine.filter(
    ({ after }) => after === 'killed' || after === 'parent killed' || after === 'stopped',
  );
  const releases = fine.filter(({ after }) => after === 'terminated');
  return [
    {
      what: 'after a death, from the end of the claim',
      times: statisticOf(deaths.map(({ ms }) => ms)),
      timesNet: statisticOf(deaths.map(({ ms, waitedMs }) => ms - waitedMs)),
      goalMs: ttlMs + 1_500,
      limitMs: ttlMs + 1_500 + LEADER_TIMEOUT_MS,
    },
    {
      what: 'after SIGTERM, from the next attempt',
      times: statisticOf(releases.map(({ fromNextAttemptMs }) => fromNextAttemptMs)),
      timesNet: statisticOf(releases.map(({ fromNextAttemptMs, waitedMs }) => fromNextAttemptMs - waitedMs)),
      goalMs: 500,
      // The start of a process takes a multiple of its time on a machine that runs tests side by side.
      limitMs: 4_000,
    },
  ];
}

/** One line for people. */
export function describeTimes({ what, times, timesNet, goalMs, limitMs }: TakeOverTimes): string {
  if (times === undefined || timesNet === undefined) return `Take-over ${what}: none seen`;
  const { count, medianMs, p99Ms, largestMs } = times;
  const state =
    p99Ms <= goalMs ? 'met' : p99Ms <= limitMs ? 'MISSED, within the limit' : 'MISSED, and the limit';
  const net = `less the wait for a processor ${timesNet.medianMs}, ${timesNet.p99Ms}, ${timesNet.largestMs} ms`;
  return `Take-over ${what}: ${count} times, median ${medianMs} ms, p99 ${p99Ms} ms, largest ${largestMs} ms (${net}); goal ${goalMs} ms ${state}`;
}

const COLUMNS = [
  'scenario',
  'etcd',
  'held',
  'claims',
  'overlaps',
  'needless losses',
  'etcd silent',
  'revoked by etcd',
  'starved',
  'leftovers',
  'slowest answer, ms',
  'figures',
] as const;

/** A Markdown table with one row per outcome. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => [
    outcome.name,
    outcome.release,
    outcome.held ? 'yes' : '**NO**',
    String(outcome.verdict?.claims ?? '-'),
    String(outcome.verdict?.overlaps.length ?? '-'),
    String(outcome.verdict?.needlessLosses.length ?? '-'),
    String(outcome.verdict?.outageLosses.length ?? '-'),
    String(outcome.verdict?.earlyRevokes.length ?? '-'),
    String(outcome.verdict?.starved.length ?? '-'),
    String(outcome.leftovers.length),
    String(outcome.verdict?.slowestAnswerMs ?? '-'),
    Object.entries(outcome.figures)
      .map(([name, value]) => `${name} ${Math.round(value)}`)
      .join(', '),
  ]);
  const widths = COLUMNS.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(COLUMNS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Everything about one outcome that did not hold, one fact per line. */
export function complaintsOf(outcome: Outcome): string[] {
  const { verdict } = outcome;
  return [
    ...(verdict?.overlaps ?? []).map(
      ({ first, second, forMs }) => `OVERLAP of ${first} and ${second} for ${forMs.toFixed(1)} ms`,
    ),
    ...(verdict?.needlessLosses ?? []).map((loss) => `needless loss: ${loss}`),
    ...(verdict?.problems ?? []),
    ...outcome.problems,
    ...outcome.leftovers.map((left) => `left over: ${left}`),
  ];
}

/** Of several runs of one scenario on one release of etcd: in how many of them each thing happened. */
export interface Rate {
  readonly name: string;
  readonly release: string;
  readonly runs: number;
  readonly notHeld: number;
  readonly overlaps: number;
  readonly needlessLosses: number;
  /** In which a member ended a lease that had been renewed in time. */
  readonly endedByEtcd: number;
}

/** One for each scenario and release, in the order in which they first came. */
export function ratesOf(outcomes: readonly Outcome[]): Rate[] {
  const groups = Map.groupBy(outcomes, ({ name, release }) => `${name} ${release}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const count = (isSo: (outcome: Outcome) => boolean): number => group.filter(isSo).length;
    return {
      name: first.name,
      release: first.release,
      runs: group.length,
      notHeld: count(({ held }) => !held),
      overlaps: count(({ verdict }) => (verdict?.overlaps.length ?? 0) > 0),
      needlessLosses: count(({ verdict }) => (verdict?.needlessLosses.length ?? 0) > 0),
      endedByEtcd: count(({ verdict }) => (verdict?.earlyRevokes.length ?? 0) > 0),
    };
  });
}

/** One line for people. */
export function describeRate(rate: Rate): string {
  const { name, release, runs, notHeld, overlaps, needlessLosses, endedByEtcd } = rate;
  return (
    `${name} on etcd ${release}, ${runs} runs: etcd itself ended the lease in ${endedByEtcd}, an overlap in ${overlaps}, ` +
    `a needless loss in ${needlessLosses}, not held ${notHeld}`
  );
}
