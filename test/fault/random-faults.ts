import { setTimeout as delay } from 'node:timers/promises';
import { slowDown } from './link.ts';
import type { CtdbNode } from './node.ts';
import { breakMember, MEMBER_FAULTS } from './stand-in.ts';
import type { Weather } from './weather.ts';
import { DIRECTORY, MEMBERS, type World } from './world.ts';

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Scene {
  readonly world: World;
  readonly weather: Weather;
  readonly random: () => number;
}

/** One fault that can be injected at any time, also while others last. */
export interface RandomFault {
  readonly name: string;
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  /** What it needs for itself while it lasts: members, `lock`, `cluster`; nodes by `holder`. */
  readonly needs: (scene: Scene) => readonly string[];
  /** Injects it, waits for `forMs`, and mends it. */
  readonly run: (scene: Scene, needs: readonly string[], forMs: number) => Promise<void>;
}

const pick = <T>(random: () => number, from: readonly T[]): T => {
  const found = from[Math.floor(random() * from.length)];
  if (found === undefined) throw new Error('Cannot pick from nothing');
  return found;
};

const nodeOf = ({ world }: Scene, host: string | undefined): CtdbNode | undefined =>
  world.nodes.find((node) => node.host === host);

const holderOrAny = ({ world, random }: Scene): string => (world.holder ?? pick(random, world.nodes)).host;

async function cutNode(scene: Scene, host: string, members: readonly string[], forMs: number): Promise<void> {
  const { network } = scene.world;
  const way = pick(scene.random, ['both', 'out', 'in'] as const);
  scene.world.note(`cut ${host} from ${members.join(' ')} (${way}) for ${Math.round(forMs)} ms`);
  const cut = Promise.all([
    way === 'in' ? undefined : network.cut([host], members),
    way === 'out' ? undefined : network.cut(members, [host]),
  ]);
  scene.weather.look();
  await cut;
  await delay(forMs);
  await network.mendBoth([host], members);
  scene.weather.look();
}

async function cutPeers(
  scene: Scene,
  some: readonly string[],
  others: readonly string[],
  forMs: number,
): Promise<void> {
  const { network } = scene.world;
  scene.world.note(`cut members ${some.join(' ')} from ${others.join(' ')} for ${Math.round(forMs)} ms`);
  const cut = network.cutBoth(some, others);
  scene.weather.member(undefined, 0);
  await cut;
  scene.weather.member(undefined, 0);
  await delay(forMs);
  await network.mendBoth(some, others);
  scene.weather.member(undefined, 0);
}

async function breakOne(scene: Scene, host: string, forMs: number): Promise<void> {
  const index = MEMBERS.findIndex((member) => member === host);
  scene.weather.member(host, 1);
  const mend = await breakMember(scene.world, index, pick(scene.random, MEMBER_FAULTS));
  scene.weather.member(undefined, 0);
  await delay(forMs);
  scene.weather.member(undefined, 0);
  await mend();
  scene.world.note(`member ${host} is whole`);
  scene.weather.member(host, -1);
}

const other = (host: string): string[] => MEMBERS.filter((member) => member !== host);

