import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LeaseId } from '../../../src/cluster/member.ts';
import { EXIT } from '../../../src/lock/lifecycle.ts';
import { settle } from '../../support/fake-clock.ts';
import { type FakeCall, headerOf, KindEtcd } from '../../support/fake-member.ts';
import { FakeStage, LEASE } from '../../support/fake-stage.ts';

/** A member with a store of its own, and its own name in the member list. */
function lonely(): KindEtcd {
  const etcd = new KindEtcd();
  etcd.members = [{ id: '1', clientUrls: ['http://localhost:2379'] }];
  return etcd;
}

/** Serves all but the calls of this name. */
function except(name: FakeCall['name'], serve: (call: FakeCall) => void): (call: FakeCall) => void {
  return (call) => {
    if (call.name !== name) serve(call);
  };
}

/** What a start answers where each member is served like this, and after how long. */
async function answered(
  serves: readonly ((call: FakeCall) => void)[],
): Promise<{ stage: FakeStage; byte: string | undefined; tookMs: number }> {
  const stage = new FakeStage(serves.length);
  stage.fakes.forEach((fake, index) => {
    fake.onCall = serves[index] ?? (() => undefined);
  });
  stage.takeAndHold();
  await settle();
  const tookMs = await stage.clock.advanceUntil(() => stage.stdout.length > 0, 4_000);
  return { stage, byte: stage.stdout[0], tookMs };
}

