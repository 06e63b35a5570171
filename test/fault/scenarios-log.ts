// What the raft log of etcd has to do for a holder, and what becomes of it when the log stalls.
import { setTimeout as delay } from 'node:timers/promises';
import { metricsOf, sumOf } from '../support/etcd-metrics.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { waitFor } from '../support/wait.ts';
import type { CtdbNode } from './node.ts';
import type { Scenario } from './scenario.ts';
import { stallDisks } from './slow-disk.ts';
import { MEMBERS, type World } from './world.ts';

// A stall of this length leaves time for a renewal before it and one after it, an election included.
const KEPT_MS = 3_000;

/** Stalls the disks of these members for some lengths in turn; says at which the lock was lost. */
async function stallInTurn(world: World, members: readonly number[]): Promise<void> {
  await world.settle();
  const lengthsMs = (world.options.isShort === true ? [1, 2] : [1, 2, 3, 4, 5, 6]).map((s) => s * 1_000);
  for (const stallMs of lengthsMs) {
    // At no particular moment between two renewals.
    await world.pause(4_000 + Math.random() * 2_000);
    const holder = await world.someoneHolds(2 * world.ttlMs + 8_000);
    const claim = holder.held?.claim;
    const excused =
      stallMs > KEPT_MS ? world.history.excuse(`a stall of ${stallMs} ms`) : (): undefined => undefined;
    const excusedAnswers = world.history.excuse('no answer while the log stalls');
    world.note(`fsync stalls for ${stallMs} ms on ${members.map((index) => MEMBERS[index] ?? '').join(' ')}`);
    const go = await stallDisks(members.map((index) => world.cluster.member(index)));
    const startedAtMs = monotonicMs();
    // Through a member whose disk stalls: an entry that is there before the end would show that it does not.
    const writtenAtMs = world.gateway
      .writeEntries([world.cluster.member(members[0] ?? 0)], 1)
      .then(monotonicMs, () => Infinity);
    await delay(stallMs);
    await go();
    const tookMs = (await writtenAtMs) - startedAtMs;
    world.expect(`an entry waits for the disk, not ${tookMs.toFixed(0)} ms`, tookMs >= stallMs);
    world.note('fsync goes on');
    await world.pause(world.ttlMs);
    const lost = claim?.toMs !== undefined;
    world.figures[`lostIn${stallMs / 1_000}s`] = lost ? 1 : 0;
    if (stallMs <= KEPT_MS) world.expect(`the lock is kept in a stall of ${stallMs} ms`, !lost);
    excusedAnswers();
    excused();
  }
}

const renewalsOf = (node: CtdbNode): number =>
  node.held?.helper.stderr.match(/^Renewal proven/gm)?.length ?? 0;

/** Transactions that all members were asked for so far. */
async function transactionsAsked({ cluster }: World): Promise<number> {
  const counts = await Promise.all(
    cluster.members.map(async (member) =>
      sumOf(await metricsOf(member), 'grpc_server_started_total', 'grpc_method="Txn"'),
    ),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Waits for the end of the next renewal, after which nothing is under way for almost a refresh. Resolves with their number. */
async function afterRenewal(node: CtdbNode): Promise<number> {
  const before = renewalsOf(node);
  await waitFor('the next renewal', () => renewalsOf(node) > before);
  return renewalsOf(node);
}

export const LOG_SCENARIOS: readonly Scenario[] = [
  {
    name: 'slow-log',
    expectation: 'fsync of all members stalls for 1 to 6 s: kept up to 3 s, no overlap at any length',
    run: (world) => stallInTurn(world, [0, 1, 2]),
  },
  {
    name: 'slow-log-of-leader',
    expectation: 'fsync of the raft leader alone stalls for 1 to 6 s: kept',
    run: async (world) => {
      await world.gateway.moveLeader(0);
      await stallInTurn(world, [0]);
    },
  },
  {
    name: 'log-while-holding',
    expectation:
      'while the lock is held: one raft entry for each transaction of a renewal, no revision, no watch event',
    run: async (world) => {
      const forMs = world.options.isShort === true ? 20_000 : 60_000;
      const holder = world.node(0);
      const { answer = '' } = await holder.take();
      world.expect(`the take answers 0, not ${answer}`, answer === '0');
      // What labels the key is written after the take.
      await world.pause(3_000);
      const leader = world.cluster.member((await world.gateway.leaderIndex()) ?? 0);
      const over = new AbortController();
      const renewalsBefore = await afterRenewal(holder);
      const askedBefore = await transactionsAsked(world);
      const before = await world.gateway.status(leader);
      let events = 0;
      void world.gateway.watch(
        leader,
        '/',
        ({ revision }) => {
          if (revision > Number(before.revision)) events += 1;
        },
        over.signal,
      );
      const startedAtMs = monotonicMs();
      await world.pause(forMs);
      const renewals = (await afterRenewal(holder)) - renewalsBefore;
      const after = await world.gateway.status(leader);
      const asked = (await transactionsAsked(world)) - askedBefore;
      over.abort();
      const minutes = (monotonicMs() - startedAtMs) / 60_000;
      const entries = after.raftIndex - before.raftIndex;
      const revisions = Number(after.revision) - Number(before.revision);
      world.figures['renewalsPerMinute'] = Math.round(renewals / minutes);
      world.figures['entriesPerMinute'] = Math.round(entries / minutes);
      world.figures['revisions'] = revisions;
      world.figures['watchEvents'] = events;
      world.expect('the lock is held', holder.held !== undefined);
      world.expect(`renewals were seen: ${renewals}`, renewals >= forMs / 1_000 / world.options.refresh / 2);
      // A renewal that had no answer for 250 ms is put to another member as well, which is one more transaction.
      world.expect(
        `one entry a transaction: ${entries} entries, ${renewals} renewals by ${asked} transactions`,
        renewals <= entries && entries <= asked,
      );
      world.expect(`no revision, not ${revisions}`, revisions === 0);
      world.expect(`no watch event, not ${events}`, events === 0);
    },
  },
];
