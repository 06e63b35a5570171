import { lineChart } from '../support/line-chart.ts';
import { describeBusyness, type Busyness } from './machine.ts';
import { quantileOf } from './samples.ts';

/** What was seen while so many held. */
export interface Level {
  readonly holders: number;
  readonly takesMs: readonly number[];
  readonly renewalsMs: readonly number[];
  readonly renewalsPerS: number;
  readonly failedTakes: number;
  /** Attempts on a member that failed. */
  readonly failures: number;
  readonly lost: number;
  /** Share of one processor that each member used. */
  readonly membersCpu: readonly number[];
  /** The same of the process in which all holders live. */
  readonly ownCpu: number;
}

export interface ScaleResults {
  readonly startedAt: string;
  readonly machine: string;
  readonly etcd: string;
  readonly preference: string;
  /** Whether etcd and the holders had real-time priority over everything else. */
  readonly isAhead: boolean;
  readonly busyness: Busyness;
  readonly levels: readonly Level[];
}

const times = (values: readonly number[]): string =>
  [0.5, 0.99].map((share) => quantileOf(values, share).toFixed(1)).join(' / ');

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

export function scaleMarkdown({
  startedAt,
  machine,
  etcd,
  preference,
  isAhead,
  busyness,
  levels,
}: ScaleResults): string {
  const rows = levels.map((level) =>
    [
      level.holders,
      times(level.takesMs),
      times(level.renewalsMs),
      level.renewalsPerS.toFixed(1),
      level.membersCpu.map(percent).join(', '),
      percent(level.ownCpu),
      level.failures,
      level.failedTakes,
      level.lost,
    ].join(' | '),
  );
  return `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${machine}; three members of etcd ${etcd} and all holders on it; ${preference}.${isAhead ? ' All of them had real-time priority over whatever else ran.' : ''}
${describeBusyness(busyness)}.

| holders | a take, ms (median / 99 %) | a renewal, ms (median / 99 %) | renewals a second | processor of each member | processor of all holders | failed attempts | failed takes | locks lost |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row} |`).join('\n')}
`;
}

const LINES = [
  { title: 'take, median', colour: '#1f77b4', of: 'takesMs', share: 0.5 },
  { title: 'take, 99 %', colour: '#9ecae1', of: 'takesMs', share: 0.99 },
  { title: 'renewal, median', colour: '#d62728', of: 'renewalsMs', share: 0.5 },
  { title: 'renewal, 99 %', colour: '#f4a6a0', of: 'renewalsMs', share: 0.99 },
] as const;

export function scaleChart({ levels }: ScaleResults): string {
  const highest = 10_000;
  return lineChart(
    'Milliseconds, by the number of holders on one etcd cluster',
    LINES.map(({ title, colour, of, share }) => ({
      title,
      colour,
      points: levels.map((level) => ({
        x: level.holders,
        y: Math.min(highest, quantileOf(level[of], share)),
      })),
    })),
    { title: 'holders', ticks: levels.map(({ holders }) => holders), isLogarithmic: true },
    { title: 'ms', ticks: [1, 10, 100, 1_000, highest], isLogarithmic: true },
  );
}
