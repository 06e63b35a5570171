import { setTimeout as delay } from 'node:timers/promises';
import { membersBut, pick, type RandomFault, type Scene } from './random-fault.ts';
import { breakMember, MEMBER_FAULTS } from './stand-in.ts';
import { MEMBERS } from './world.ts';

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

/** What befalls the members of etcd and the network between them. */
export const RANDOM_MEMBER_FAULTS: readonly RandomFault[] = [
  {
    name: 'a member breaks',
    weight: 5,
    needs: ({ random }) => [pick(random, MEMBERS)],
    run: (scene, [host = ''], forMs) => breakOne(scene, host, forMs),
  },
  {
    name: 'two members break',
    weight: 1,
    needs: ({ random }) => membersBut(pick(random, MEMBERS)),
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
      await cutPeers(scene, [leader], membersBut(leader), forMs);
    },
  },
  {
    name: 'a member is isolated',
    weight: 2,
    needs: () => ['peers'],
    run: (scene, _, forMs) => {
      const member = pick(scene.random, MEMBERS);
      return cutPeers(scene, [member], membersBut(member), forMs);
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
];
