import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MutexParent } from '../support/mutex-parent.ts';
import { runGrowth } from './growth.ts';
import { IDS, makeContestants, PREVIOUS } from './contestants.ts';
import { runHoldPhase, WINDOW_MS } from './hold-phase.ts';
import { describeMachine, watchBusyness } from './machine.ts';
import { publish } from './publish.ts';
import type { Results } from './results.ts';
import { sizesOf } from './sizes.ts';
import { makeBareBase, openStage } from './stage.ts';
import { StartPhase } from './start-phase.ts';
import { judge } from './targets.ts';
import { markdown } from './tables.ts';

// Compares the packed helper with others in one run: how long each takes, what it occupies, what it asks of etcd. Exits
// with 1 when a target is missed.

const DIST = fileURLToPath(new URL('../../dist/bench/', import.meta.url));
const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url));

const HELP = `Usage: npm run bench -- [OPTIONS]
  --rounds N        attempts of each on a free lock, and on one that is held (31)
  --hold-minutes N  how long all of them hold side by side (10)
  --holders N       holders of each whose memory is looked at after 10 s (3)
  --short           5 rounds, 1 holder, 1 minute: to see that it runs
  --only LIST       some of ${IDS.join()}
  --previous FILE   an earlier build of the helper, to be measured beside this one
  --publish         write docs/benchmarks.{md,json} and the charts; otherwise dist/bench/
  --from FILE       measure nothing, make tables and charts of an earlier run's JSON
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    'hold-minutes': { type: 'string' },
    holders: { type: 'string' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: IDS.join() },
    previous: { type: 'string' },
    publish: { type: 'boolean', default: false },
    from: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const rounds = Number(values.rounds ?? (values.short ? 5 : 31));
const windows = Number(values['hold-minutes'] ?? (values.short ? 1 : 10));
const holders = Number(values.holders ?? (values.short ? 1 : 3));

const say = (text: string): void => {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
};

async function measure(): Promise<Results> {
  const stage = openStage();
  makeBareBase();
  await using parent = MutexParent.start();
  if (values.previous !== undefined) copyFileSync(values.previous, join(DIST, '..', PREVIOUS));
  const wanted = values.only.split(',').filter((id) => id !== 'previous' || values.previous !== undefined);
  const contestants = await makeContestants(stage, wanted);
  const startedAt = new Date().toISOString();
  try {
    const phase = new StartPhase(stage, parent, contestants);
    const every = (kind: string) => (round: number) => {
      if (round === rounds || round % 10 === 0) say(`${kind}: ${round} of ${rounds} rounds`);
    };
    const { busyness: whileStarting } = await watchBusyness(async () => {
      await phase.run(rounds, every('free lock'));
      await phase.runContended(rounds, every('held lock'));
    });
    const holdMs = windows * WINDOW_MS;
    const { result, busyness: whileHolding } = await watchBusyness(() =>
      Promise.all([
        runHoldPhase(stage, parent, contestants, { holders, windows, windowMs: WINDOW_MS }, say),
        runGrowth(stage, parent, holdMs, Math.min(10_000, holdMs / 30)),
      ]),
    );
    const [holding, growth] = result;
    return {
      startedAt,
      machine: describeMachine(),
      isAhead: (process.env['BENCH_AHEAD'] ?? '') !== '',
      rounds,
      holders,
      holdMinutes: windows,
      whileStarting,
      whileHolding,
      contestants: contestants.map(({ id, title, colour, refusal }) => {
        const start = phase.figures.get(id);
        const hold = holding.get(id);
        if (start === undefined || hold === undefined) throw new Error(`${id} was not measured`);
        return { id, title, colour, canContend: refusal !== undefined, start, hold };
      }),
      growth,
      sizes: sizesOf(stage),
    };
  } finally {
    for (const { etcd } of contestants) await etcd?.stop();
  }
}

const results =
  values.from === undefined ? await measure() : (JSON.parse(readFileSync(values.from, 'utf8')) as Results);
mkdirSync(DIST, { recursive: true });
const verdicts = judge(results);
writeFileSync(join(DIST, 'benchmarks.json'), `${JSON.stringify(results)}\n`);
publish(results, verdicts, values.publish ? DOCS : DIST, values.from === undefined);
process.stdout.write(`${markdown(results, verdicts)}\n`);
const missed = verdicts.filter(({ isMet }) => !isMet);
say(missed.length === 0 ? 'All targets are met.' : `Missed: ${missed.map(({ name }) => name).join('; ')}`);
process.exitCode = missed.length === 0 ? 0 : 1;
