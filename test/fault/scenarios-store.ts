import { parseHolder } from '../../src/lock/holder-record.ts';
import type { Scenario } from './scenario.ts';
import { DIRECTORY, type World } from './world.ts';

/** Takes the lock from its holder behind its back, and expects it to notice at once. */
async function robbery(
  world: World,
  rob: (held: { key: string; leaseHex: string }) => Promise<void>,
): Promise<void> {
  const holder = await world.settle();
  const claim = holder.held?.claim;
  const [held] = await world.gateway.keys(DIRECTORY);
  if (held === undefined) throw new Error('There is no key');
  world.expect('the key says who holds', parseHolder(held.value)?.host === holder.host);
  holder.robbed();
  await rob(held);
  world.figures['noticedAfterMs'] = await world.expectLost(claim, 1_000);
  world.figures['takenAfterMs'] = await world.expectWithin(
    'someone holds again',
    7_000,
    () => world.holder !== undefined,
  );
  await world.expectKept('the next holder', 3_000);
}

export const STORE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'key-deleted',
    expectation: 'an administrator deletes the key: the holder lets go at once, somebody takes the lock',
    run: (world) => robbery(world, ({ key }) => world.gateway.deleteKey(key)),
  },
  {
    name: 'lease-revoked',
    expectation: 'an administrator revokes the lease: the holder lets go at once, somebody takes the lock',
    run: (world) => robbery(world, ({ leaseHex }) => world.gateway.revokeLease(leaseHex)),
  },
  {
    name: 'compaction-and-defragmentation',
    expectation: 'the history is compacted and each member defragmented: kept',
    run: async (world) => {
      for (let count = 0; count < 200; count += 1)
        await world.gateway.put(`/other/${count % 20}`, 'x'.repeat(1000));
      await world.settle();
      await world.expectKept('compaction and defragmentation', world.ttlMs, async () => {
        await world.gateway.compact(await world.gateway.revision());
        await world.gateway.defragment();
        await world.gateway.put('/other/1', 'y');
        await world.gateway.compact(await world.gateway.revision());
      });
    },
  },
  {
    name: 'no-space',
    expectation:
      'NOSPACE: the holder keeps the lock, the next take answers 3 and says why, and works after the cure',
    world: { etcdArgs: ['--quota-backend-bytes=4194304'] },
    run: async (world) => {
      const holder = await world.settle();
      await world.expectKept('the database is full', world.ttlMs + 2_000, async () => {
        for (let count = 0; !(await world.gateway.hasAlarm()); count += 1) {
          await world.gateway.put(`/other/${count}`, 'x'.repeat(200_000)).catch(() => undefined);
          if (count > 200) throw new Error('The alarm does not come');
        }
        world.note('NOSPACE is raised');
      });
      const excused = world.history.excuse('NOSPACE: nobody can take the lock');
      for (const node of world.nodes) node.stopContending();
      await holder.release();
      const attempt = await world.node(0).take();
      world.expect(`a take answers 3, not ${attempt.answer ?? ''}`, attempt.answer === '3');
      await world.expectWithin('its line names the cause and the remedy', 3_000, () =>
        world.history.stderr.some(
          ({ helper, text }) => helper === attempt.helper && /NOSPACE|no space|quota/i.test(text),
        ),
      );
      for (let count = 0; count < 60; count += 1) await world.gateway.deleteKey(`/other/${count}`);
      await world.gateway.compact(await world.gateway.revision());
      await world.gateway.defragment();
      await world.gateway.disarm();
      excused();
      const cured = await world.node(0).take();
      world.expect(`a take after the cure answers 0, not ${cured.answer ?? ''}`, cured.answer === '0');
    },
  },
];
