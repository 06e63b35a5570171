import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../support/mutex-parent.ts';
import { enoughMs, type Excuses, judge } from './checker.ts';
import type { RandomFault, Scene } from './random-fault.ts';
import { RANDOM_MEMBER_FAULTS } from './random-faults-members.ts';
import { RANDOM_NODE_FAULTS } from './random-faults-nodes.ts';
import { makeRandom } from './random-source.ts';
import { Weather } from './weather.ts';
import type { World } from './world.ts';

// What an answer may depend on that happened before the question: a connection, an election.
const ANSWER_MEMORY_MS = 1_000;

/** Losses, answers and take-overs are excused by what the weather was. */
function excusesOf({ world, weather }: Scene): Excuses {
  const { windowMs } = world.times;
  return {
    loss: ({ node, toMs = monotonicMs() }) =>
      weather.longestFineMs(node, toMs - windowMs, toMs) < enoughMs(world.times),
    answer: ({ node, startedAtMs, answeredAtMs = monotonicMs() }) =>
      !weather.wasFine(node, startedAtMs - ANSWER_MEMORY_MS, answeredAtMs),
    // Of the nodes that could have taken it, all that were not dead had to be able to.
    takeOver: (before, claim) =>
      !weather.wasFine(claim.node, (before.toMs ?? 0) - ANSWER_MEMORY_MS, claim.fromMs),
  };
}

const RANDOM_FAULTS: readonly RandomFault[] = [...RANDOM_MEMBER_FAULTS, ...RANDOM_NODE_FAULTS];

function choose(random: () => number): RandomFault {
  let ticket = random() * RANDOM_FAULTS.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of RANDOM_FAULTS) {
    ticket -= fault.weight;
    if (ticket < 0) return fault;
  }
  throw new Error('No fault to choose');
}

export interface RandomOptions {
  readonly minutes: number;
  readonly seed: number;
  /** Told once a minute how it goes. */
  readonly onProgress: (line: string) => void;
}

/** Mixes faults for as long as told; then mends everything, and expects one holder who keeps the lock. */
export async function runRandom(world: World, options: RandomOptions): Promise<Excuses> {
  const random = makeRandom(options.seed);
  const weather = new Weather(world);
  const scene: Scene = { world, weather, random };
  const excuses = excusesOf(scene);
  const busy = new Set<string>();
  const running = new Set<Promise<void>>();
  const counts = new Map<string, number>();
  await world.settle();
  const startedAtMs = monotonicMs();
  const endMs = startedAtMs + options.minutes * 60_000;
  let minute = 1;

  while (monotonicMs() < endMs) {
    // Mostly calm enough for a take-over to be seen in the clear, sometimes one fault upon the other.
    await delay(random() < 0.4 ? random() * 2_000 : 4_000 + random() * 14_000);
    const fault = choose(random);
    const needs = fault.needs(scene);
    // Short ones are over before the deadline, long ones are not.
    const forMs = random() < 0.5 ? 200 + random() * 4_000 : 4_000 + random() * 16_000;
    if (needs.some((need) => busy.has(need))) continue;
    for (const need of needs) busy.add(need);
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    world.note(`fault: ${fault.name} (${needs.join(' ')}) for ${Math.round(forMs)} ms`);
    const task = fault
      .run(scene, needs, forMs)
      .catch((error: unknown) => {
        world.note(`the fault "${fault.name}" itself failed: ${String(error)}`);
        world.problems.push(`the fault "${fault.name}" itself failed: ${String(error)}`);
      })
      .finally(() => {
        for (const need of needs) busy.delete(need);
        running.delete(task);
      });
    running.add(task);
    if (monotonicMs() >= startedAtMs + minute * 60_000) {
      const { claims, overlaps, needlessLosses } = judge(world.history, monotonicMs(), world.times, excuses);
      const faults = [...counts.values()].reduce((sum, count) => sum + count, 0);
      options.onProgress(
        `minute ${minute}: ${faults} faults, ${claims} claims, ${overlaps.length} overlaps, ${needlessLosses.length} needless losses`,
      );
      minute = Math.floor((monotonicMs() - startedAtMs) / 60_000) + 1;
    }
  }
  await Promise.all(running);
  world.note('all faults are mended');
  await world.expectWithin(
    'someone holds once all is mended',
    2 * world.ttlMs + 8_000,
    () => world.holder !== undefined,
  );
  await delay(5_000);
  await world.expectWithin('someone holds', world.ttlMs + 8_000, () => world.holder !== undefined);
  await world.expectKept('no faults', 10_000);
  world.figures['faults'] = [...counts.values()].reduce((sum, count) => sum + count, 0);
  world.note(`faults: ${JSON.stringify(Object.fromEntries(counts))}`);
  return excuses;
}
