import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { LockKind } from './cluster.ts';
import type { HandOver, LeaderEvent } from './events.ts';

/** A column of the table of hand-overs. */
export interface Kind {
  readonly name: string;
  readonly title: string;
  /** In the chart. */
  readonly colour: string;
  readonly lock: LockKind;
  /** What is not the default. */
  readonly settings?: Readonly<Record<string, number>>;
  /** Events by name, one cluster for each group: the groups of all kinds take about as long as each other. */
  readonly groups: readonly (readonly string[])[];
}

export const KINDS: readonly Kind[] = [
  {
    name: 'fcntl',
    title: 'fcntl helper, local file',
    colour: '#7f7f7f',
    lock: 'fcntl',
    // Its lock is on a file that here needs no network; a real cluster's file system would fence the node by its own rules.
    groups: [
      ['helper', 'ctdbd', 'everything'],
      ['stop', 'ban', 'shutdown'],
    ],
  },
  {
    name: 'python',
    title: 'Python helper, etcd v2',
    colour: '#d62728',
    lock: 'python',
    groups: [
      ['ban', 'shutdown', 'network'],
      ['everything', 'ctdbd'],
      ['helper', 'stop'],
    ],
  },
  {
    name: 'ours',
    title: 'ctdb_etcd_lock',
    colour: '#1f77b4',
    lock: 'ours',
    groups: [
      ['helper', 'network'],
      ['ctdbd', 'everything'],
      ['stop', 'ban', 'shutdown'],
    ],
  },
  {
    name: 'ours6',
    title: 'ctdb_etcd_lock, lock_ttl = 6',
    colour: '#17becf',
    lock: 'ours',
    settings: { lock_ttl: 6 },
    groups: [['everything']],
  },
];

export interface Trial extends HandOver {
  readonly kind: string;
  readonly event: string;
}

export interface RunFacts {
  /** Of CTDB. */
  readonly version: string;
  readonly trials: number;
  readonly clusters: number;
  readonly limitS: number;
  /** More to say about the run; '' for nothing. */
  readonly note: string;
}

/** The trials of an earlier run. */
export function readTrials(file: string): Trial[] {
  const seconds = (text: string | undefined): number | undefined =>
    text === undefined || text === '' ? undefined : Number(text);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [helper, event = '', took, ok] = line.split(',');
    const kind = KINDS.find(({ name }) => name === helper)?.name;
    return kind === undefined ? [] : [{ kind, event, tookS: seconds(took), okS: seconds(ok) }];
  });
}

function cell(results: readonly (number | undefined)[], { limitS, trials }: RunFacts): string {
  const times = results.filter((time) => time !== undefined).sort((a, b) => a - b);
  const none = results.length - times.length;
  const [first, middle, last] = [times[0], times[Math.floor((times.length - 1) / 2)], times.at(-1)];
  const parts: string[] = [];
  if (first !== undefined && middle !== undefined && last !== undefined)
    parts.push(`${middle.toFixed(2)} (${first.toFixed(2)}–${last.toFixed(2)})`);
  if (none > 0) parts.push(`**none in ${limitS} s: ${none} of ${results.length}**`);
  if (parts.length === 0) return '–';
  return `${parts.join('; ')}${results.length === trials ? '' : `, n=${results.length}`}`;
}

/** docs/handover.md. */
export function handOverReport(
  found: readonly Trial[],
  kinds: readonly Kind[],
  events: readonly LeaderEvent[],
  facts: RunFacts,
): string {
  const of = (kind: Kind, event: LeaderEvent, pick: (trial: Trial) => number | undefined): string =>
    cell(found.filter((trial) => trial.kind === kind.name && trial.event === event.name).map(pick), facts);
  const table = (pick: (trial: Trial) => number | undefined): string =>
    [
      `| event on the leader's node | ${kinds.map(({ title }) => title).join(' | ')} |`,
      `| --- |${kinds.map(() => ' --- |').join('')}`,
      ...events.map(
        (event) => `| ${event.title} | ${kinds.map((kind) => of(kind, event, pick)).join(' | ')} |`,
      ),
    ].join('\n');
  return `# Hand-over: how long the cluster has no leader

Written by \`npm run bench:ctdb\`; do not edit. CTDB ${facts.version} with three nodes, etcd 3.4 with three members. ${facts.trials}
trials for each cell unless n is given, ${cpus().length} cores, ${facts.clusters} clusters side by side, each helper with its defaults. All times are in
seconds: median (fastest–slowest).${facts.note === '' ? '' : `\n\n${facts.note}`}

![Seconds from the event to "Took cluster lock", every trial](handover.svg)

## From the event to "Took cluster lock" in the log

${table(({ tookS }) => tookS)}

## From the event until all nodes that are left are OK

${table(({ okS }) => okS)}

## What the times are made of

CTDB's leader sends a broadcast every second. The other nodes miss the leader 5 s after its last broadcast (\`leader timeout\`). They
then take the lock, if it is free by then. So 4 to 5 s pass with every helper. Two events differ. When only the helper ends,
CTDB holds an election at once, and the time is the start of a new helper. When a node vanishes from the network, the others miss
it after about 30 s.

After SIGKILL of everything on a node, nothing is left that could release the lock. It is free when its lease ends: between
\`lock_ttl\` less \`refresh\` and \`lock_ttl\` after the event, and up to 1 s later until etcd has noticed. CTDB tries for the first time
4 to 5 s after the event. The new helper waits for the end of a lease that is not renewed, but only as long as CTDB may wait for an
answer: until 7.4 to 8.4 s after the event. If the lease ends later, the next try takes the lock. CTDB starts it 5 s after the
first, so 9 to 10 s after the event. With \`lock_ttl = 6\`, every lease ends within the first try.
[safety.md](safety.md#why-it-waits-and-does-not-guess) says why nothing faster is safe.

The table has no helper that is killed in the middle of a recovery. Every node then checks the lock while the election runs, and such a
check can take the lock for a moment. A contender looks again at a key that is so young. The cluster has a leader a second or two
later. The test of CTDB's behavior kills the helper ten times at that point.

The fcntl helper has no value for the network: here its lock is on a local file.
`;
}
