import { setTimeout as delay } from 'node:timers/promises';
import type { Bed } from './bed.ts';
import { LOCK_DIRECTORY } from './cluster.ts';
import type { Death } from './claims.ts';
import { sendSignal } from './node.ts';
import type { CtdbNode } from './node.ts';
import { waitFor } from '../../support/wait.ts';

/** The scene of one action. */
export interface Scene {
  readonly bed: Bed;
  readonly leader: CtdbNode;
  /** Some node that does not lead. */
  readonly other: CtdbNode;
  /** From 0 to below `below`, a whole number. */
  readonly random: (below: number) => number;
  /** Is told which node's recoverd was killed. */
  readonly deaths: Death[];
}

/** What an administrator or bad luck does to a cluster, and undoes. */
export interface SoakAction {
  readonly name: string;
  /** Whether CTDB may make the leader ban itself because of it. */
  readonly isolates?: boolean;
  /** Whether the leader may change by it. */
  readonly moves: boolean;
  run(scene: Scene): Promise<unknown>;
}

const TICK_S = 1_000;

async function startAgain(node: CtdbNode): Promise<void> {
  await waitFor('nothing of CTDB is left on the node', () => node.processes().length === 0, {
    withinMs: 90_000,
    everyMs: 100,
  });
  await node.startCtdb();
}

async function killDaemons(node: CtdbNode, deaths: Death[], everything: boolean): Promise<void> {
  const daemon = node.ctdbd();
  deaths.push({ pnn: node.pnn, atMs: Date.now() });
  if (everything) node.killEverything();
  else if (daemon !== undefined) sendSignal(daemon.pid, 'SIGKILL');
  await startAgain(node);
}

/** Whatever becomes of the command, which waits for the whole cluster, what it did is undone. */
async function doAndUndo(
  node: CtdbNode,
  command: readonly string[],
  seconds: number,
  undo: string,
): Promise<void> {
  try {
    await node.ctdb(...command);
    await delay(seconds * TICK_S);
  } finally {
    await node.ctdb(undo);
  }
}

const stopAndContinue = (node: CtdbNode, seconds: number): Promise<void> =>
  doAndUndo(node, ['stop'], seconds, 'continue');

const banAndUnban = (node: CtdbNode, seconds: number): Promise<void> =>
  doAndUndo(node, ['ban', '600'], seconds, 'unban');

async function cutAndMend(bed: Bed, node: CtdbNode, seconds: number): Promise<void> {
  await node.cable.cut();
  await delay(seconds * TICK_S);
  await bed.ctdb.rejoin(node);
}

async function freezeFor(pid: number | undefined, seconds: number): Promise<void> {
  if (pid === undefined) return;
  sendSignal(pid, 'SIGSTOP');
  await delay(seconds * TICK_S);
  sendSignal(pid, 'SIGCONT');
}

export const SOAK_ACTIONS: readonly SoakAction[] = [
  {
    name: 'recover three times',
    moves: false,
    run: async ({ bed, random }) => {
      for (let round = 0; round < 3; round += 1) await bed.ctdb.node(random(3)).ctdb('recover');
    },
  },
  { name: 'stop another node', moves: false, run: ({ other, random }) => stopAndContinue(other, random(8)) },
  { name: 'ban another node', moves: false, run: ({ other, random }) => banAndUnban(other, random(8)) },
  {
    name: 'kill everything on another node',
    moves: false,
    run: ({ other, deaths }) => killDaemons(other, deaths, true),
  },
  {
    name: 'kill ctdbd on another node',
    moves: false,
    run: ({ other, deaths }) => killDaemons(other, deaths, false),
  },
  {
    name: 'freeze ctdbd on another node',
    moves: false,
    run: ({ other, random }) => freezeFor(other.ctdbd()?.pid, 2 + random(10)),
  },
  {
    name: 'kill a member of etcd',
    moves: false,
    run: async ({ bed, random }) => {
      const member = bed.etcd.member(random(3));
      await member.stop('SIGKILL');
      await delay(random(10) * TICK_S);
      member.start();
      await member.healthy();
    },
  },
  {
    name: 'freeze a member of etcd',
    moves: false,
    run: async ({ bed, random }) => {
      const member = bed.etcd.member(random(3));
      member.freeze();
      await delay(random(15) * TICK_S);
      member.thaw();
      await member.healthy();
    },
  },
  {
    name: 'restart all members of etcd in turn',
    moves: false,
    run: async ({ bed }) => {
      for (const member of bed.etcd.members) {
        await member.stop('SIGTERM');
        await delay(500);
        member.start();
        await member.healthy();
        await delay(2_000);
      }
    },
  },
  { name: 'stop the leader', moves: true, run: ({ leader, random }) => stopAndContinue(leader, random(10)) },
  { name: 'ban the leader', moves: true, run: ({ leader, random }) => banAndUnban(leader, random(10)) },
  {
    name: 'shut the leader down',
    moves: true,
    run: async ({ leader }) => {
      await leader.ctdb('shutdown');
      await startAgain(leader);
    },
  },
  {
    name: 'kill everything on the leader',
    moves: true,
    run: ({ leader, deaths }) => killDaemons(leader, deaths, true),
  },
  {
    name: 'kill ctdbd on the leader',
    moves: true,
    run: ({ leader, deaths }) => killDaemons(leader, deaths, false),
  },
  {
    name: 'kill the helper',
    moves: true,
    run: ({ leader }) => {
      for (const { pid } of leader.helpers()) sendSignal(pid, 'SIGKILL');
      return Promise.resolve();
    },
  },
  {
    name: 'end the helper',
    moves: true,
    run: ({ leader }) => {
      for (const { pid } of leader.helpers()) sendSignal(pid, 'SIGTERM');
      return Promise.resolve();
    },
  },
  {
    name: 'freeze the helper past its lease',
    moves: true,
    run: ({ leader }) => freezeFor(leader.holder()?.pid, 12),
  },
  {
    name: 'freeze ctdbd on the leader',
    moves: true,
    run: ({ leader, random }) => freezeFor(leader.ctdbd()?.pid, 2 + random(20)),
  },
  {
    name: 'cut the leader off',
    moves: true,
    isolates: true,
    run: ({ bed, leader, random }) => cutAndMend(bed, leader, 5 + random(45)),
  },
  {
    name: 'lose the majority of etcd',
    moves: true,
    run: async ({ bed, random }) => {
      const lost = bed.etcd.members.slice(0, 2);
      await Promise.all(lost.map((member) => member.stop('SIGKILL')));
      await delay((2 + random(18)) * TICK_S);
      for (const member of lost) member.start();
      await Promise.all(lost.map((member) => member.healthy()));
    },
  },
  {
    name: 'delete the key',
    moves: true,
    run: ({ bed }) => bed.etcd.etcdctl(['del', '--prefix', LOCK_DIRECTORY]),
  },
  {
    name: 'revoke the lease',
    moves: true,
    run: async ({ bed }) => {
      for (const lease of await bed.etcd.leases()) await bed.etcd.tryEtcdctl(['lease', 'revoke', lease]);
    },
  },
];
