import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import { slowDown } from './link.ts';
import type { CtdbNode } from './node.ts';
import { membersBut, pick, type RandomFault, type Scene } from './random-fault.ts';
import { DIRECTORY, MEMBERS, NODES } from './world.ts';

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

/** What befalls the contenders, their lines and the lock itself. */
export const RANDOM_NODE_FAULTS: readonly RandomFault[] = [
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
      return cutNode(scene, host, scene.random() < 0.5 ? [one] : membersBut(one), forMs);
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
    // An administrator who takes the key from a holder that cannot be told hands the lock to a second one: that is stated
    // in docs/safety.md, and no helper can help it. So this waits for a time in which nothing else can happen.
    needs: () => [...MEMBERS, ...NODES, 'peers'],
    run: async ({ world, weather, random }) => {
      if (!weather.isCalm) return;
      const [held] = await world.gateway.keys(DIRECTORY);
      if (held === undefined) return;
      world.holder?.robbed();
      world.note(`key ${held.key} is taken`);
      if (random() < 0.5) await world.gateway.deleteKey(held.key);
      else await world.gateway.revokeLease(held.leaseHex);
      await delay(1_000);
    },
  },
  {
    name: 'compaction and defragmentation',
    weight: 1,
    needs: () => MEMBERS,
    run: async ({ world, weather }) => {
      world.note('compaction and defragmentation');
      weather.member(undefined, 0);
      const compact = async (): Promise<boolean> => {
        await world.gateway.compact(await world.gateway.revision());
        await world.gateway.defragment();
        return true;
      };
      // Other faults can be under way, and etcd answers that its leader has changed.
      await waitFor('compaction and defragmentation', () => compact().catch(() => false), {
        withinMs: 30_000,
        everyMs: 500,
      });
      weather.member(undefined, 0);
    },
  },
];
