import { globSync, writeFileSync } from 'node:fs';
import type { CtdbNode } from './node.ts';
import type { Scenario } from './scenario.ts';
import { MEMBERS, type World } from './world.ts';

const HOUR_S = 3_600;

// In the node's own mount namespace; the file system of /mnt is nobody else's.
const CLOCK_FILE = '/mnt/clock';
const OWN_MNT = 'mount -t tmpfs none /mnt';

const WITHOUT_BASH = `${OWN_MNT}
mkdir /mnt/upper /mnt/work
mount -t overlay none -o lowerdir=/usr/bin,upperdir=/mnt/upper,workdir=/mnt/work /usr/bin
rm -f /usr/bin/bash /bin/bash
PATH=/usr/sbin:/usr/bin:/sbin:/bin`;

/** Lets a node lose the lock in some way, some times, and expects the next claim within the time. */
async function inTurn(
  world: World,
  times: number,
  withinMs: number,
  end: (holder: CtdbNode) => Promise<void> | void,
  after: (holder: CtdbNode) => Promise<void> | void = () => undefined,
): Promise<void> {
  await world.settle();
  for (let count = 0; count < times; count += 1) {
    const holder = await world.someoneHolds(1_000);
    const claim = holder.held?.claim;
    await world.pause(500 + Math.random() * 1_500);
    await end(holder);
    await world.expectLost(claim, 3_000);
    const tookMs = await world.expectWithin(
      'someone holds again',
      withinMs,
      () => world.holder !== undefined,
    );
    world.figures['takenAfterMs'] = Math.max(tookMs, world.figures['takenAfterMs'] ?? 0);
    await after(holder);
  }
}

/** Waits until a helper's stderr has this many lines that match. */
function linesOf(world: World, helper: string, pattern: RegExp): number {
  const text = world.history.stderr.filter((entry) => entry.helper === helper).map((entry) => entry.text);
  return text
    .join('')
    .split('\n')
    .filter((line) => pattern.test(line)).length;
}

export const HELPER_SCENARIOS: readonly Scenario[] = [
  {
    name: 'released',
    expectation: 'after SIGTERM the next attempt takes the lock within 0.5 s',
    run: (world) => inTurn(world, 6, 7_000, (holder) => holder.release()),
  },
  {
    name: 'helper-killed',
    expectation:
      'SIGKILL of the helper alone: another helper takes the lock within 1.5 s, without waiting for the TTL',
    run: (world) =>
      inTurn(world, 4, 7_000, (holder) => {
        holder.signalHolder('SIGKILL');
      }),
  },
  {
    name: 'node-processes-killed',
    expectation: 'all of a node is killed and its connections are reset: taken within TTL + 1.5 s',
    run: (world) =>
      inTurn(
        world,
        2,
        world.ttlMs + 6_500,
        (holder) => {
          holder.die();
        },
        (dead) => {
          dead.contend();
        },
      ),
  },
  {
    name: 'node-dies',
    expectation: 'a node loses its power, nothing of it is ever heard again: taken within TTL + 1.5 s',
    run: (world) =>
      inTurn(
        world,
        2,
        world.ttlMs + 6_500,
        async (holder) => {
          await world.network.cutBoth([holder.host], MEMBERS);
          holder.die();
        },
        async (dead) => {
          await world.network.mendBoth([dead.host], MEMBERS);
          dead.contend();
        },
      ),
  },
  {
    name: 'parent-killed',
    expectation:
      "SIGKILL of the helper's parent: the helper releases the lock within 3 s and leaves nothing behind",
    run: (world) =>
      inTurn(world, 2, 7_000, (holder) => {
        holder.killParentOfHolder();
      }),
  },
  {
    name: 'helper-frozen',
    expectation: 'SIGSTOP for 3 TTL: the watchdog ends the claim before the lease ends, no overlap',
    run: async (world) => {
      const holder = await world.settle();
      const claim = holder.held?.claim;
      holder.signalHolder('SIGSTOP');
      const excused = world.history.excuse('the frozen helper of a check, too');
      world.figures['lostAfterMs'] = await world.expectLost(claim, world.ttlMs);
      world.figures['takenAfterMs'] = await world.expectWithin(
        'someone holds again',
        world.ttlMs + 6_500,
        () => world.holder !== undefined,
      );
      excused();
      await world.expectKept('the next holder', 3 * world.ttlMs - world.figures['lostAfterMs']);
    },
  },
  {
    name: 'helper-frozen-briefly',
    expectation: 'SIGSTOP for a third of the TTL: kept',
    run: async (world) => {
      const holder = await world.settle();
      for (let count = 0; count < 2; count += 1) {
        await world.expectKept('the helper is frozen', world.ttlMs / 2, () =>
          holder.freezeHolder(world.ttlMs / 3),
        );
      }
    },
  },
  {
    name: 'watchdog-killed',
    expectation: 'SIGKILL of the watchdog: kept, and one warning',
    run: async (world) => {
      const holder = await world.settle();
      const helper = holder.held?.claim.helper ?? '';
      const watchdogs = holder.watchdogs();
      world.expect(`one watchdog runs, not ${watchdogs.length}`, watchdogs.length === 1);
      await world.expectKept('the watchdog is killed', world.ttlMs, () => {
        for (const pid of watchdogs) process.kill(pid, 'SIGKILL');
        return Promise.resolve();
      });
      const others = holder.watchdogs();
      world.expect(`another watchdog runs, not ${others.length}`, others.length === 1);
      for (const node of world.nodes) node.stopContending();
      await holder.release();
      await world.expectWithin(
        'there is one warning',
        3_000,
        () => linesOf(world, helper, /The watchdog is started again/) === 1,
      );
    },
  },
  {
    name: 'no-bash',
    expectation: 'no bash on the nodes: one warning, and the lock works',
    world: { prepare: WITHOUT_BASH },
    run: async (world) => {
      const holder = await world.settle();
      const helper = holder.held?.claim.helper ?? '';
      await world.expectKept('there is no bash', world.ttlMs);
      for (const node of world.nodes) node.stopContending();
      await holder.release();
      await world.expectWithin(
        'there is one warning',
        3_000,
        () => linesOf(world, helper, /No watchdog/) === 1,
      );
    },
  },
  {
    name: 'clock-stepped',
    expectation: 'the wall clock of all nodes jumps one hour ahead, then two back: kept',
    world: {
      // The library keeps its state in /dev/shm by pid, and each node has the same pids.
      prepare: `${OWN_MNT}\nmount -t tmpfs none /dev/shm\necho +0 >${CLOCK_FILE}`,
      env: {
        LD_PRELOAD: globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0] ?? '',
        FAKETIME_TIMESTAMP_FILE: CLOCK_FILE,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    },
    run: async (world) => {
      const holder = await world.settle();
      const helper = holder.held?.claim.helper ?? '';
      for (const [what, seconds] of [
        ['one hour ahead', HOUR_S],
        ['two hours back', -HOUR_S],
        ['right again', 0],
      ] as const) {
        await world.expectKept(`the clock is set ${what}`, world.ttlMs, () => {
          for (const node of world.nodes)
            writeFileSync(node.path(CLOCK_FILE), `${seconds < 0 ? '' : '+'}${seconds}\n`);
          return Promise.resolve();
        });
      }
      for (const node of world.nodes) node.stopContending();
      await holder.release();
      // Twice ahead: by one hour, and from one hour behind to right.
      await world.expectWithin(
        'the helper noticed',
        3_000,
        () => linesOf(world, helper, /Wall clock jumped ahead/) === 2,
      );
    },
  },
];
