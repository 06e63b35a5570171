import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { etcdPackageVersion } from '../support/etcd-cluster.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { type Excuses, judge, type Verdict } from './checker.ts';
import { complaintsOf, type Outcome } from './report.ts';
import type { Scenario } from './scenario.ts';
import { World, type WorldOptions } from './world.ts';

/** Runs one scenario in a world of its own, writes its history, and says what came of it. Never rejects. */
export async function runScenario(scenario: Scenario, options: WorldOptions, out: string): Promise<Outcome> {
  const startedAtMs = monotonicMs();
  const problems: string[] = [];
  let leftovers: string[] = [];
  let verdict: Verdict | undefined;
  let figures: Record<string, number> = {};
  const directory = join(out, options.release);
  mkdirSync(directory, { recursive: true });
  const log = join(directory, `${scenario.name}.log`);
  try {
    await using world = await World.make({ ...options, ...scenario.world });
    let excuses: Excuses | undefined;
    try {
      excuses = (await scenario.run(world)) as Excuses | undefined;
    } catch (error) {
      problems.push(`the scenario broke off: ${String(error)}`);
      await world.mendAll();
    }
    leftovers = await world.finish();
    writeFileSync(log, world.history.toText());
    problems.push(...world.problems);
    figures = world.figures;
    verdict = judge(world.history, monotonicMs(), world.times, excuses);
  } catch (error) {
    problems.push(`no world: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const outcome = {
    name: scenario.name,
    expectation: scenario.expectation,
    release: etcdPackageVersion(options.release),
    problems,
    verdict,
    leftovers,
    figures,
    seconds: (monotonicMs() - startedAtMs) / 1000,
    log,
  };
  return { ...outcome, held: complaintsOf({ ...outcome, held: false }).length === 0 };
}
