import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Bed } from './support/bed.ts';
import { dotChart } from './support/chart.ts';
import type { LockKind } from './support/cluster.ts';
import { CtdbCluster } from './support/cluster.ts';
import { handOver, LEADER_EVENTS } from './support/events.ts';
import type { HandOver, LeaderEvent } from './support/events.ts';

// Measures how long a cluster is without a leader after something happens to the one it has, for three helpers side by
// side: Samba's own on a local file, Samba's for etcd v2, and the binary of this project.

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const KINDS: readonly { readonly kind: LockKind; readonly title: string; readonly colour: string }[] = [
  { kind: 'fcntl', title: 'fcntl helper, local file', colour: '#7f7f7f' },
  { kind: 'python', title: 'Python helper, etcd v2', colour: '#d62728' },
  { kind: 'ours', title: 'ctdb_etcd_lock', colour: '#1f77b4' },
];

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '5' },
    limit: { type: 'string', default: '60' },
    kinds: { type: 'string', default: KINDS.map(({ kind }) => kind).join() },
    events: { type: 'string', default: LEADER_EVENTS.map(({ name }) => name).join() },
    out: { type: 'string', default: DOCS },
    from: { type: 'string' },
    note: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'Usage: npm run bench:ctdb -- [--trials N] [--limit SECONDS] [--kinds LIST] [--events LIST] [--out DIR] [--from CSV] [--note TEXT]',
  );
  process.exit(0);
}
const RERECOVERY_MS = 11_000;

const trials = Number(values.trials);
const limitS = Number(values.limit);
const kinds = KINDS.filter(({ kind }) => values.kinds.split(',').includes(kind));
const events = LEADER_EVENTS.filter(({ name }) => values.events.split(',').includes(name));

// Each trial is written down as it ends: a run that is interrupted has still measured something.
const csv = join(values.out, 'handover.csv');
if (values.from === undefined) writeFileSync(csv, 'helper,event,took_s,ok_s\n');

interface Trial extends HandOver {
  readonly kind: LockKind;
  readonly event: string;
}

/** The lock on a file outlives any network; a real cluster's file system would fence the node by its own rules. */
const isMeaningful = (kind: LockKind, event: LeaderEvent): boolean =>
  !(kind === 'fcntl' && event.name === 'network');

type Running = AsyncDisposable & { readonly ctdb: CtdbCluster };

async function start(kind: LockKind): Promise<Running> {
  if (kind !== 'fcntl') return Bed.make({ lock: kind });
  const ctdb = await CtdbCluster.start({ lock: 'fcntl' });
  return { ctdb, [Symbol.asyncDispose]: () => ctdb.stop() };
}

let version = '';

/** All trials of one helper, event after event, so that a busy minute of the machine does not hit one event only. */
async function measure(kind: LockKind): Promise<Trial[]> {
  const found: Trial[] = [];
  let running = await start(kind);
  version = (await running.ctdb.node(0).ctdb('version')).trim();
  for (let trial = 0; trial < trials; trial += 1) {
    for (const event of events) {
      if (!isMeaningful(kind, event)) continue;
      const { ctdb } = running;
      const leader = await ctdb.allOk();
      // CTDB puts off recoveries for 10 s after the last one (RerecoveryTimeout), which would be measured as ours. The
      // random part keeps out of step with CTDB's own timers, which the last restart began.
      await delay(RERECOVERY_MS + Math.random() * 2_000);
      const result = await handOver(ctdb, leader, event, limitS * 1000);
      found.push({ kind, event: event.name, ...result });
      appendFileSync(csv, `${[kind, event.name, result.tookS, result.okS].join()}\n`);
      console.log(
        `${kind} ${event.name}: leader after ${show(result.tookS)}, all OK after ${show(result.okS)}`,
      );
      try {
        if (result.okS === undefined) throw new Error('The cluster has no leader');
        await event.undo(leader, ctdb);
        await ctdb.allOk();
      } catch {
        // What is left of the cluster is of no use for the next trial.
        await running[Symbol.asyncDispose]();
        running = await start(kind);
      }
    }
  }
  await running[Symbol.asyncDispose]();
  return found;
}

