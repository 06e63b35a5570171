import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { judge } from '../../fault/checker.ts';
import { EarlyRevokes } from '../../fault/early-revokes.ts';
import { type Claim, History, type KeyLife } from '../../fault/history.ts';

/** A member that counts; `undefined` as the count is one that does not answer. */
interface Counting {
  count: number | undefined;
  /** `at first`: it believes so when it is asked for the first time. */
  isLeader: boolean | 'at first';
}

/** Lets a key end that a claim of n1 rests on, which ends `endsAfterMs` after it, while the members count as told. */
async function robbery(
  members: readonly (readonly [before: Counting, after: Counting])[],
  endsAfterMs: number,
  deed?: Claim['deed'],
  { says = '', answersAfterMs = 10 } = {},
): Promise<Claim> {
  let isAfter = false;
  const servers = members.map(([before, after]) =>
    createServer((_, response) => {
      const state = isAfter ? after : before;
      const { count, isLeader } = state;
      if (isLeader === 'at first') state.isLeader = false;
      if (count === undefined) response.destroy();
      else
        response.end(
          `etcd_debugging_server_lease_expired_total ${count}\netcd_server_is_leader ${isLeader ? 1 : 0}\n`,
        );
    }).listen(0, '127.0.0.1'),
  );
  try {
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const history = new History();
    const counters = servers.map((server, index) => ({
      name: `member${index + 1}`,
      address: '127.0.0.1',
      healthPort: (server.address() as AddressInfo).port,
    }));
    const early = new EarlyRevokes(counters, history);
    const [value, other] = [JSON.stringify({ host: 'n1' }), JSON.stringify({ host: 'n2' })];
    const earlier: KeyLife = { key: 'a', value: other, createdAtMs: 100, deletedAtMs: 900 };
    await early.look(earlier);
    isAfter = true;
    const claim: Claim = {
      node: 'n1',
      helper: 'n1/h1',
      fromMs: 1_000 + answersAfterMs,
      toMs: 9_000 + endsAfterMs,
      deed,
      deedAtMs: undefined,
    };
    history.claims.push(claim);
    history.stderr.push({ helper: claim.helper, text: says });
    await early.look({ key: 'b', value, createdAtMs: 1_000, deletedAtMs: 9_000 });
    const verdict = judge(history, 20_000, { windowMs: 7_500, refreshMs: 2_000 });
    assert.equal(verdict.earlyRevokes.length, claim.revokedBy === undefined ? 0 : 1);
    return claim;
  } finally {
    for (const server of servers) server.close();
  }
}

const quiet = [
  { count: 1, isLeader: false },
  { count: 1, isLeader: false },
] as const;

describe('the search for leases that etcd itself revokes early', () => {
  it('names a member that does not lead and has ended one more', async () => {
    const thawed = [
      { count: undefined, isLeader: true },
      { count: 1, isLeader: false },
    ] as const;
    assert.equal((await robbery([quiet, thawed], 8)).revokedBy, 'member2');
    assert.equal((await robbery([[quiet[0], { count: 2, isLeader: false }]], 8)).revokedBy, 'member1');
  });

  it('asks again when two say that they lead: one of them has only just gone on', async () => {
    const stale = [
      { count: 1, isLeader: true },
      { count: 2, isLeader: 'at first' },
    ] as const;
    const elected = [
      { count: 0, isLeader: false },
      { count: 0, isLeader: true },
    ] as const;
    assert.equal((await robbery([stale, elected], 8)).revokedBy, 'member1');
  });

  it('knows that a member that was restarted counts anew', async () => {
    assert.equal((await robbery([[quiet[0], { count: 0, isLeader: false }]], 8)).revokedBy, undefined);
    assert.equal(
      (
        await robbery(
          [
            [
              { count: 3, isLeader: false },
              { count: 1, isLeader: false },
            ],
          ],
          8,
        )
      ).revokedBy,
      'member1',
    );
  });

  it('accuses nobody of what the leader did, or somebody who asked for it', async () => {
    const leader = [
      { count: 1, isLeader: true },
      { count: 2, isLeader: true },
    ] as const;
    assert.equal((await robbery([quiet, leader], 8)).revokedBy, undefined);
    assert.equal((await robbery([quiet, quiet], 8)).revokedBy, undefined);
  });

  it('goes by what the holder says when the news of the key comes late, and by no other words', async () => {
    const thawed = [quiet[0], { count: 2, isLeader: false }] as const;
    const revokedBy = async (says: string): Promise<string | undefined> =>
      (await robbery([thawed], -1_500, undefined, { says })).revokedBy;
    assert.equal(await revokedBy('Lock lost - the key was deleted, or its lease ended\n'), 'member1');
    assert.equal(await revokedBy('Lock lost - no answer within 1.5 s\n'), undefined);
  });

  it('knows the claim whose answer came seconds after its key', async () => {
    const thawed = [quiet[0], { count: 2, isLeader: false }] as const;
    assert.equal((await robbery([thawed], 8, undefined, { answersAfterMs: 3_500 })).revokedBy, 'member1');
  });

  it('excuses no claim that had ended before, or that the run itself ended', async () => {
    const thawed = [quiet[0], { count: 2, isLeader: false }] as const;
    assert.equal((await robbery([thawed], -1_500)).revokedBy, undefined);
    assert.equal((await robbery([thawed], 8, 'terminated')).revokedBy, undefined);
  });
});
