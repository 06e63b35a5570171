// `npm run faults:document -- DIR…`: puts what the runs in DIR… found (their results.json) into docs/safety-tests.md.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetyPart } from '../support/safety-document.ts';
import { describeTimes, type Outcome, ratesOf, takeOverTimes } from './report.ts';
import { SCENARIOS } from './scenarios.ts';

interface Results {
  readonly startedAt: string;
  readonly lockTtl: number;
  readonly refresh: number;
  /** How often each scenario was run. */
  readonly repeat: number;
  readonly outcomes: readonly Outcome[];
}

const runs = process.argv
  .slice(2)
  .map((directory) => JSON.parse(readFileSync(join(directory, 'results.json'), 'utf8')) as Results);
const [first] = runs;
if (first === undefined) throw new Error('Usage: npm run faults:document -- DIR…');
const single = runs.filter(({ repeat }) => repeat === 1);
const repeated = runs.filter(({ repeat }) => repeat > 1);
// Of a scenario that was run again on the same etcd, what came of it last.
const latest = new Map(
  single.flatMap((run) => run.outcomes.map((outcome) => [`${outcome.release} ${outcome.name}`, outcome])),
);
const outcomes = [...latest.values()];
const releases = [...new Set(outcomes.map(({ release }) => release))].sort((one, other) =>
  one.localeCompare(other, 'en', { numeric: true }),
);

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

/** What one scenario measured on each release, `undefined` where it did not: `lost after 7.4, –, 6.9 s` for `lostAfterMs`. */
function figureText(name: string, values: readonly (number | undefined)[]): string {
  const words = name
    .replace(/Ms$/, '')
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/\d+/, ' $&');
  const isTime = name.endsWith('Ms');
  const texts = values.map((value) => {
    if (value === undefined) return '–';
    return isTime ? (value / 1000).toFixed(value < 1_000 ? 2 : 1) : String(value);
  });
  return `${words} ${texts.join(', ')}${isTime ? ' s' : ''}`;
}

/** What came of one scenario, with its figures in the order of the releases. */
function outcomeOf(name: string): string {
  const found = releases.map((release) =>
    outcomes.find((outcome) => outcome.name === name && outcome.release === release),
  );
  const failed = releases.filter((_, index) => found[index]?.held === false);
  const missing = releases.filter((_, index) => found[index] === undefined);
  const longestOverlap = (outcome: Outcome | undefined): number | undefined =>
    outcome?.documentedOverlaps.map(({ forMs }) => forMs).sort((a, b) => b - a)[0];
  const overlaps = found.map(longestOverlap);
  const figures = [...new Set(found.flatMap((outcome) => Object.keys(outcome?.figures ?? {})))];
  // A stall that cost no lock is what the scenario is named for.
  const told = figures.filter(
    (figure) => !figure.startsWith('lostIn') || found.some((outcome) => outcome?.figures[figure] !== 0),
  );
  return [
    failed.length === 0 ? 'held' : `**NOT HELD** on ${failed.join(', ')}`,
    ...(missing.length === 0 ? [] : [`not run on ${missing.join(', ')}`]),
    ...(overlaps.every((forMs) => forMs === undefined) ? [] : [figureText('twoHoldersForMs', overlaps)]),
    ...told.map((figure) =>
      figureText(
        figure,
        found.map((outcome) => outcome?.figures[figure]),
      ),
    ),
  ].join('; ');
}

const sum = (of: readonly Outcome[], count: (outcome: Outcome) => number): string =>
  String(of.reduce((total, outcome) => total + count(outcome), 0));

function totals(of: readonly Outcome[]): string[] {
  return [
    `${of.filter(({ held }) => held).length} of ${of.length}`,
    sum(of, ({ figures }) => figures['faults'] ?? 0),
    sum(of, ({ verdict }) => verdict?.claims ?? 0),
    sum(of, ({ verdict }) => verdict?.overlaps.length ?? NaN),
    sum(of, ({ verdict }) => verdict?.needlessLosses.length ?? NaN),
    sum(of, ({ verdict }) => verdict?.outageLosses.length ?? NaN),
    sum(of, ({ verdict }) => verdict?.earlyRevokes.length ?? NaN),
    sum(of, ({ verdict }) => verdict?.starved.length ?? NaN),
    sum(of, ({ leftovers }) => leftovers.length),
  ];
}

const isRandom = ({ name }: Outcome): boolean => name.startsWith('random-');
const summary = releases.flatMap((release) => {
  const here = outcomes.filter((outcome) => outcome.release === release);
  const scenarios = here.filter((outcome) => !isRandom(outcome));
  return [
    ...(scenarios.length === 0 ? [] : [[release, 'each scenario once', ...totals(scenarios)]]),
    ...here.filter(isRandom).map((outcome) => {
      const [, seed = ''] = outcome.name.split('-');
      return [
        release,
        `at random, ${Math.round(outcome.seconds / 60)} minutes, seed ${seed}`,
        ...totals([outcome]),
      ];
    }),
  ];
});

/** Nothing where there was no such run. */
const takeOversOf = (where: string, of: readonly Outcome[]): string[] =>
  of.length === 0
    ? []
    : [
        `- ${where}:`,
        ...takeOverTimes(
          of.flatMap(({ verdict }) => verdict?.takeOvers ?? []),
          first.lockTtl * 1000,
        ).map((taken) => `  - ${describeTimes(taken)}.`),
      ];

const rates = ratesOf(repeated.flatMap((run) => run.outcomes)).map((rate) => [
  `\`${rate.name}\``,
  rate.release,
  ...[rate.runs, rate.runs - rate.notHeld, rate.overlaps, rate.needlessLosses, rate.endedByEtcd].map(String),
]);

writeSafetyPart(
  'fault runs',
  [
    `${first.startedAt.slice(0, 10)}, \`lock_ttl\` ${first.lockTtl}, \`refresh\` ${first.refresh}.`,
    '',
    table(
      [
        'etcd',
        'run',
        'held',
        'faults at random',
        'claims',
        'overlaps',
        'needless losses',
        'etcd silent',
        'revoked by etcd',
        'starved',
        'left over',
      ],
      summary,
    ),
    '',
    ...takeOversOf(
      'In the scenarios',
      outcomes.filter((outcome) => !isRandom(outcome)),
    ),
    ...takeOversOf('At random', outcomes.filter(isRandom)),
    '',
    table(
      ['scenario', 'etcd', 'runs', 'held', 'overlaps', 'needless losses', 'leases that etcd itself ended'],
      rates,
    ),
    '',
    table(
      ['scenario', 'what must hold', `on ${releases.join(', ')}`],
      SCENARIOS.map(({ name, expectation }) => [`\`${name}\``, expectation, outcomeOf(name)]),
    ),
  ].join('\n'),
);
