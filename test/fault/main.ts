// `npm run faults`: faults on real clusters, with the packed helper. `--help` says how.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  DEFAULT_RELEASE,
  ETCD_RELEASES,
  etcdPackageVersion,
  type EtcdRelease,
} from '../support/etcd-programs.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { namespacesOf, removeStaleNamespaces } from './network.ts';
import { runRandom } from './random.ts';
import {
  complaintsOf,
  describeRate,
  describeTimes,
  type Outcome,
  ratesOf,
  tableOf,
  type TakeOverTimes,
  takeOverTimes,
} from './report.ts';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import type { WorldOptions } from './world.ts';

const USAGE = `Usage: npm run faults -- [--list] [--scenario NAME]... [--etcd RELEASE|all]
         [--short] [--again] [--jobs N] [--repeat N] [--setting KEY=VALUE]... [--program FILE] [--out DIR]
       npm run faults -- --random [--minutes N] [--seed S] [--etcd ...] [--out DIR]

Runs the packed helper on three contenders against three members of etcd, in network namespaces of their own, and
injects faults. Needs root. Writes results.json, table.md and one history per scenario into DIR.

  --short    leases of 5 s instead of 9 s, and fewer repetitions; for CI
  --again    a scenario that did not hold is run once more with the machine to itself, unless there was an overlap
  --jobs     how many scenarios run at the same time, each in its own cluster (3)
  --etcd     ${ETCD_RELEASES.join(', ')}; ETCD_DIR_<LABEL>=DIR adds another, whose programs are in DIR
  --repeat   runs each scenario so many times and says how often etcd itself ended a lease that was renewed
  --program  another helper than dist/ctdb_etcd_lock, such as one of an older commit
  --setting  a line for the helper's configuration file: --setting watchdog=no shows that overlaps are found
`;

