import { reunite } from './reunite.ts';
import type { Scenario } from './scenario.ts';
import { MEMBERS, type World } from './world.ts';

// Whoever holds on to the lock must have let go by the end of its lease, and the watchdog acts 200 ms after the deadline.
const lostByMs = (world: World): number => world.ttlMs;

// A full TTL after the last renewal, the lessor's lag, and the next attempt of a node that tries every 5 s.
const takenByMs = (world: World): number => world.ttlMs + 6_500;

/** Cuts the holder off in one way or another until another node holds the lock; then mends it. */
async function cutHolderOff(world: World, directions: 'both' | 'its packets' | 'the answers'): Promise<void> {
  const holder = await world.settle();
  const claim = holder.held?.claim;
  const excused = world.history.excuse(`${holder.host} is cut off: ${directions}`);
  const { network } = world;
  if (directions !== 'the answers') await network.cut([holder.host], MEMBERS);
  if (directions !== 'its packets') await network.cut(MEMBERS, [holder.host]);
  world.figures['lostAfterMs'] = await world.expectLost(claim, lostByMs(world));
  world.figures['takenAfterMs'] = await world.expectWithin(
    'another node takes the lock',
    takenByMs(world),
    () => world.holder !== undefined && world.holder !== holder,
  );
  await network.mendBoth([holder.host], MEMBERS);
  excused();
  await world.pause(1_000);
  await world.expectKept('the old holder is back', 3_000);
}

/** Takes one member after the other from the holder, keeps it for the time, gives it back. */
async function onePreferredMember(world: World, from: readonly string[]): Promise<void> {
  const holder = await world.settle();
  await world.gateway.moveLeader(1);
  await world.expectKept('its preferred member is out of its reach', world.ttlMs + 3_000, () =>
    from.includes('members')
      ? world.network.cut(['m1'], [holder.host])
      : world.network.cutBoth([holder.host], ['m1']),
  );
  await world.network.mendBoth([holder.host], ['m1']);
  await world.expectKept('the member is back', 3_000);
}

