import { join } from 'node:path';
import { parseHolder } from '../../src/lock/holder-record.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { temporaryDirectory } from '../support/processes.ts';
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

/** On each node in turn: nobody may be told that he holds the lock. */
async function expectRefused(world: World): Promise<void> {
  const excused = world.history.excuse('the endpoints are not of one store');
  const refusals = [];
  for (const node of world.nodes) {
    const attempt = await node.take();
    world.expect(`a take on ${node.host} answers 3, not ${attempt.answer ?? ''}`, attempt.answer === '3');
    refusals.push(attempt.helper);
  }
  await world.pause(2_000);
  for (const node of world.nodes) await node.release();
  for (const refused of refusals) {
    await world.expectWithin(`${refused} says that they are not of one cluster`, 3_000, () =>
      world.history.stderr.some(({ helper, text }) => helper === refused && /cluster|store/i.test(text)),
    );
  }
  excused();
}

// The next renewal after the restored members answer, and one attempt that failed before it.
const RESTORED_OVERLAP_MS = 4_000;

export const STORE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'store-not-one',
    expectation:
      'three etcds with the defaults that were never made one cluster, listed by each node in another order: every take answers 3',
    world: { separate: 'unnamed', ownOrder: true },
    run: expectRefused,
  },
  {
    name: 'store-not-one-by-id',
    expectation: 'three clusters in one list, which each node begins with another one: every take answers 3',
    world: { separate: 'named', ownOrder: true },
    run: expectRefused,
  },
  {
    name: 'restored-under-holder',
    expectation:
      'etcd is restored from a backup with its old token and URLs under a holder, and the lock is taken there: the holder ends with its next renewal, when it sees that the revision went back',
    documentedOverlapMs: RESTORED_OVERLAP_MS,
    // Long enough for the members to be back before the deadline.
    world: { lockTtl: 20, refresh: 2 },
    run: async (world) => {
      const { cluster, gateway } = world;
      const backup = join(await temporaryDirectory('backup'), 'snapshot');
      await gateway.put('/other/1', 'x');
      await cluster.saveSnapshot(backup);
      for (let count = 0; count < 20; count += 1) await gateway.put('/other/2', 'x');
      const holder = world.node(0);
      world.expect('the first node takes the lock', (await holder.take()).answer === '0');
      await world.pause(1_000);
      const claim = holder.held?.claim;
      const excused = world.history.excuse('etcd is restored');
      await cluster.restoreSnapshot(backup);
      for (const member of cluster.members) member.start();
      await Promise.all(cluster.members.map((member) => member.healthy()));
      const backAtMs = monotonicMs();
      world.note('the restored members answer');
      await world.node(1).take();
      await world.expectLost(claim, world.ttlMs);
      world.figures['endedAfterMs'] = Math.max(0, (claim?.toMs ?? NaN) - backAtMs);
      world.expect(
        'the holder ends with its next renewal',
        (world.figures['endedAfterMs'] ?? NaN) <= RESTORED_OVERLAP_MS,
      );
      await world.expectWithin('it says why', 3_000, () =>
        world.history.stderr.some(
          ({ helper, text }) => helper === claim?.helper && /revision|restored/i.test(text),
        ),
      );
      excused();
      world.node(0).contend();
      world.node(2).contend();
      await world.expectWithin('someone holds', 2 * world.ttlMs, () => world.holder !== undefined);
      await world.expectKept('the restored store', 3_000);
    },
  },
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