const show = (seconds: number | undefined): string =>
  seconds === undefined ? `none in ${limitS} s` : `${seconds.toFixed(2)} s`;

function cell(results: readonly (number | undefined)[]): string {
  const times = results.filter((time) => time !== undefined).sort((a, b) => a - b);
  const none = results.length - times.length;
  const [first, middle, last] = [times[0], times[Math.floor((times.length - 1) / 2)], times.at(-1)];
  const parts: string[] = [];
  if (first !== undefined && middle !== undefined && last !== undefined)
    parts.push(`${middle.toFixed(2)} (${first.toFixed(2)}–${last.toFixed(2)})`);
  if (none > 0) parts.push(`**none in ${limitS} s: ${none} of ${results.length}**`);
  if (parts.length === 0) return '–';
  return `${parts.join('; ')}${results.length < trials ? `, n=${results.length}` : ''}`;
}

function report(found: readonly Trial[]): string {
  const of = (kind: LockKind, event: string, pick: (trial: Trial) => number | undefined): string =>
    cell(found.filter((trial) => trial.kind === kind && trial.event === event).map(pick));
  const table = (pick: (trial: Trial) => number | undefined): string =>
    [
      `| event on the leader's node | ${kinds.map(({ title }) => title).join(' | ')} |`,
      `| --- |${kinds.map(() => ' --- |').join('')}`,
      ...events.map(
        ({ name, title }) => `| ${title} | ${kinds.map(({ kind }) => of(kind, name, pick)).join(' | ')} |`,
      ),
    ].join('\n');
  return `# Hand-over: how long the cluster has no leader

Written by \`npm run bench:ctdb\`; do not edit. ${version === '' ? 'CTDB' : `CTDB ${version}`} with three nodes, etcd 3.4 with three members, ${trials}
trials each unless n is given, ${cpus().length} cores. The three clusters ran side by side, each helper with its defaults. Seconds:
median (fastest–slowest).${values.note === '' ? '' : `\n\n${values.note}`}

![Seconds from the event to "Took cluster lock", every trial](handover.svg)

## From the event to "Took cluster lock" in the log

${table(({ tookS }) => tookS)}

## From the event until all nodes that are left are OK

${table(({ okS }) => okS)}

CTDB notices a leader that is gone after its \`leader timeout\`, 5 s from the leader's last broadcast, which it sends every
second; a lock that is free by then is taken in that moment. That, 4 to 5 s, is what no helper can beat unless only the
helper itself has ended. After a SIGKILL of everything the lease has not ended by then (\`lock_ttl\` is 9 s): the helper waits
for its end as long as CTDB waits for the helper, and otherwise gets it in CTDB's next round, 5 s later.

The fcntl helper has no row for the network: its lock is on a file that here needs no network.
`;
}

/** The trials of an earlier run. */
function readTrials(file: string): Trial[] {
  const seconds = (text: string | undefined): number | undefined =>
    text === undefined || text === '' ? undefined : Number(text);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [helper, event = '', took, ok] = line.split(',');
    const kind = KINDS.find((one) => one.kind === helper)?.kind;
    return kind === undefined ? [] : [{ kind, event, tookS: seconds(took), okS: seconds(ok) }];
  });
}

const found =
  values.from === undefined
    ? (await Promise.all(kinds.map(({ kind }) => measure(kind)))).flat()
    : readTrials(values.from);
await writeFile(join(values.out, 'handover.md'), report(found));
await writeFile(
  join(values.out, 'handover.svg'),
  dotChart(
    'Seconds from the event to "Took cluster lock"',
    kinds,
    events.map(({ name, title }) => ({
      title,
      dots: kinds.map(({ kind }) => {
        const dots = found
          .filter((trial) => trial.kind === kind && trial.event === name)
          .map(({ tookS }) => tookS);
        return dots.length === 0 ? undefined : dots;
      }),
    })),
    limitS,
  ),
);
