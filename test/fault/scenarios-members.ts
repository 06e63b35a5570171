import { marginMsOf } from '../../src/config/timing.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { isStarved } from './checker.ts';
import type { Scenario } from './scenario.ts';
import { breakMember, MEMBER_FAULTS, type MemberFault } from './stand-in.ts';
import type { World } from './world.ts';

// What a take may cost more while one member is broken: one hedge delay of 250 ms until another member is asked, another for
// the look at the lock's key through the other endpoints, and what a second connection costs on a busy machine. The report shows
// the figure itself.
const DEARER_TAKE_MS = 700;

const TAKES = 8;

/** After a full outage the old lease lives on for a TTL; then comes the lessor's lag and the next attempt. */
const heldAgainMs = (world: World): number => 2 * world.ttlMs + 8_000;

function slug(fault: MemberFault): string {
  return fault.replace(' ', '-');
}

/** The preferred member of a holder breaks, as raft leader or not, and comes back. */
async function preferredBreaks(world: World, fault: MemberFault, isLeader: boolean): Promise<void> {
  await world.gateway.moveLeader(isLeader ? 0 : 1);
  await world.settle();
  let mend = (): Promise<void> => Promise.resolve();
  await world.expectKept(`member ${fault}`, world.ttlMs + 4_000, async () => {
    mend = await breakMember(world, 0, fault);
  });
  // A member behind a black hole was cut off from the others too: it comes back with an election, which is not ours to survive.
  if (fault === 'black hole') await mend();
  await world.expectKept('the member is back', 4_000, fault === 'black hole' ? undefined : mend);
}

/** Takes and releases the lock some times; resolves to the least time to the answer, less what a busy machine added. */
async function leastTakeMs(world: World): Promise<number> {
  const times: number[] = [];
  const node = world.node(0);
  for (let count = 0; times.length < TAKES && count < 2 * TAKES; count += 1) {
    const attempt = await node.take();
    if (attempt.answer === '3' && isStarved(attempt)) continue;
    world.expect(`a take answers 0, not ${attempt.answer ?? ''}`, attempt.answer === '0');
    times.push((attempt.answeredAtMs ?? NaN) - attempt.startedAtMs - attempt.waitedMs);
    await node.release();
    await world.expectWithin(
      'the lock is free',
      2_000,
      async () => (await world.gateway.leases()).length === 0,
    );
  }
  return Math.min(...times);
}

/** Ends the work of a majority and expects the holder to let go in time, and somebody to hold after the mending. */
async function outage(
  world: World,
  what: string,
  begin: () => Promise<void>,
  end: () => Promise<void>,
): Promise<void> {
  const claim = (await world.settle()).held?.claim;
  const excused = world.history.excuse(what);
  await begin();
  world.figures['lostAfterMs'] = await world.expectLost(claim, world.ttlMs);
  await world.pause(world.ttlMs / 2);
  await end();
  world.figures['heldAgainAfterMs'] = await world.expectWithin(
    'someone holds again',
    heldAgainMs(world),
    () => world.holder !== undefined,
  );
  excused();
  await world.expectKept('the outage is over', 3_000);
}

