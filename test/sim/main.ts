import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { hookLoader } from './hooks.ts';
import { MUTATIONS } from './mutations.ts';
import { PROPERTIES, type Property } from './properties.ts';
import { runWorker } from './run-workers.ts';
import type { WorkerReport } from './worker.ts';

const USAGE = `Usage: npm run sim -- [--schedules N] [--minutes M] [--seed S] [--jobs J] [--replay SEED]

Runs the shipped lock in simulated schedules and checks what must hold in each of them (docs/safety.md).

  --schedules N  how many (20000)
  --minutes M    stop after this time
  --seed S       seed of the first schedule; each further one has the next (1)
  --jobs J       worker threads (one per processor)
  --replay SEED  run one schedule and print its history
  --only P       look at the property of that name only (test/sim/properties.ts); may be given more than once
  --mutation N   with --replay: with the mistake of that name (test/sim/mutations.ts)`;

const { values } = parseArgs({
  options: {
    schedules: { type: 'string', default: '20000' },
    minutes: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    replay: { type: 'string' },
    mutation: { type: 'string' },
    only: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});

function number(name: 'schedules' | 'minutes' | 'seed' | 'jobs' | 'replay'): number {
  const value = Number(values[name]);
  if (Number.isNaN(value) || value < 0)
    throw new Error(`--${name} is "${String(values[name])}", want a number`);
  return value;
}

function propertyOf(name: string): Property {
  const found = Object.keys(PROPERTIES).find((each) => each === name);
  if (found === undefined) throw new Error(`--only is "${name}", want a name in test/sim/properties.ts`);
  return found as Property;
}

const only = values.only?.map(propertyOf);

async function replay(seed: number): Promise<number> {
  const mutation = MUTATIONS.find(({ name }) => name === values.mutation);
  if (mutation === undefined && values.mutation !== undefined)
    throw new Error(`--mutation is "${values.mutation}", want a name in test/sim/mutations.ts`);
  hookLoader(mutation);
  const { onUnhandled, runSchedule } = await import('./schedule.ts');
  process.on('unhandledRejection', onUnhandled);
  return new Promise((resolve) => {
    setImmediate(() => {
      const { history, violation } = runSchedule(seed, true, only ?? mutation?.only);
      console.log(history.join('\n'));
      console.log(
        violation === undefined
          ? 'Nothing was violated'
          : `VIOLATED: ${violation.property}: ${violation.text}`,
      );
      resolve(violation === undefined ? 0 : 1);
    });
  });
}

async function runAll(): Promise<number> {
  const [schedules, minutes, seed, jobs] = [
    number('schedules'),
    number('minutes'),
    number('seed'),
    number('jobs'),
  ];
  const startedAtMs = performance.now();
  const counts = new Map<string, number>();
  const failed: WorkerReport['violations'][number][] = [];
  let [done, steps, simulatedMs, toldAtMs] = [0, 0, 0, startedAtMs];

  const onReport = (report: WorkerReport): boolean => {
    done += report.schedules;
    steps += report.steps;
    simulatedMs += report.simulatedMs;
    for (const [what, times] of report.counts) counts.set(what, (counts.get(what) ?? 0) + times);
    for (const each of report.violations) {
      failed.push(each);
      console.log(
        `VIOLATED in seed ${each.seed}: ${each.violation?.property ?? ''}: ${each.violation?.text ?? ''}`,
      );
      console.log(`  npm run sim -- --replay ${each.seed}`);
    }
    const nowMs = performance.now();
    if (nowMs - toldAtMs > 30_000) {
      toldAtMs = nowMs;
      console.log(
        `${done} schedules, ${failed.length} violations, ${((nowMs - startedAtMs) / 60_000).toFixed(1)} minutes`,
      );
    }
    return nowMs - startedAtMs < minutes * 60_000;
  };

  const workers = Array.from({ length: jobs }, (_, index) =>
    runWorker(
      {
        mutation: undefined,
        only,
        firstSeed: seed + index,
        stride: jobs,
        schedules: Math.floor(schedules / jobs) + (index < schedules % jobs ? 1 : 0),
      },
      onReport,
    ),
  );
  await Promise.all(workers);

  console.log('\nSchedules in which this happened:');
  for (const [what, times] of [...counts].sort(([one], [other]) => one.localeCompare(other)))
    console.log(`${String(times).padStart(9)}  ${what}`);
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(
    `\n${done} schedules, ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, ${steps} events in ${seconds.toFixed(0)} s: ` +
      `${failed.length} violations`,
  );
  return failed.length === 0 ? 0 : 1;
}

if (values.help) console.log(USAGE);
else process.exitCode = values.replay === undefined ? await runAll() : await replay(number('replay'));