export const RANDOM_FAULTS: readonly RandomFault[] = [
  {
    name: 'a member breaks',
    weight: 5,
    needs: ({ random }) => [pick(random, MEMBERS)],
    run: (scene, [host = ''], forMs) => breakOne(scene, host, forMs),
  },
  {
    name: 'two members break',
    weight: 1,
    needs: ({ random }) => other(pick(random, MEMBERS)),
    run: async (scene, hosts, forMs) => {
      await Promise.all(hosts.map((host) => breakOne(scene, host, forMs)));
    },
  },
  {
    name: 'all members freeze',
    weight: 1,
    needs: () => MEMBERS,
    run: async ({ world, weather }, hosts, forMs) => {
      world.note('all members are frozen');
      for (const host of hosts) weather.member(host, 1);
      for (const member of world.cluster.members) member.freeze();
      await delay(forMs);
      for (const member of world.cluster.members) member.thaw();
      world.note('all members are thawed');
      for (const host of hosts) weather.member(host, -1);
    },
  },
  {
    name: 'a member restarts',
    weight: 2,
    needs: ({ random }) => [pick(random, MEMBERS)],
    run: async ({ world, weather }, [host = '']) => {
      const member = world.cluster.member(MEMBERS.findIndex((name) => name === host));
      world.note(`member ${host} restarts`);
      weather.member(host, 1);
      await member.stop('SIGTERM');
      member.start();
      await member.healthy();
      weather.member(host, -1);
    },
  },
  {
    name: 'the raft leader is isolated',
    weight: 3,
    needs: () => ['peers'],
    run: async (scene, _, forMs) => {
      const leader = MEMBERS[(await scene.world.gateway.leaderIndex()) ?? 0] ?? MEMBERS[0];
      await cutPeers(scene, [leader], other(leader), forMs);
    },
  },
  {
    name: 'a member is isolated',
    weight: 2,
    needs: () => ['peers'],
    run: (scene, _, forMs) => {
      const member = pick(scene.random, MEMBERS);
      return cutPeers(scene, [member], other(member), forMs);
    },
  },
  {
    name: 'no majority',
    weight: 1,
    needs: () => ['peers'],
    run: async (scene, _, forMs) => {
      await Promise.all([
        cutPeers(scene, ['m1'], ['m2', 'm3'], forMs),
        cutPeers(scene, ['m2'], ['m3'], forMs),
      ]);
    },
  },
  {
    name: 'a node is cut off',
    weight: 4,
    needs: (scene) => [holderOrAny(scene)],
    run: (scene, [host = ''], forMs) => cutNode(scene, host, MEMBERS, forMs),
  },
  {
    name: 'a node is cut off from some members',
    weight: 4,
    needs: (scene) => [holderOrAny(scene)],
    run: (scene, [host = ''], forMs) => {
      const one = pick(scene.random, MEMBERS);
      return cutNode(scene, host, scene.random() < 0.5 ? [one] : other(one), forMs);
    },
  },
  {
    name: 'a bad line',
    weight: 2,
    needs: (scene) => [holderOrAny(scene)],
    run: async ({ world, weather, random }, [host = ''], forMs) => {
      const faults = { delayMs: random() * 100, jitterMs: random() * 100, loss: random() * 0.1 };
      world.note(`a bad line to ${host}: ${JSON.stringify(faults)}`);
      weather.node(host, 1);
      const mend = await slowDown(world.network, host, faults);
      await delay(forMs);
      await mend();
      weather.node(host, -1);
    },
  },
  {
    name: 'the holder is frozen',
    weight: 3,
    needs: (scene) => [holderOrAny(scene)],
    run: async (scene, [host = ''], forMs) => {
      const node = nodeOf(scene, host);
      scene.world.note(`the helper on ${host} is frozen for ${Math.round(forMs)} ms`);
      scene.weather.node(host, 1);
      await node?.freezeHolder(forMs);
      scene.weather.node(host, -1);
    },
  },
  {
    name: 'the holder is killed',
    weight: 3,
    needs: (scene) => [holderOrAny(scene)],
    run: (scene, [host]) => {
      nodeOf(scene, host)?.signalHolder('SIGKILL');
      return Promise.resolve();
    },
  },
  {
    name: 'the parent is killed',
    weight: 2,
    needs: (scene) => [holderOrAny(scene)],
    run: (scene, [host]) => {
      nodeOf(scene, host)?.killParentOfHolder();
      return Promise.resolve();
    },
  },
  {
    name: 'the holder is released',
    weight: 4,
    needs: (scene) => [holderOrAny(scene)],
    run: async (scene, [host]) => {
      await nodeOf(scene, host)?.release();
    },
  },
  {
    name: 'a node dies',
    weight: 4,
    needs: (scene) => [holderOrAny(scene)],
    run: async (scene, [host = ''], forMs) => {
      const node = nodeOf(scene, host);
      const { network, nodes } = scene.world;
      scene.world.note(`node ${host} dies`);
      // With or without a word to its connections.
      const silently = scene.random() < 0.5;
      if (silently && nodes.length > 1) await network.cutBoth([host], MEMBERS);
      scene.weather.look();
      node?.die();
      await delay(Math.max(forMs, 12_000));
      if (silently) await network.mendBoth([host], MEMBERS);
      scene.weather.look();
      scene.world.note(`node ${host} is back`);
      node?.contend();
    },
  },
  {
    name: 'the key is taken',
    weight: 2,
    needs: () => ['lock'],
    run: async ({ world, random }) => {
      const [held] = await world.gateway.keys(DIRECTORY);
      if (held === undefined) return;
      world.holder?.robbed();
      world.note(`key ${held.key} is taken`);
      if (random() < 0.5) await world.gateway.deleteKey(held.key);
      else await world.gateway.revokeLease(held.leaseHex);
    },
  },
  {
    name: 'compaction and defragmentation',
    weight: 1,
    needs: () => MEMBERS,
    run: async ({ world, weather }) => {
      world.note('compaction and defragmentation');
      weather.member(undefined, 0);
      await world.gateway.compact(await world.gateway.revision());
      await world.gateway.defragment();
      weather.member(undefined, 0);
    },
  },
];
