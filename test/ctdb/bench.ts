import { appendFileSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { runChecked } from '../support/processes.ts';
import { Bed } from './support/bed.ts';
import { CtdbCluster } from './support/cluster.ts';
import { handOver, LEADER_EVENTS } from './support/events.ts';
import type { LeaderEvent } from './support/events.ts';
import type { CtdbNode } from './support/node.ts';
import { handOverChart } from './support/handover-chart.ts';
import { handOverReport, KINDS, readTrials } from './support/handover-report.ts';
import type { Kind, Trial } from './support/handover-report.ts';

// Measures how long a cluster is without a leader after something happens to the one it has, for three helpers side by
// side: Samba's own on a local file, Samba's for etcd v2, and the binary of this project.

const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '5' },
    limit: { type: 'string', default: '45' },
    clusters: { type: 'string', default: '5' },
    kinds: { type: 'string', default: KINDS.map(({ name }) => name).join() },
    events: { type: 'string', default: LEADER_EVENTS.map(({ name }) => name).join() },
    out: { type: 'string', default: DOCS },
    from: { type: 'string' },
    note: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'Usage: npm run bench:ctdb -- [--trials N] [--limit SECONDS] [--clusters N] [--kinds LIST] [--events LIST] [--out DIR] [--from CSV] [--note TEXT]',
  );
  process.exit(0);
}
const RERECOVERY_MS = 11_000;

const trials = Number(values.trials);
const limitS = Number(values.limit);
const clusters = Number(values.clusters);
const kinds = KINDS.filter(({ name }) => values.kinds.split(',').includes(name));
const events = LEADER_EVENTS.filter(({ name }) => values.events.split(',').includes(name));

// Each trial is written down as it ends: a run that is interrupted has still measured something.
const csv = join(values.out, 'handover.csv');
if (values.from === undefined) writeFileSync(csv, 'helper,event,took_s,ok_s\n');

type Running = AsyncDisposable & { readonly ctdb: CtdbCluster };

async function start({ lock, settings }: Kind): Promise<Running> {
  if (lock !== 'fcntl') return Bed.make({ lock, ...(settings === undefined ? {} : { settings }) });
  const ctdb = await CtdbCluster.start({ lock });
  return { ctdb, [Symbol.asyncDispose]: () => ctdb.stop() };
}

/** Of the release that all clusters here run. */
const debianVersion = await runChecked('dpkg-query', [
  `--admindir=${fileURLToPath(new URL('../../.cache/ctdb/bookworm/var/lib/dpkg', import.meta.url))}`,
  '--show',
  '--showformat=${Version}',
  'ctdb',
]);
const version = debianVersion.replace(/^\d+:/, '').replace(/[+-].*/, '');

/**
 * The leader, once it has been one for long enough: CTDB puts off recoveries for 10 s after the last one (RerecoveryTimeout),
 * which would be measured as ours. The random part keeps out of step with CTDB's own timers, which the last restart began.
 */
async function settledLeader(ctdb: CtdbCluster): Promise<CtdbNode> {
  for (let leader = await ctdb.allOk(); ;) {
    await delay(RERECOVERY_MS + Math.random() * 2_000);
    const now = await ctdb.allOk();
    if (now === leader) return leader;
    console.log(`the leader went from node ${leader.pnn} to ${now.pnn} by itself`);
    leader = now;
  }
}

async function keepLogs(ctdb: CtdbCluster, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const { pnn, log } of ctdb.nodes) await copyFile(log.file, join(directory, `node${pnn}.log`));
}

/** All trials of some events, in turn, so that a busy minute of the machine does not hit one event only. */
async function measure(kind: Kind, some: readonly LeaderEvent[]): Promise<Trial[]> {
  const found: Trial[] = [];
  let running = await start(kind);
  for (let trial = 0; trial < trials; trial += 1) {
    for (const event of some) {
      const { ctdb } = running;
      const leader = await settledLeader(ctdb);
      const startMs = Date.now();
      const result = await handOver(ctdb, leader, event, limitS * 1000);
      if (result.tookS === undefined) {
        const logs = join(values.out, `${kind.name}-${event.name}-${trial + 1}`);
        await keepLogs(ctdb, logs);
        const when = new Date(startMs).toISOString();
        console.log(`node ${leader.pnn} led at ${when}, logs in ${logs}; ${String(result.failure)}`);
      }
      found.push({ kind: kind.name, event: event.name, ...result });
      appendFileSync(csv, `${[kind.name, event.name, result.tookS, result.okS].join()}\n`);
      console.log(
        `${kind.name} ${event.name}: leader after ${show(result.tookS)}, all OK after ${show(result.okS)}`,
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

/** Measures everything, a few clusters at a time. */
async function measureAll(): Promise<Trial[]> {
  const jobs = kinds.flatMap((kind) =>
    kind.groups.map((group) => ({ kind, some: events.filter(({ name }) => group.includes(name)) })),
  );
  const found: Trial[] = [];
  const lane = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      if (job.some.length > 0) found.push(...(await measure(job.kind, job.some)));
    }
  };
  await Promise.all(Array.from({ length: clusters }, lane));
  return found;
}

const show = (seconds: number | undefined): string =>
  seconds === undefined ? `none in ${limitS} s` : `${seconds.toFixed(2)} s`;

const found = values.from === undefined ? await measureAll() : readTrials(values.from);
await writeFile(
  join(values.out, 'handover.md'),
  handOverReport(found, kinds, events, { version, trials, clusters, limitS, note: values.note }),
);
await writeFile(join(values.out, 'handover.svg'), handOverChart(found, kinds, events, limitS));
