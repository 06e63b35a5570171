import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { etcdPackageVersion } from '../support/etcd-cluster.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { type Excuses, judge, type Overlap, type Verdict } from './checker.ts';
import { complaintsOf, type Outcome } from './report.ts';
import type { Scenario } from './scenario.ts';
import { World, type WorldOptions } from './world.ts';

/** Runs one scenario in a world of its own, writes its history, and says what came of it. Never rejects. */
export async function runScenario(
  scenario: Scenario,
  options: WorldOptions,
  out: string,
  run = 1,
): Promise<Outcome> {
  const startedAtMs = monotonicMs();
  const problems: string[] = [];
  let leftovers: string[] = [];
  let verdict: Verdict | undefined;
  let documentedOverlaps: readonly Overlap[] = [];
  let figures: Record<string, number> = {};
  const directory = join(out, options.release);
  mkdirSync(directory, { recursive: true });
  const log = join(directory, run === 1 ? `${scenario.name}.log` : `${scenario.name}-${run}.log`);
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
    const found = judge(world.history, monotonicMs(), world.times, excuses);
    const isDocumented = ({ forMs }: Overlap): boolean => forMs <= (scenario.documentedOverlapMs ?? 0);
    documentedOverlaps = found.overlaps.filter(isDocumented);
    verdict = { ...found, overlaps: found.overlaps.filter((overlap) => !isDocumented(overlap)) };
  } catch (error) {
    problems.push(`no world: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  const outcome = {
    name: scenario.name,
    expectation: scenario.expectation,
    release: etcdPackageVersion(options.release),
    run,
    problems,
    documentedOverlaps,
    verdict,
    leftovers,
    figures,
    seconds: (monotonicMs() - startedAtMs) / 1000,
    log,
  };
  return { ...outcome, held: complaintsOf({ ...outcome, held: false }).length === 0 };
}
