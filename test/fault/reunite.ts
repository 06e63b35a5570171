import type { World } from './world.ts';

/**
 * Ends a partition between members. Whoever was alone has asked for votes in vain and comes back with the highest term, which
 * costs an election where etcd has no pre-vote (3.4); votes that are split can draw that out beyond a short lease.
 */
export async function reunite(
  world: World,
  some: readonly string[],
  others: readonly string[],
): Promise<void> {
  const excused = world.history.excuse('the election that a healed partition costs');
  await world.network.mendBoth(some, others);
  // A member that was alone is healthy once it knows a leader, which is after that election.
  await Promise.all(world.cluster.members.map((member) => member.healthy()));
  excused();
}