export const MEMBER_SCENARIOS: readonly Scenario[] = [
  ...MEMBER_FAULTS.map((fault): Scenario => ({
    name: `member-${slug(fault)}`,
    expectation: `the holder’s preferred member, not raft leader, ${fault}: kept, also when it is back`,
    run: (world) => preferredBreaks(world, fault, false),
  })),
  ...MEMBER_FAULTS.map((fault): Scenario => ({
    name: `leader-${slug(fault)}`,
    expectation: `the holder’s preferred member, raft leader, ${fault}: kept, also when it is back`,
    run: (world) => preferredBreaks(world, fault, true),
  })),
  ...MEMBER_FAULTS.map((fault): Scenario => ({
    name: `take-member-${slug(fault)}`,
    expectation: `first member ${fault}: a take costs at most about 0.5 s more`,
    run: async (world) => {
      await world.gateway.moveLeader(1);
      const healthyMs = await leastTakeMs(world);
      const mend = await breakMember(world, 0, fault);
      const brokenMs = await leastTakeMs(world);
      await mend();
      world.figures['healthyMs'] = healthyMs;
      world.figures['brokenMs'] = brokenMs;
      world.figures['dearerByMs'] = brokenMs - healthyMs;
      world.expect(
        `a take costs at most ${DEARER_TAKE_MS} ms more: ${Math.round(brokenMs)} instead of ${Math.round(healthyMs)} ms`,
        brokenMs - healthyMs <= DEARER_TAKE_MS,
      );
    },
  })),
  {
    name: 'rolling-restart',
    expectation: 'all members restarted one after the other: kept',
    run: async (world) => {
      await world.settle();
      await world.expectKept('rolling restart', 0, async () => {
        for (const member of world.cluster.members) {
          world.note(`restart ${member.name}`);
          await member.stop('SIGTERM');
          member.start();
          await member.healthy();
          await world.pause(1_000);
        }
      });
      await world.expectKept('the restart is over', 3_000);
    },
  },
  {
    name: 'two-killed',
    expectation: 'a majority is killed: let go in time, held again when it is back',
    run: (world) => {
      const victims = world.cluster.members.slice(0, 2);
      return outage(
        world,
        'two members are dead',
        async () => {
          await Promise.all(victims.map((member) => member.stop()));
        },
        async () => {
          for (const member of victims) member.start();
          await Promise.all(victims.map((member) => member.healthy()));
        },
      );
    },
  },
  {
    name: 'all-killed',
    expectation: 'all members are killed and started again: let go in time, held again when they are back',
    run: (world) => {
      const { members } = world.cluster;
      return outage(
        world,
        'all members are dead',
        async () => {
          await Promise.all(members.map((member) => member.stop()));
        },
        async () => {
          for (const member of members) member.start();
          await Promise.all(members.map((member) => member.healthy()));
        },
      );
    },
  },
  {
    name: 'all-restarted',
    expectation:
      'all members killed together and started at once: kept when they are back in time, else held again soon',
    world: { lockTtl: 9, refresh: 2 },
    run: async (world) => {
      const holder = await world.settle();
      const claim = holder.held?.claim;
      const excused = world.history.excuse('no member runs');
      const { members } = world.cluster;
      const startedAtMs = monotonicMs();
      await Promise.all(members.map((member) => member.stop()));
      for (const member of members) member.start();
      await Promise.all(members.map((member) => member.healthy()));
      const outageMs = monotonicMs() - startedAtMs;
      world.figures['outageMs'] = outageMs;
      // A renewal sent just before it counts for TTL less margin; another has to succeed before that has passed.
      const mustKeep = outageMs < world.ttlMs - marginMsOf(world.ttlMs) - 2_000 * world.options.refresh;
      if (mustKeep) excused();
      await world.pause(world.ttlMs);
      world.expect('the lock is kept', !mustKeep || (claim !== undefined && claim.toMs === undefined));
      await world.expectWithin('someone holds', heldAgainMs(world), () => world.holder !== undefined);
      excused();
    },
  },
  {
    name: 'all-frozen',
    expectation: 'all members frozen: let go in time, held again when they are thawed',
    run: (world) => {
      const { members } = world.cluster;
      return outage(
        world,
        'all members are frozen',
        () => {
          for (const member of members) member.freeze();
          return Promise.resolve();
        },
        async () => {
          for (const member of members) member.thaw();
          await Promise.all(members.map((member) => member.healthy()));
        },
      );
    },
  },
  {
    name: 'all-frozen-briefly',
    expectation: 'all members frozen for a third of the TTL: kept',
    run: async (world) => {
      await world.settle();
      await world.expectKept('all members frozen', world.ttlMs, async () => {
        for (const member of world.cluster.members) member.freeze();
        await world.pause(world.ttlMs / 3);
        for (const member of world.cluster.members) member.thaw();
      });
    },
  },
];
