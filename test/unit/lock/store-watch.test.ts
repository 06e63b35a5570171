import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXIT } from '../../../src/lock/lifecycle.ts';
import { settle } from '../../support/fake-clock.ts';
import { type FakeCall, type FakeMember, headerOf, KindEtcd } from '../../support/fake-member.ts';
import { FakeStage } from '../../support/fake-stage.ts';

interface Scene {
  readonly stage: FakeStage;
  readonly etcd: KindEtcd;
  readonly home: FakeMember;
  /** The second member, which has been silent so far. */
  readonly other: FakeMember;
}

/** A holder whose second member has not answered yet. */
async function holding(): Promise<Scene> {
  const stage = new FakeStage(2);
  const etcd = new KindEtcd();
  const [home, other] = stage.fakes;
  assert.ok(home !== undefined && other !== undefined);
  home.onCall = etcd.serve;
  stage.takeAndHold();
  await settle();
  await stage.clock.advanceUntil(() => stage.stdout.length > 0, 1_000);
  assert.deepEqual(stage.stdout, ['0']);
  return { stage, etcd, home, other };
}

void describe('while holding', () => {
  void it('each endpoint is asked once, as soon as it answers, and not again', async () => {
    const { stage, etcd, other } = await holding();
    await stage.clock.advance(10_000);
    assert.ok(other.callsOf('readKey').length > 1);
    other.onCall = etcd.serve;
    await stage.clock.advance(4_000);
    const asked = other.calls.length;
    assert.deepEqual(
      other.calls.slice(-2).map(({ name }) => name),
      ['listMembers', 'keepAlive'],
    );
    await stage.clock.advance(30_000);
    assert.deepEqual([stage.stdout, other.calls.length], [['0'], asked]);
  });

  void it('an endpoint that leads to another store loses the lock as soon as it answers', async () => {
    const { stage, etcd, other } = await holding();
    await stage.clock.advance(3_000);
    const stranger = new KindEtcd();
    other.onCall = stranger.serve;
    other.calls.filter(({ abortedBecause }) => abortedBecause === undefined).forEach(stranger.serve);
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 2_500);
    assert.deepEqual([stage.stdout, stage.exitStatus], [['0', 'closed'], EXIT.lost]);
    assert.match(
      stage.errors.join(),
      /^Lock lost - etcd at etcd1:2379: is another store \(.+\) than etcd0:2379 \(.+\), which has the key of the lock; list only members of one cluster in hosts$/,
    );
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined], 'and it is given back');
  });

  void it('a renewal through an endpoint that was never compared names both, and gives back the lease at both', async () => {
    const { stage, etcd, home, other } = await holding();
    const stranger = new KindEtcd();
    home.onCall = (call) => {
      if (call.name === 'revoke') etcd.serve(call);
    };
    other.onCall = (call) => {
      if (call.name === 'confirmKey' || call.name === 'revoke') stranger.serve(call);
    };
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 5_000);
    assert.match(
      stage.errors.join(),
      /^Lock lost - the key is not at etcd1:2379: it was deleted, or that is another store than etcd0:2379$/,
    );
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined]);
  });

  void it('a key that was deleted is not called another store', async () => {
    const { stage, etcd, other } = await holding();
    etcd.key = null;
    other.onCall = etcd.serve;
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 3_000);
    assert.doesNotMatch(stage.errors.join(), /is another store/);
  });

  void it("etcd's grpc-proxy among the endpoints is not used, and said so once", async () => {
    const { stage, etcd, home, other } = await holding();
    other.onCall = (call) => {
      if (call.name === 'listMembers') call.answer('listMembers', { header: null, members: [] });
      else etcd.serve(call);
    };
    await stage.clock.advance(4_000);
    const asked = other.calls.length;
    home.onCall = () => undefined;
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 10_000);
    assert.equal(other.calls.length, asked);
    assert.deepEqual(
      stage.warnings.map((text) => text.replace(/;.*;/, ';')),
      [
        "etcd at etcd1:2379: etcd's grpc-proxy answers there, and it renews leases on its own schedule; it is not used",
      ],
    );
  });
});

void describe('when every endpoint refuses', () => {
  const went: readonly (readonly [string, (etcd: KindEtcd) => (call: FakeCall) => void, RegExp])[] = [
    [
      'a store that has gone back',
      () => (call) => {
        call.refuse('stale', 'its revision went back to 5');
      },
      /^Lock lost - etcd at etcd0:2379: its revision went back to 5; etcd1:2379: its revision went back/,
    ],
    [
      'a cluster that is not the expected one any more',
      () => (call) => {
        call.refuse('wrongCluster', 'belongs to another');
      },
      /^Lock lost - etcd at etcd0:2379: belongs to another; etcd1:2379: belongs to another/,
    ],
    [
      'two members on each connection',
      (etcd) => (call) => {
        if (call.name === 'keepAlive')
          call.answer('keepAlive', { ttlMs: 9_000, header: headerOf({ memberId: '5' }) });
        else etcd.serve(call);
      },
      /^Lock lost - etcd at .*several members answer on one connection/,
    ],
  ];
  for (const [what, serve, line] of went) {
    void it(`${what} loses the lock at the next renewal, not at the deadline`, async () => {
      const { stage, etcd, other } = await holding();
      other.onCall = etcd.serve;
      await stage.clock.advance(4_100);
      stage.serveAll(serve(etcd));
      const tookMs = await stage.clock.advanceUntil(() => stage.stdout.includes('closed'), 8_000);
      await settle();
      assert.match(stage.errors.join(), line);
      assert.ok(tookMs <= 2_100, `${tookMs} ms`);
    });
  }

  void it('one that refuses and one that is silent are waited for', async () => {
    const { stage, etcd, home, other } = await holding();
    other.onCall = etcd.serve;
    await stage.clock.advance(4_100);
    home.onCall = (call) => {
      call.refuse('stale');
    };
    other.onCall = () => undefined;
    await stage.clock.advance(4_000);
    assert.deepEqual(stage.stdout, ['0']);
    home.onCall = etcd.serve;
    await stage.clock.advance(10_000);
    assert.deepEqual(stage.stdout, ['0']);
  });
});
