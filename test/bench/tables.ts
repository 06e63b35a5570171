import type { HoldFigures } from './hold-phase.ts';
import { describeBusyness } from './machine.ts';
import type { Measured, Results } from './results.ts';
import type { Run } from './runs.ts';
import { spreadOf, type Spread } from './samples.ts';
import type { Verdict } from './targets.ts';

interface Column {
  readonly title: string;
  readonly values: (one: Measured) => readonly number[];
  readonly digits: number;
}

/** The kernel's kB are 1,024 bytes. */
export const megabytesOf = (kernelKb: number): number => (kernelKb * 1_024) / 1e6;

const ms = (title: string, values: Column['values']): Column => ({ title, values, digits: 0 });
const mb = (title: string, values: (one: Measured) => readonly number[]): Column => ({
  title,
  values: (one) => values(one).map(megabytesOf),
  digits: 1,
});

const TIMES: readonly Column[] = [
  ms('exec to byte, lock free', ({ start }) => start.freeMs),
  ms('exec to byte, lock held by another', ({ start }) => start.contendedMs),
  ms('SIGTERM to gone', ({ start }) => start.goneMs),
];

const early = ({ hold }: Measured, pick: (footprints: HoldFigures['early'][number]) => number): number[] =>
  hold.early.map(pick);

const MEMORY: readonly Column[] = [
  mb('RSS', (one) => early(one, ({ alone }) => alone.rssKb)),
  mb('PSS', (one) => early(one, ({ alone }) => alone.pssKb)),
  mb('Private_Dirty', (one) => early(one, ({ alone }) => alone.privateDirtyKb)),
  mb('anonymous', (one) => early(one, ({ alone }) => alone.anonymousKb)),
  mb('Private_Dirty with watchdog', (one) => early(one, ({ family }) => family.privateDirtyKb)),
];

const MEMORY_LATE: readonly Column[] = [
  mb('RSS', ({ hold }) => (hold.late ? [hold.late.alone.rssKb] : [])),
  mb('PSS', ({ hold }) => (hold.late ? [hold.late.alone.pssKb] : [])),
  mb('Private_Dirty', ({ hold }) => (hold.late ? [hold.late.alone.privateDirtyKb] : [])),
  mb('anonymous', ({ hold }) => (hold.late ? [hold.late.alone.anonymousKb] : [])),
  mb('Private_Dirty with watchdog', ({ hold }) => (hold.late ? [hold.late.family.privateDirtyKb] : [])),
];

const HOLDING: readonly Column[] = [
  { title: 'processor s', values: ({ hold }) => hold.work.map(({ cpuMs }) => cpuMs / 1_000), digits: 3 },
  {
    title: 'context switches',
    values: ({ hold }) => hold.work.map((work) => work.contextSwitches),
    digits: 0,
  },
  {
    title: 'requests to etcd',
    values: ({ hold }) => hold.traffic.map(({ requests }) => requests),
    digits: 0,
  },
  { title: 'raft entries', values: ({ hold }) => hold.traffic.map(({ entries }) => entries), digits: 0 },
  { title: 'threads', values: ({ hold }) => hold.early.map(({ alone }) => alone.threads), digits: 0 },
  { title: 'descriptors', values: ({ hold }) => hold.early.map(({ alone }) => alone.descriptors), digits: 0 },
];

const CONTENDED: readonly Column[] = [
  { title: 'raft entries', values: ({ start }) => start.contendedEntries, digits: 0 },
  { title: 'keys left behind', values: ({ start }) => start.keysLeft, digits: 0 },
];

function cell(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '–';
  const { median, lower, upper, count } = spread;
  const [middle, low, high] = [median, lower, upper].map((value) => value.toFixed(digits));
  return count < 3 || low === high ? (middle ?? '') : `**${middle ?? ''}** (${low ?? ''}–${high ?? ''})`;
}

function table(contestants: readonly Measured[], columns: readonly Column[]): string {
  const rows = contestants
    .filter((one) => columns.some(({ values }) => values(one).length > 0))
    .map(
      (one) =>
        `| ${one.title} | ${columns.map(({ values, digits }) => cell(spreadOf(values(one)), digits)).join(' | ')} |`,
    );
  return [
    `| | ${columns.map(({ title }) => title).join(' | ')} |`,
    `| --- |${columns.map(() => ' --- |').join('')}`,
    ...rows,
  ].join('\n');
}

const megabytes = (bytes: number | undefined): string =>
  bytes === undefined || Number.isNaN(bytes) ? '–' : `${(bytes / 1e6).toFixed(bytes < 1e6 ? 2 : 1)} MB`;

function sizeTable({ sizes, contestants }: Results): string {
  const titleOf = (id: string): string => contestants.find((one) => one.id === id)?.title ?? id;
  return [
    '| | on disk |',
    '| --- | --- |',
    `| ctdb_etcd_lock, needs nothing else | ${megabytes(sizes.binary)}; .deb ${megabytes(sizes.deb)}, .rpm ${megabytes(sizes.rpm)} |`,
    ...Object.entries(sizes.others).map(
      ([id, bytes]) =>
        `| ${titleOf(id)}${['python', 'minimal'].includes(id) ? ', with Python and its modules' : ''} | ${megabytes(bytes)} |`,
    ),
  ].join('\n');
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return [
    '| target | wanted | found | |',
    '| --- | --- | --- | --- |',
    ...verdicts.map(
      ({ name, wanted, found, isMet }) =>
        `| ${name} | ${wanted} | ${found} | ${isMet ? 'met' : '**missed**'} |`,
    ),
  ].join('\n');
}

/** What each published run found for each target, a column for each. */
export function runTable(runs: readonly Run[]): string {
  const names = [...new Set(runs.flatMap(({ found }) => Object.keys(found)))];
  const heads = runs.map(({ startedAt }) => startedAt.slice(0, 16).replace('T', ' '));
  const machines = [...new Set(runs.map(({ machine }) => machine))];
  return [
    `| target | ${heads.join(' | ')} |`,
    `| --- |${heads.map(() => ' --- |').join('')}`,
    ...names.map((name) => `| ${name} | ${runs.map(({ found }) => found[name] ?? '–').join(' | ')} |`),
    '',
    `Times are UTC. ${machines.length === 1 ? 'Machine' : 'Machines'}: ${machines.join('; ')}.`,
  ].join('\n');
}

/** All tables of one run. */
export function markdown(results: Results, verdicts: readonly Verdict[]): string {
  const { contestants, rounds, holders, holdMinutes, whileStarting, whileHolding, growth } = results;
  return `${results.startedAt.slice(0, 16).replace('T', ' ')} UTC, ${results.machine}. Median (quarter below–quarter above).${results.isAhead ? ' All that was measured, etcd included, had real-time priority over whatever else ran (`chrt --rr 10`).' : ''}

- While starting: ${describeBusyness(whileStarting)}.
- While holding: ${describeBusyness(whileHolding)}.

### Targets

${verdictTable(verdicts)}

### Times, in ms (${rounds} rounds)

${table(contestants, TIMES)}

### Memory after 10 s of holding, in MB (${holders} holders of each)

${table(contestants, MEMORY)}

### Memory after ${holdMinutes} minutes of holding, in MB

${table(contestants, MEMORY_LATE)}

### A minute of holding (${holdMinutes} minutes; with the watchdog)

${table(contestants, HOLDING)}

### A contended attempt

${table(contestants, CONTENDED)}

### Bytes

${sizeTable(results)}

Growth was looked at over ${growth.requests} requests to etcd, renewing every ${growth.refreshS} s.
`;
}
