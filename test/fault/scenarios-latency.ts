import type { Excuses } from './checker.ts';
import { slowDown } from './link.ts';
import type { Scenario } from './scenario.ts';
import { NODES, type World } from './world.ts';

async function slowed(
  world: World,
  hosts: readonly string[],
  faults: { delayMs: number; jitterMs: number; loss: number },
): Promise<() => Promise<void>> {
  const mends = await Promise.all(hosts.map((host) => slowDown(world.network, host, faults)));
  return async () => {
    await Promise.all(mends.map((mend) => mend()));
  };
}

// What a take costs over such a line is its round trips; the scenario's own figure says how much that is.
const TAKES_OVER_FROM_AFAR: Excuses = { loss: () => false, answer: () => false, takeOver: () => true };

export const LATENCY_SCENARIOS: readonly Scenario[] = [
  {
    name: 'latency',
    expectation: 'the nodes 60 to 100 ms away from etcd each way: takes, keeps and passes on the lock',
    run: async (world) => {
      const mend = await slowed(world, NODES, { delayMs: 60, jitterMs: 40, loss: 0 });
      const holder = await world.settle();
      await world.expectKept('far away', world.ttlMs + 3_000);
      await holder.release();
      world.figures['takenAfterMs'] = await world.expectWithin(
        'someone holds again',
        7_000,
        () => world.holder !== undefined,
      );
      await mend();
      await world.expectKept('near again', 3_000);
      return TAKES_OVER_FROM_AFAR;
    },
  },
  {
    name: 'latency-and-loss',
    expectation: '50 to 100 ms each way and one packet in thirty lost: kept',
    run: async (world) => {
      await world.settle();
      const excused = world.history.excuse('a bad line: a contender may answer 3');
      const mend = await slowed(world, NODES, { delayMs: 50, jitterMs: 50, loss: 0.03 });
      await world.expectKept('a bad line', 2 * world.ttlMs);
      await mend();
      excused();
      await world.expectKept('a good line', 3_000);
    },
  },
  {
    name: 'slow-member',
    expectation: 'the preferred member answers after more than half a second: kept by the others',
    run: async (world) => {
      await world.gateway.moveLeader(1);
      await world.settle();
      const mend = await slowed(world, ['m1'], { delayMs: 300, jitterMs: 100, loss: 0 });
      await world.expectKept('a slow member', world.ttlMs + 3_000);
      await mend();
      await world.expectKept('no slow member', 3_000);
    },
  },
];
