import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setMaxListeners } from 'node:events';
import { makeLinuxHost } from '../../src/process/linux-host.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { EtcdCluster, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { describeMachine, watchBusyness } from './machine.ts';
import { familyWorkOf } from './process-figures.ts';
import { replaceSection } from './publish.ts';
import { ScaleHolder, type Crowd } from './scale-holder.ts';
import { scaleChart, scaleMarkdown, type Level, type ScaleResults } from './scale-report.ts';

// How many clusters of CTDB one cluster of etcd can carry: holders in this one process, with the shipped code, on three
// real members.

const DIST = fileURLToPath(new URL('../../dist/bench/', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const { values } = parseArgs({
  options: {
    holders: { type: 'string', default: '1,10,100,300,1000' },
    seconds: { type: 'string', default: '10' },
    release: { type: 'string', default: '3.5-trixie' },
    'one-member': { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
    from: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(
    `Usage: npm run bench:scale -- [--holders 1,10,100,…] [--seconds N] [--release 3.4|3.5-trixie|3.5-forky] [--one-member] [--publish] [--from FILE]
  --from FILE   measure nothing, make table and chart of an earlier run's JSON
  --one-member  all holders name the same member first; otherwise a third of them each
`,
  );
  process.exit(0);
}

/** New holders for each second, until a level is reached. */
const RAMP_PER_S = 50;
/** Further locks that are taken and released while a level is measured. */
const PROBES_PER_S = 2;

const counts = values.holders.split(',').map(Number);
const windowMs = Number(values.seconds) * 1_000;
const release = values.release;
setMaxListeners(0);

const say = (text: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
};

/** Everybody on one cluster. */
class Rig {
  readonly #etcd: EtcdCluster;
  readonly #host = makeLinuxHost(process);
  readonly #holders: ScaleHolder[] = [];
  #renewalsMs: number[] = [];
  #failures = 0;
  #lost = 0;
  #taken = 0;
  #failedTakes = 0;

  constructor(etcd: EtcdCluster) {
    this.#etcd = etcd;
  }

  async growTo(count: number): Promise<void> {
    const started: Promise<ScaleHolder | undefined>[] = [];
    while (this.#holders.length + started.length < count) {
      const take = this.#take().catch((error: unknown) => {
        say(`a take failed: ${String(error)}`);
        return undefined;
      });
      started.push(take);
      await delay(1_000 / RAMP_PER_S);
    }
    for (const holder of await Promise.all(started)) if (holder !== undefined) this.#holders.push(holder);
  }

  async measure(): Promise<Level> {
    // One whole turn of renewals after the last take.
    await delay(2_500);
    this.#renewalsMs = [];
    [this.#failures, this.#lost, this.#failedTakes] = [0, 0, 0];
    const takesMs: number[] = [];
    const startedMs = performance.now();
    const ownBefore = process.cpuUsage();
    const membersBefore = this.#memberCpuMs();
    const probes: Promise<void>[] = [];
    while (performance.now() - startedMs < windowMs) {
      probes.push(this.#probe(takesMs));
      await delay(1_000 / PROBES_PER_S);
    }
    const tookMs = performance.now() - startedMs;
    const own = process.cpuUsage(ownBefore);
    const membersCpu = this.#memberCpuMs().map(
      (cpuMs, index) => (cpuMs - (membersBefore[index] ?? 0)) / tookMs,
    );
    const renewalsMs = this.#renewalsMs;
    await Promise.all(probes);
    return {
      holders: this.#holders.length,
      takesMs,
      renewalsMs,
      renewalsPerS: (renewalsMs.length / tookMs) * 1_000,
      failedTakes: this.#failedTakes,
      failures: this.#failures,
      lost: this.#lost,
      membersCpu,
      ownCpu: (own.user + own.system) / 1_000 / tookMs,
    };
  }

  async end(): Promise<void> {
    for (const holder of this.#holders) void holder.release();
    await delay(1_000);
    await this.#etcd.stop();
  }

  #memberCpuMs(): number[] {
    return this.#etcd.members.map(({ pid }) => familyWorkOf(pid).cpuMs);
  }

  #take(): Promise<ScaleHolder> {
    this.#taken += 1;
    return ScaleHolder.take(`SCALE${this.#taken}`, this.#crowd(this.#taken));
  }

  async #probe(takesMs: number[]): Promise<void> {
    try {
      const holder = await this.#take();
      takesMs.push(holder.tookMs);
      await holder.release();
    } catch {
      this.#failedTakes += 1;
    }
  }

  #crowd(nth: number): Crowd {
    const { members } = this.#etcd;
    const first = values['one-member'] ? 0 : nth % members.length;
    // Processes of their own would not share a beat. 61 and 500 have no factor in common: the phases are spread evenly.
    const phaseMs = (nth * 61) % 500;
    const hosts = [...members.slice(first), ...members.slice(0, first)].map(({ endpoint }) => endpoint);
    return {
      clock: makeRealClock(() => performance.now() + phaseMs),
      host: this.#host,
      hosts,
      onRenewal: (tookMs) => this.#renewalsMs.push(tookMs),
      onTrouble: (kind, text) => {
        if (kind === 'lost lock') this.#lost += 1;
        else this.#failures += 1;
        if (this.#lost + this.#failures <= 5) say(`${kind}: ${text}`);
      },
    };
  }
}

async function measure(): Promise<ScaleResults> {
  const rig = new Rig(await EtcdCluster.start({ members: 3, release, onDisk: true }));
  const startedAt = new Date().toISOString();
  const { result: levels, busyness } = await watchBusyness(async () => {
    const found: Level[] = [];
    for (const count of counts) {
      await rig.growTo(count);
      say(`${count} holders`);
      found.push(await rig.measure());
    }
    return found;
  });
  say('measured; letting go');
  await rig.end();
  return {
    startedAt,
    machine: describeMachine(),
    etcd: etcdPackageVersion(release),
    preference: values['one-member']
      ? 'all holders prefer the same member'
      : 'each member is preferred by a third of the holders',
    isAhead: (process.env['BENCH_AHEAD'] ?? '') !== '',
    busyness,
    levels,
  };
}

const results =
  values.from === undefined
    ? await measure()
    : (JSON.parse(readFileSync(values.from, 'utf8')) as ScaleResults);
const directory = values.publish ? DOCS : DIST;
mkdirSync(directory, { recursive: true });
writeFileSync(join(directory, 'benchmarks-scale.svg'), scaleChart(results));
writeFileSync(join(DIST, 'scale.json'), `${JSON.stringify(results)}\n`);
replaceSection(join(directory, 'benchmarks.md'), 'scale', scaleMarkdown(results));
process.stdout.write(scaleMarkdown(results));
process.exit(0);