export const NETWORK_SCENARIOS: readonly Scenario[] = [
  {
    name: 'holder-cut-off',
    expectation: 'the holder lets go before its lease can end, another node takes over, no overlap',
    run: (world) => cutHolderOff(world, 'both'),
  },
  {
    name: 'holder-unheard',
    expectation: 'as holder-cut-off when only the packets that the holder sends are lost',
    run: (world) => cutHolderOff(world, 'its packets'),
  },
  {
    name: 'holder-deaf',
    expectation:
      'as holder-cut-off when only the answers to the holder are lost, though etcd hears its renewals',
    run: (world) => cutHolderOff(world, 'the answers'),
  },
  {
    name: 'holder-cut-off-briefly',
    expectation: 'half a TTL without any member costs nothing',
    run: async (world) => {
      const holder = await world.settle();
      await world.expectKept('all members gone for a while', world.ttlMs, async () => {
        await world.network.cutBoth([holder.host], MEMBERS);
        await world.pause(world.ttlMs / 2 - 1_000);
        await world.network.mendBoth([holder.host], MEMBERS);
      });
    },
  },
  {
    name: 'preferred-member-cut-off',
    expectation: 'the holder goes on with the other members, no election',
    run: (world) => onePreferredMember(world, []),
  },
  {
    name: 'preferred-member-unheard',
    expectation: 'as preferred-member-cut-off when only its answers are lost',
    run: (world) => onePreferredMember(world, ['members']),
  },
  {
    name: 'two-members-cut-off',
    expectation: 'one member within reach is enough as long as it has its majority',
    run: async (world) => {
      const holder = await world.settle();
      await world.expectKept('only the third member within reach', world.ttlMs + 3_000, () =>
        world.network.cutBoth([holder.host], ['m1', 'm2']),
      );
      await world.network.mendBoth([holder.host], MEMBERS);
    },
  },
  {
    name: 'leader-isolated',
    expectation:
      'a raft leader without its peers that clients still reach renews nothing that is believed; kept',
    run: async (world) => {
      await world.gateway.moveLeader(0);
      await world.settle();
      await world.expectKept('the raft leader is isolated', world.ttlMs + 5_000, () =>
        world.network.cutBoth(['m1'], ['m2', 'm3']),
      );
      await reunite(world, ['m1'], ['m2', 'm3']);
      await world.expectKept('the raft leader is back', 4_000);
    },
  },
  {
    name: 'stale-leader-only',
    expectation:
      'a holder that reaches only an isolated old raft leader lets go in time, and another node takes over',
    run: async (world) => {
      await world.gateway.moveLeader(0);
      const holder = await world.settle();
      const claim = holder.held?.claim;
      const excused = world.history.excuse('only a stale leader within reach');
      await world.network.cutBoth([holder.host], ['m2', 'm3']);
      await world.network.cutBoth(['m1'], ['m2', 'm3']);
      world.figures['lostAfterMs'] = await world.expectLost(claim, lostByMs(world) + 2_000);
      // The new raft leader restarts every lease in full when it is elected, 1 to 2 s later.
      world.figures['takenAfterMs'] = await world.expectWithin(
        'another node takes the lock',
        takenByMs(world) + 4_000,
        () => world.holder !== undefined && world.holder !== holder,
      );
      await reunite(world, [holder.host, 'm1'], ['m2', 'm3']);
      excused();
      await world.expectKept('all is mended', 4_000);
    },
  },
  {
    name: 'follower-isolated',
    expectation: 'a partition that leaves a majority costs nothing; when it heals, at most an election',
    run: async (world) => {
      await world.gateway.moveLeader(1);
      await world.settle();
      await world.expectKept('the preferred member is isolated from its peers', world.ttlMs + 3_000, () =>
        world.network.cutBoth(['m1'], ['m2', 'm3']),
      );
      await reunite(world, ['m1'], ['m2', 'm3']);
      await world.expectKept('it is back', 4_000);
    },
  },
  {
    name: 'no-majority',
    expectation: 'members that are all isolated from each other: let go in time, held again after they met',
    run: async (world) => {
      const claim = (await world.settle()).held?.claim;
      const excused = world.history.excuse('no majority');
      await Promise.all([world.network.cutBoth(['m1'], ['m2', 'm3']), world.network.cutBoth(['m2'], ['m3'])]);
      world.figures['lostAfterMs'] = await world.expectLost(claim, lostByMs(world));
      await world.pause(2_000);
      world.expect('nobody holds without a majority', world.holder === undefined);
      await Promise.all([
        world.network.mendBoth(['m1'], ['m2', 'm3']),
        world.network.mendBoth(['m2'], ['m3']),
      ]);
      world.figures['heldAgainAfterMs'] = await world.expectWithin(
        'someone holds again',
        2 * world.ttlMs + 8_000,
        () => world.holder !== undefined,
      );
      excused();
    },
  },
  {
    name: 'split-with-holder',
    expectation:
      'the holder sits with one member, the others with two: let go in time, no overlap, then one holder',
    run: async (world) => {
      const holder = await world.settle();
      const claim = holder.held?.claim;
      const others = world.nodes.map(({ host }) => host).filter((host) => host !== holder.host);
      const excused = world.history.excuse('the cluster is split');
      await Promise.all([world.network.cutBoth([holder.host, 'm1'], [...others, 'm2', 'm3'])]);
      world.figures['lostAfterMs'] = await world.expectLost(claim, lostByMs(world) + 2_000);
      world.figures['takenAfterMs'] = await world.expectWithin(
        'a node of the majority takes the lock',
        takenByMs(world) + 4_000,
        () => world.holder !== undefined && world.holder !== holder,
      );
      await reunite(world, [holder.host, 'm1'], [...others, 'm2', 'm3']);
      excused();
      await world.expectKept('the split is over', 4_000);
    },
  },
  {
    name: 'packet-loss',
    expectation: 'one packet in twelve lost each way between the nodes and all members: kept',
    run: async (world) => {
      await world.settle();
      const nodes = world.nodes.map(({ host }) => host);
      const excused = world.history.excuse('lossy network: a contender may answer 3');
      await world.expectKept('packets are lost', 2 * world.ttlMs, async () => {
        await world.network.lose(0.08, nodes, MEMBERS);
        await world.network.lose(0.08, MEMBERS, nodes);
      });
      await world.network.lose(0, nodes, MEMBERS);
      await world.network.lose(0, MEMBERS, nodes);
      excused();
    },
  },
];
