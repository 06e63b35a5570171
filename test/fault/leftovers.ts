import { waitFor } from '../support/wait.ts';
import { DIRECTORY, type World } from './world.ts';

/** Lets all helpers go, and reports the keys, leases and processes that are left then. */
export async function findLeftovers(world: World): Promise<string[]> {
  const left: string[] = [];
  for (const result of await Promise.allSettled(world.nodes.map((node) => node.leave()))) {
    if (result.status === 'rejected') left.push(`helper does not leave: ${String(result.reason)}`);
  }
  // What a killed or silenced helper left behind ends with its lease, and a restarted cluster grants that once more.
  // Of all others nothing may be left.
  const { claims, attempts } = world.history;
  const allLeftWillingly =
    claims.every(({ deed }) => deed === 'terminated') &&
    attempts.every(({ answer }) => answer === '0' || answer === '1');
  const look = async (): Promise<string[]> => [
    ...(await world.gateway.keys(DIRECTORY)).map(({ key }) => `key ${key}`),
    ...(await world.gateway.leases()).map((lease) => `lease ${lease}`),
  ];
  const withinMs = allLeftWillingly ? 500 : 2 * world.ttlMs + 5_000;
  await waitFor('nothing is left in etcd', async () => (await look()).length === 0, {
    withinMs,
    everyMs: 100,
  }).catch(() => undefined);
  left.push(...(await look().catch((error: unknown) => [`etcd does not say: ${String(error)}`])));
  await waitFor('no process is left', () => world.nodes.every((node) => node.leftovers().length === 0), {
    withinMs: 3_000,
  }).catch(() => undefined);
  left.push(...world.nodes.flatMap((node) => node.leftovers()));
  return left;
}
