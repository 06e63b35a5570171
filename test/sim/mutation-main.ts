import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readSafetyPart, rowsOf, writeSafetyPart } from '../support/safety-document.ts';
import { MUTATIONS } from './mutations.ts';
import type { PlannedMutation } from './planned-mutation.ts';
import { propertiesTable } from './properties.ts';
import { runWorker } from './run-workers.ts';
import type { WorkerReport } from './worker.ts';

const USAGE = `Usage: npm run sim:mutations -- [--only TEXT] [--jobs J] [--seed S]

Makes each of the mistakes of test/sim/mutations.ts in the source, one at a time and in memory only, and lets the simulation
look for it. A mistake that is not found within its number of schedules means that a property is missing.

  --only TEXT  only mutations whose name contains TEXT
  --jobs J     worker threads (one per processor)
  --seed S     seed of the first schedule (1)
  --write      put the tables of properties and mutations into docs/safety-tests.md; with --only those rows alone`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
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

/** Whether the source fails in this schedule as it stands: then the mutation has nothing to do with it. */
async function failsUnmutated(seed: number, { only }: PlannedMutation): Promise<boolean> {
  let fails = false;
  await runWorker(
    { mutation: undefined, only, firstSeed: seed, stride: 1, schedules: 1 },
    ({ violations }) => {
      fails = violations.length > 0;
      return true;
    },
  );
  return fails;
}

async function look(mutation: PlannedMutation, firstSeed: number): Promise<Finding> {
  let next = firstSeed;
  const endSeed = firstSeed + mutation.within;
  while (next < endSeed) {
    const found: WorkerReport['violations'][number][] = [];
    const task = { mutation, only: mutation.only, firstSeed: next, stride: 1, schedules: endSeed - next };
    await runWorker(task, ({ violations }) => {
      found.push(...violations);
      return found.length === 0;
    });
    const [first] = found;
    if (first === undefined) break;
    const { seed, violation } = first;
    if (!(await failsUnmutated(seed, mutation)))
      return { mutation, schedules: seed - firstSeed + 1, property: violation?.property, seed };
    console.log(`Seed ${seed} fails without any mutation: npm run sim -- --replay ${seed}`);
    process.exitCode = 1;
    next = seed + 1;
  }
  return { mutation, schedules: mutation.within, property: undefined, seed: undefined };
}

function tell({ mutation, schedules, property }: Finding): void {
  const outcome =
    property === undefined ? `SURVIVED ${schedules} schedules` : `found after ${schedules}: ${property}`;
  console.log(`${property === undefined ? '✗' : '✓'} ${mutation.name}: ${outcome}`);
}

function rowOf({ mutation, schedules, property }: Finding): string {
  return `| ${mutation.name} | \`${mutation.file}\` | ${property ?? '**survived**'} | ${schedules} | ${mutation.within} |`;
}

function tableOf(rows: readonly string[]): string {
  return [
    '| mutation | file | found by | schedules | limit |',
    '| --- | --- | --- | ---: | ---: |',
    ...rows,
  ].join('\n');
}

/** The rows of `findings`, and for the other mutations those that docs/safety-tests.md has. */
function rowsWith(findings: ReadonlyMap<PlannedMutation, Finding>): string[] {
  const present = new Map(
    rowsOf(readSafetyPart('mutations')).map((cells) => [cells[0], `| ${cells.join(' | ')} |`]),
  );
  return MUTATIONS.flatMap((mutation) => {
    const finding = findings.get(mutation);
    return (finding === undefined ? present.get(mutation.name) : rowOf(finding)) ?? [];
  });
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
  console.log(`\n${tableOf(inOrder.map(rowOf))}`);
  if (values.write) {
    writeSafetyPart('properties', propertiesTable());
    writeSafetyPart('mutations', tableOf(rowsWith(findings)));
  }
  const survivors = inOrder.filter(({ property }) => property === undefined);
  console.log(`\n${inOrder.length} mutations, ${survivors.length} survived`);
  return survivors.length === 0 && inOrder.length > 0 ? 0 : 1;
}

if (values.help) console.log(USAGE);
else if ((await main()) !== 0) process.exitCode = 1;
