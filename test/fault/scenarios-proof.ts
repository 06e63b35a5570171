// What a renewal has to prove: each of these was two holders with a rule that looked at less (docs/safety.md).
import type { EtcdMember } from '../support/etcd-cluster.ts';
import { metricsOf, sumOf } from '../support/etcd-metrics.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { waitFor } from '../support/wait.ts';
import type { CtdbNode } from './node.ts';
import type { Scenario } from './scenario.ts';
import { MEMBERS, type World } from './world.ts';

// A lease on a member with this election timeout has at least 30 s: one and a half times as much.
const LONG_ELECTION_ARGS = ['--election-timeout=20000'];
const LONG_LEASE_MS = 30_000;

const firstMemberIsSlowToElect = (index: number): readonly string[] =>
  index === 0 ? LONG_ELECTION_ARGS : [];

// etcd keeps 5,000 entries behind a snapshot for members that have to catch up, and makes one every 500.
const SNAPSHOT_ARGS = ['--snapshot-count=500'];
const ENTRIES = 6_000;

/** How often the holder's log says that a renewal was proven. */
function renewalsOf(holder: CtdbNode): number {
  return holder.held?.helper.stderr.match(/^Renewal proven/gm)?.length ?? 0;
}

/** Resolves as soon as the holder has proven another renewal; false when it has not within the time. */
function renewsWithin(holder: CtdbNode, withinMs: number): Promise<boolean> {
  const before = renewalsOf(holder);
  const renewed = (): boolean => renewalsOf(holder) > before;
  return waitFor('another renewal', renewed, { withinMs, everyMs: 5 }).then(
    () => true,
    () => false,
  );
}

/** How many leases a member has renewed by itself, as raft leader. */
async function leasesRenewedBy(member: EtcdMember): Promise<number> {
  return sumOf(await metricsOf(member), 'etcd_debugging_lease_renewed_total');
}

/** The first node takes the lock, and is the only one that tries. */
async function firstNodeHolds(world: World): Promise<CtdbNode> {
  const holder = world.node(0);
  const { answer = '' } = await holder.take();
  if (answer !== '0') throw new Error(`The first take answers ${answer}`);
  return holder;
}

/** The others contend; the holder, which was cut off at `cutAtMs`, must let go before one of them takes the lock. */
async function expectHandOver(world: World, holder: CtdbNode, withinMs: number): Promise<void> {
  const claim = holder.held?.claim;
  const cutAtMs = monotonicMs();
  for (const node of world.nodes) if (node !== holder) node.contend();
  const taken = (): boolean => world.nodes.some((node) => node !== holder && node.held !== undefined);
  world.figures['takenAfterMs'] = await world.expectWithin('another node takes the lock', withinMs, taken);
  world.expect('the holder let go before', claim?.toMs !== undefined);
  // With a rule that proves less it goes on: for how long, the verdict shall say.
  await waitFor('the old claim ends', () => claim?.toMs !== undefined, { withinMs: 2 * LONG_LEASE_MS });
  world.figures['lostAfterMs'] = (claim?.toMs ?? NaN) - cutAtMs;
}

export const PROOF_SCENARIOS: readonly Scenario[] = [
  {
    name: 'unlike-election-timeouts-grant',
    expectation:
      'the member with the larger election timeout answers the grant with a longer TTL, the holder is cut off: let go before the lease ends on the raft leader',
    world: { memberArgs: firstMemberIsSlowToElect },
    run: async (world) => {
      await world.gateway.moveLeader(1);
      const excused = world.history.excuse('the holder is cut off');
      const holder = await firstNodeHolds(world);
      await world.network.cutBoth([holder.host], MEMBERS);
      await expectHandOver(world, holder, world.ttlMs + 6_500);
      await world.network.mendBoth([holder.host], MEMBERS);
      excused();
      await world.expectKept('the old holder is back', 3_000);
    },
  },
  {
    name: 'unlike-election-timeouts-keepalive',
    expectation:
      'the member with the larger election timeout is raft leader, renews with a longer TTL and dies with the holder’s way to the others cut: let go before the lease ends on the next leader',
    world: { memberArgs: firstMemberIsSlowToElect },
    run: async (world) => {
      await world.gateway.moveLeader(0);
      const excused = world.history.excuse('the holder is cut off');
      const holder = await firstNodeHolds(world);
      await world.network.cutBoth([holder.host], ['m2', 'm3']);
      world.expect('a renewal through the raft leader', await renewsWithin(holder, 5_000));
      await world.cluster.member(0).stop();
      await expectHandOver(world, holder, world.ttlMs + 10_500);
      world.cluster.member(0).start();
      await world.cluster.member(0).healthy();
      await world.network.mendBoth([holder.host], MEMBERS);
      excused();
      await world.expectKept('all is mended', 3_000);
    },
  },
  {
    name: 'snapshot-catch-up',
    expectation:
      'a frozen raft leader thaws, renews, catches up by a raft snapshot and serves reads under its old term, then the holder is cut off: let go before the lease ends on the new leader',
    world: { etcdArgs: SNAPSHOT_ARGS, lockTtl: 30, refresh: 2 },
    run: async (world) => {
      const old = world.cluster.member(0);
      const others = world.cluster.members.filter((member) => member !== old);
      await world.gateway.moveLeader(0);
      const excused = world.history.excuse('the holder is cut off');
      const holder = await firstNodeHolds(world);
      await world.network.cutBoth([holder.host], ['m2', 'm3']);
      world.expect('a renewal through the raft leader', await renewsWithin(holder, 5_000));
      const renewedAtMs = monotonicMs();
      const renewedBefore = await leasesRenewedBy(old);
      old.freeze();
      // Refused and not dropped: the others dial anew all the time, and reach the member as soon as it is thawed.
      await world.network.refuse(['m2', 'm3'], ['m1']);
      await waitFor('the others have a leader', async () => ((await world.gateway.leaderIndex()) ?? 0) > 0);
      await world.gateway.writeEntries(others, ENTRIES);
      // Half of the lease: what a false proof is worth shall be more than what an election adds.
      await world.pause(world.ttlMs / 2 - (monotonicMs() - renewedAtMs));
      world.expect(
        'the entries are written before the deadline is near',
        monotonicMs() - renewedAtMs < (2 * world.ttlMs) / 3,
      );
      world.note('the old raft leader is thawed');
      old.thaw();
      // It believes for a second yet that it leads; with a keepalive answered in that time its peers find it again.
      const hasRenewed = async (): Promise<boolean> => (await leasesRenewedBy(old)) > renewedBefore;
      await waitFor('it renews', hasRenewed, { withinMs: 700, everyMs: 5 }).catch(() => undefined);
      await world.network.mendBoth(['m1'], ['m2', 'm3']);
      const renewed = await renewsWithin(holder, 6_000);
      world.note(renewed ? 'a renewal was proven' : 'no renewal was proven');
      world.figures['renewals'] = renewed ? 1 : 0;
      await world.network.cutBoth([holder.host], ['m1']);
      await expectHandOver(world, holder, 2 * world.ttlMs);
      await world.network.mendBoth([holder.host], MEMBERS);
      excused();
      await world.expectKept('all is mended', 3_000);
    },
  },
];
