import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MUTATIONS, type PlannedMutation } from './mutations.ts';
import { runWorker } from './run-workers.ts';

const USAGE = `Usage: npm run sim:mutations -- [--only TEXT] [--jobs J] [--seed S]

Makes each of the mistakes of test/sim/mutations.ts in the source, one at a time and in memory only, and lets the simulation
look for it. A mistake that is not found within its number of schedules means that a property is missing.

  --only TEXT  only mutations whose name contains TEXT
  --jobs J     worker threads (one per processor)
  --seed S     seed of the first schedule (1)`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

interface Finding {
  readonly mutation: PlannedMutation;
  readonly schedules: number;
  /** Undefined: the mutation has survived. */
  readonly property: string | undefined;
  readonly seed: number | undefined;
}

async function look(mutation: PlannedMutation, firstSeed: number): Promise<Finding> {
  let found: Finding | undefined;
  let schedules = 0;
  const task = { mutation, firstSeed, stride: 1, schedules: mutation.within };
  await runWorker(task, (report) => {
    const [first] = report.violations;
    if (first !== undefined) {
      const property = first.violation?.property;
      found ??= { mutation, schedules: first.seed - firstSeed + 1, property, seed: first.seed };
    }
    schedules += report.schedules;
    return found === undefined;
  });
  return found ?? { mutation, schedules, property: undefined, seed: undefined };
}

function tell({ mutation, schedules, property }: Finding): void {
  const outcome =
    property === undefined ? `SURVIVED ${schedules} schedules` : `found after ${schedules}: ${property}`;
  console.log(`${property === undefined ? '✗' : '✓'} ${mutation.name}: ${outcome}`);
}

function tableOf(findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ mutation, schedules, property }) =>
      `| ${mutation.name} | \`${mutation.file}\` | ${property ?? '**survived**'} | ${schedules} | ${mutation.within} |`,
  );
  return [
    '| mutation | file | found by | schedules | limit |',
    '| --- | --- | --- | ---: | ---: |',
    ...rows,
  ].join('\n');
}

async function main(): Promise<number> {
  const chosen = MUTATIONS.filter(({ name }) => name.includes(values.only));
  const findings = new Map<PlannedMutation, Finding>();
  const queue = [...chosen];
  const workOff = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const finding = await look(next, Number(values.seed));
      findings.set(next, finding);
      tell(finding);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, workOff));
  const inOrder = chosen.flatMap((mutation) => findings.get(mutation) ?? []);
  console.log(`\n${tableOf(inOrder)}`);
  const survivors = inOrder.filter(({ property }) => property === undefined);
  console.log(`\n${inOrder.length} mutations, ${survivors.length} survived`);
  return survivors.length === 0 && inOrder.length > 0 ? 0 : 1;
}

if (values.help) console.log(USAGE);
else process.exitCode = await main();