void describe('before the 0', () => {
  void it('the other members are connected to and asked for the key, and nothing of it is waited for twice', async () => {
    const etcd = new KindEtcd();
    const { stage, byte, tookMs } = await answered([etcd.serve, etcd.serve, etcd.serve]);
    assert.deepEqual([byte, tookMs < 10], ['0', true]);
    for (const other of stage.fakes.slice(1)) {
      assert.equal(other.connects, 1);
      assert.deepEqual(
        other.calls.map(({ name }) => name),
        ['readKey'],
      );
    }
  });

  void it('a contender asks the other members nothing', async () => {
    const etcd = new KindEtcd();
    await answered([etcd.serve, etcd.serve]);
    const second = new FakeStage(2);
    second.serveAll(etcd.serve);
    second.takeAndHold();
    await second.clock.advanceUntil(() => second.stdout.length > 0, 1_000);
    assert.deepEqual([second.stdout[0], second.fakes[1]?.calls, second.fakes[1]?.connects], ['1', [], 0]);
  });

  void it('other members that are silent cost a hedge delay, those that fail nothing', async () => {
    const etcd = new KindEtcd();
    const silent = await answered([etcd.serve, () => undefined, () => undefined]);
    assert.equal(silent.byte, '0');
    assert.ok(silent.tookMs >= 240 && silent.tookMs <= 260, `${silent.tookMs} ms`);
    const failing = await answered([
      new KindEtcd().serve,
      (call) => {
        call.refuse('unavailable');
      },
    ]);
    assert.deepEqual([failing.byte, failing.tookMs < 10], ['0', true]);
  });

  for (const name of ['keepAlive', 'listMembers'] as const) {
    void it(`a member that does not answer ${name} costs 600 ms, not the lock`, async () => {
      const { byte, tookMs } = await answered([except(name, new KindEtcd().serve)]);
      assert.equal(byte, '0');
      assert.ok(tookMs >= 590 && tookMs <= 610, `${tookMs} ms`);
    });
  }

  void it('two stores answer 3, in any order, and leave nothing behind', async () => {
    for (const count of [2, 3]) {
      const etcds = Array.from({ length: count }, lonely);
      const { stage, byte } = await answered(etcds.map(({ serve }) => serve));
      assert.equal(byte, '3');
      assert.match(
        stage.errors.join(),
        /^Cannot take the cluster lock: etcd at etcd\d:2379: is another store \(cluster 0x7, member 0x1\) than etcd0:2379 \(cluster 0x7, member 0x1\), which has the key of the lock; list only members of one cluster in hosts$/,
      );
      await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 2_000);
      assert.equal(stage.exitStatus, EXIT.failed);
      assert.deepEqual(
        etcds.map(({ key, leaseId }) => [key, leaseId]),
        etcds.map(() => [null, undefined]),
      );
    }
  });

  void it('a store whose other endpoints are silent, and which has no such members, answers 3', async () => {
    const { stage, byte } = await answered([() => undefined, lonely().serve]);
    assert.equal(byte, '3');
    assert.match(
      stage.errors.join(),
      /etcd0:2379 did not answer, and cannot be a member of the cluster of etcd1:2379: the configuration names more endpoints \(2\) than its members have \(1\)/,
    );
  });

  void it('an endpoint that is read without the key, and whose log is silent, is waited for and answers 3', async () => {
    const { byte, stage, tookMs } = await answered([
      new KindEtcd().serve,
      except('confirmKey', lonely().serve),
    ]);
    assert.equal(byte, '3');
    assert.ok(tookMs > 1_000, `${tookMs} ms`);
    assert.match(
      stage.errors.join(),
      /etcd1:2379: does not show the key of the lock, and then did not answer, so it may be another store than etcd0:2379; list only members of one cluster in hosts$/,
    );
  });

  void it('an old read whose log answers late, with the key, costs time, not the lock', async () => {
    const etcd = new KindEtcd();
    const stage = new FakeStage(2);
    const [first, second] = stage.fakes;
    assert.ok(first !== undefined && second !== undefined);
    first.onCall = etcd.serve;
    second.onCall = (call) => {
      if (call.name === 'readKey') call.answer('readKey', { oldest: null });
      else if (call.name === 'confirmKey')
        stage.clock.at(stage.clock.now() + 1_000, () => {
          etcd.serve(call);
        });
      else etcd.serve(call);
    };
    stage.takeAndHold();
    const tookMs = await stage.clock.advanceUntil(() => stage.stdout.length > 0, 4_000);
    assert.equal(stage.stdout[0], '0');
    assert.ok(tookMs >= 1_000 && tookMs <= 1_100, `${tookMs} ms`);
  });

  const refusesList = (serve: (call: FakeCall) => void) => (call: FakeCall) => {
    if (call.name === 'listMembers') call.refuse('permission');
    else serve(call);
  };

  void it('without a member list, others that are silent are waited for and answer 3', async () => {
    for (const other of [
      () => undefined,
      (call: FakeCall) => {
        call.refuse('unavailable');
      },
    ]) {
      const { byte, stage } = await answered([refusesList(lonely().serve), other]);
      assert.equal(byte, '3');
      assert.match(
        stage.errors.join(),
        /etcd0:2379: does not show its member list, and etcd1:2379 did not answer, so they may be of another cluster; list only members of one cluster in hosts$/,
      );
    }
  });

  void it('without a member list, one other member that has the key is enough, however late', async () => {
    const etcd = new KindEtcd();
    const stage = new FakeStage(3);
    const [first, second] = stage.fakes;
    assert.ok(first !== undefined && second !== undefined);
    first.onCall = refusesList(etcd.serve);
    second.onCall = (call) => {
      stage.clock.at(stage.clock.now() + 1_000, () => {
        if (call.name !== 'readKey') refusesList(etcd.serve)(call);
        else call.answer('readKey', { header: headerOf({ memberId: '2' }), oldest: etcd.key });
      });
    };
    stage.takeAndHold();
    const tookMs = await stage.clock.advanceUntil(() => stage.stdout.length > 0, 4_000);
    assert.equal(stage.stdout[0], '0');
    assert.ok(tookMs >= 1_000 && tookMs <= 1_100, `${tookMs} ms`);
  });

  void it('a transaction that was sent to two stores answers 3, though it put the same key in both', async () => {
    const first = lonely();
    const second = lonely();
    first.members = second.members = [...first.members, ...first.members];
    const stage = new FakeStage(2);
    const [slow, quick] = stage.fakes;
    assert.ok(slow !== undefined && quick !== undefined);
    const losing =
      (name: FakeCall['name'], serve: (call: FakeCall) => void) =>
      (call: FakeCall): void => {
        serve(call.name === name ? Object.assign(call, { answer: () => undefined }) : call);
      };
    slow.onCall = losing('grant', first.serve);
    quick.onCall = losing('lock', second.serve);
    stage.takeAndHold();
    await stage.clock.advanceUntil(() => stage.stdout.length > 0, 4_000);
    assert.deepEqual(
      stage.fakes.map((fake) => fake.callsOf('lock').length),
      [1, 1],
    );
    assert.equal(stage.stdout[0], '3');
    assert.match(stage.errors.join(), /etcd1:2379: is another store .* than etcd0:2379/);
  });

  void it('a key that is written by hand in that moment is no other store', async () => {
    const etcd = new KindEtcd();
    const { byte } = await answered([
      etcd.serve,
      (call) => {
        if (etcd.key !== null) etcd.key = { ...etcd.key, leaseId: '0' as LeaseId };
        etcd.serve(call);
      },
    ]);
    assert.equal(byte, '0');
  });

  void it("etcd's grpc-proxy answers 3, whichever way it shows itself", async () => {
    const made = new KindEtcd();
    const shown = new KindEtcd();
    const byList = (call: FakeCall): void => {
      if (call.name === 'listMembers') call.answer('listMembers', { header: null, members: [] });
      else made.serve(call);
    };
    const byTtl = (call: FakeCall): void => {
      if (call.name === 'keepAlive' && call.leaseId !== LEASE) call.answer('keepAlive', { ttlMs: -1_000 });
      else shown.serve(call);
    };
    for (const serve of [byList, byTtl]) {
      const { stage, byte } = await answered([serve]);
      assert.equal(byte, '3');
      assert.match(
        stage.errors.join(),
        /^Cannot take the cluster lock: etcd at etcd0:2379: etcd's grpc-proxy answers there.*; list the addresses of the members in hosts$/,
      );
    }
  });
});