const { values: options } = parseArgs({
  options: {
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
    scenario: { type: 'string', multiple: true, default: [] },
    etcd: { type: 'string', default: DEFAULT_RELEASE },
    program: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    setting: { type: 'string', multiple: true, default: [] },
    short: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '3' },
    out: { type: 'string', default: fileURLToPath(new URL('../../.cache/faults', import.meta.url)) },
    random: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

function releasesOf(word: string): readonly EtcdRelease[] {
  if (word === 'all') return ETCD_RELEASES;
  const found = ETCD_RELEASES.find((release) => release === word);
  if (found === undefined) throw new Error(`Unknown --etcd ${word}, want ${ETCD_RELEASES.join(', ')} or all`);
  return [found];
}

function scenariosOf(names: readonly string[]): readonly Scenario[] {
  for (const name of names) {
    if (!SCENARIOS.some((scenario) => scenario.name === name))
      throw new Error(`Unknown scenario ${name}, see --list`);
  }
  return names.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => names.includes(name));
}

/** The random mode is one long scenario. */
function randomScenario(release: EtcdRelease): Scenario {
  const [minutes, seed] = [Number(options.minutes), Number(options.seed)];
  return {
    name: `random-${seed}`,
    expectation: `faults at random for ${minutes} minutes, --seed ${seed}`,
    run: (world) =>
      runRandom(world, {
        minutes,
        seed,
        onProgress: (line) => {
          console.log(`etcd ${release}, seed ${seed}, ${line}`);
        },
      }),
  };
}

/** One run of one scenario. */
interface Work {
  readonly scenario: Scenario;
  readonly options: WorldOptions;
  readonly run: number;
}

/** Runs all, at most `jobs` at a time, and reports each as it ends. */
async function runAll(
  work: readonly Work[],
  jobs: number,
  out: string,
  onOutcome: (outcomes: readonly Outcome[]) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const queue = [...work];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const outcome = await runScenario(next.scenario, next.options, out, next.run);
      outcomes.push(outcome);
      onOutcome(outcomes);
      const state = outcome.held ? 'held  ' : 'FAILED';
      console.log(
        `${String(outcomes.length).padStart(3)}/${work.length} ${state} ${outcome.name} (etcd ${outcome.release}, ${outcome.seconds.toFixed(0)} s)`,
      );
      for (const complaint of complaintsOf(outcome)) console.log(`        ${complaint}`);
      for (const fact of outcome.verdict?.earlyRevokes ?? [])
        console.log(`        etcd itself revoked a lease that was renewed: ${fact}`);
      for (const fact of outcome.verdict?.starved ?? [])
        console.log(`        no processor was free: ${fact}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return outcomes;
}

function summaryOf(
  outcomes: readonly Outcome[],
  ttlMs: number,
): { held: boolean; takeOvers: TakeOverTimes[] } {
  const takeOvers = takeOverTimes(
    outcomes.flatMap(({ verdict }) => verdict?.takeOvers ?? []),
    ttlMs,
  );
  const inTime = takeOvers.every(({ times, limitMs }) => (times?.p99Ms ?? 0) <= limitMs);
  return { held: inTime && outcomes.every((outcome) => outcome.held), takeOvers };
}

async function main(): Promise<number> {
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  if (options.list) {
    for (const { name, expectation } of SCENARIOS) console.log(`${name.padEnd(28)} ${expectation}`);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('Network namespaces need root: run it as root');
  // A copy, because a run takes longer than a build that somebody starts meanwhile.
  const program = join(await temporaryDirectory('faults'), 'ctdb_etcd_lock');
  copyFileSync(options.program ?? helperProgram(), program);
  const stale = await removeStaleNamespaces();
  if (stale.length > 0) console.log(`Removed ${stale.length} namespaces of runs that were killed`);
  mkdirSync(options.out, { recursive: true });

  const releases = releasesOf(options.etcd);
  const times = options.short ? { lockTtl: 5, refresh: 1 } : { lockTtl: 9, refresh: 2 };
  const settings = Object.fromEntries(
    options.setting.map((line) => line.split(/=(.*)/s, 2) as [string, string]),
  );
  const shared = { program, settings, isShort: options.short, ...times };
  const startedAt = new Date();
  const runs = Array.from({ length: Number(options.repeat) }, (_, index) => index + 1);
  const work: readonly Work[] = runs.flatMap((run) =>
    releases.flatMap((release) =>
      (options.random ? [randomScenario(release)] : scenariosOf(options.scenario)).map((scenario) => ({
        scenario,
        options: { release, ...shared },
        run,
      })),
    ),
  );
  const jobs = options.random ? releases.length : Number(options.jobs);
  // Written anew with each outcome: a long run that is ended has been worth something.
  const save = (outcomes: readonly Outcome[]): ReturnType<typeof summaryOf> => {
    const summary = summaryOf(outcomes, times.lockTtl * 1000);
    const about = {
      startedAt,
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      etcd: Object.fromEntries(releases.map((release) => [release, etcdPackageVersion(release)])),
      ...times,
      repeat: runs.length,
    };
    writeFileSync(join(options.out, 'table.md'), `${tableOf(outcomes)}\n`);
    writeFileSync(
      join(options.out, 'results.json'),
      JSON.stringify({ ...about, ...summary, outcomes }, null, 1),
    );
    return summary;
  };
  const outcomes = await runAll(work, jobs, options.out, save);
  // Several clusters on a few processors can be what made it too slow; an overlap has no excuse.
  for (const [index, outcome] of options.again ? outcomes.entries() : []) {
    if (outcome.held || (outcome.verdict?.overlaps.length ?? 0) > 0) continue;
    const same = work.filter(
      ({ scenario, options: { release }, run }) =>
        scenario.name === outcome.name &&
        etcdPackageVersion(release) === outcome.release &&
        run === outcome.run,
    );
    console.log(`Once more, alone: ${outcome.name}`);
    const [once] = await runAll(same, 1, join(options.out, 'again'), () => undefined);
    if (once !== undefined) outcomes[index] = once;
  }
  const left = await namespacesOf('us');
  const { takeOvers, ...summary } = save(outcomes);
  const held = summary.held && left.length === 0;
  const table = tableOf(outcomes);
  console.log(`\n${table}\n`);
  if (runs.length > 1) console.log(`${ratesOf(outcomes).map(describeRate).join('\n')}\n`);
  for (const taken of takeOvers) console.log(describeTimes(taken));
  if (left.length > 0) console.log(`Namespaces left over: ${left.join(', ')}`);
  console.log(held ? 'Everything held.' : 'NOT everything held.');
  return held ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  return 2;
});
