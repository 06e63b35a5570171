import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXIT } from '../../../src/lock/lifecycle.ts';
import { settle } from '../../support/fake-clock.ts';
import { KindEtcd } from '../../support/fake-member.ts';
import { FakeStage, LEASE, stageThatHolds } from '../../support/fake-stage.ts';

function sent(stage: FakeStage, name: string): number {
  return stage.allCalls.filter((call) => call.name === name).length;
}

void describe('a holder', () => {
  void it('renews at its pace and feeds the watchdog with each proof', async () => {
    const { stage } = await stageThatHolds();
    await stage.clock.advance(8_000);
    const keepAlives = stage.fake.callsOf('keepAlive').filter(({ leaseId }) => leaseId === LEASE);
    // One more before the `0`.
    assert.deepEqual([sent(stage, 'confirmKey'), keepAlives.length], [4, 1 + 4]);
    const limits = stage.fed.filter((each) => typeof each === 'number');
    assert.equal(limits.length, 5);
    assert.equal(limits[4], 1_000 + 8_000 + 7_500 + 200);
  });

  void it('renews at once when the take has used up the time until the first renewal', async () => {
    const stage = new FakeStage(1, 5_000, 1_000);
    const etcd = new KindEtcd();
    etcd.ttlMs = 5_000;
    const startMs = stage.clock.now();
    stage.fake.onCall = (call) => {
      // The grant is answered, and then etcd is silent until shortly before the answer is due.
      if (call.name !== 'lock' || stage.clock.now() - startMs > 3_000) etcd.serve(call);
    };
    stage.takeAndHold();
    const tookMs = await stage.clock.advanceUntil(() => stage.stdout.length > 0, 3_700);
    assert.deepEqual(stage.stdout, ['0']);
    assert.ok(tookMs > 3_000, `${tookMs} ms`);
    await stage.clock.advance(10_000);
    assert.deepEqual(stage.stdout, ['0'], stage.errors.join());
  });

  void it('lets go at SIGTERM: stdout first, then the watchdog, then the lease', async () => {
    const { stage, etcd } = await stageThatHolds();
    let openAtRevoke: boolean | undefined;
    stage.serveAll((call) => {
      if (call.name === 'revoke') openAtRevoke = !stage.stdout.includes('closed');
      etcd.serve(call);
    });
    stage.termination.abort();
    await settle();
    assert.deepEqual([stage.exitStatus, openAtRevoke], [EXIT.released, false]);
    assert.deepEqual([etcd.key, etcd.leaseId, stage.fed.at(-1)], [null, undefined, 'release']);
    assert.deepEqual(stage.errors, []);
  });

  void it('is gone within 2 s of SIGTERM even when etcd is silent', async () => {
    const { stage } = await stageThatHolds(3);
    stage.serveAll(() => undefined);
    stage.termination.abort();
    const tookMs = await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 3_000);
    assert.ok(tookMs < 2_000, `${tookMs} ms`);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
  });

  void it('lets go when its parent is another', async () => {
    const { stage, etcd } = await stageThatHolds();
    stage.parentPid = 1;
    const tookMs = await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 3_000);
    assert.ok(tookMs <= 510, `${tookMs} ms`);
    assert.deepEqual([stage.exitStatus, etcd.leaseId], [EXIT.released, undefined]);
  });

  void it('proves the lock at once when somebody writes to its key', async () => {
    const { stage } = await stageThatHolds();
    await stage.clock.advance(100);
    stage.fake.watches[0]?.onPut();
    await settle();
    assert.equal(sent(stage, 'confirmKey'), 1);
  });

  void it('opens a watch anew that broke, from the last proof on, and keeps the lock', async () => {
    const { stage, etcd } = await stageThatHolds();
    assert.equal(stage.fake.watches[0]?.fromRevision, 12n);
    etcd.revision = 40n;
    await stage.clock.advance(2_100);
    stage.fake.watches.forEach((watch) => {
      watch.onEnd('compacted');
    });
    await stage.clock.advance(510);
    assert.equal(stage.fake.watches[1]?.fromRevision, 41n);
    assert.deepEqual(stage.stdout, ['0']);
  });

  void it('watches where answers come from', async () => {
    const { stage, etcd } = await stageThatHolds(2);
    const [first, second] = stage.fakes;
    assert.ok(first !== undefined && second !== undefined);
    first.onCall = () => undefined;
    second.onCall = etcd.serve;
    await stage.clock.advance(4_000);
    assert.equal(first.watches[0]?.isStopped, true);
    assert.equal(second.watches.length, 1);
    second.watches[0]?.onDelete();
    await settle();
    assert.equal(stage.exitStatus, EXIT.lost);
  });

  void it('proves the lock anew within two attempts, or gives it up, when the wall clock jumps ahead', async () => {
    for (const isServed of [true, false]) {
      const { stage, etcd } = await stageThatHolds();
      stage.serveAll(isServed ? etcd.serve : () => undefined);
      stage.clock.wallOffsetMs += 60_000;
      await stage.clock.advance(500 + 3_000 + 10);
      assert.deepEqual(stage.stdout, isServed ? ['0'] : ['0', 'closed']);
    }
  });

  void it('does not mind a wall clock that is set back', async () => {
    const { stage } = await stageThatHolds();
    const before = stage.fed.length;
    stage.clock.wallOffsetMs -= 3_600_000;
    await stage.clock.advance(1_000);
    assert.deepEqual([stage.fed.length, stage.stdout], [before, ['0']]);
  });

  void it('has its watchdog started while the lease is being granted', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    stage.serveAll((call) => {
      if (call.name !== 'grant') etcd.serve(call);
      else assert.deepEqual(stage.fed, []);
    });
    stage.takeAndHold();
    await stage.clock.advance(10);
    assert.equal(sent(stage, 'grant'), 1);
    assert.deepEqual([stage.fed, stage.stdout], [['start'], []]);
  });

  void it('is ended by a refusal only when that lasts until the deadline', async () => {
    const { stage } = await stageThatHolds();
    stage.serveAll((call) => {
      call.refuse('permission', 'permission denied');
    });
    await stage.clock.advance(7_400);
    assert.deepEqual(stage.stdout, ['0']);
    await stage.clock.advance(200);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
    assert.match(stage.errors.join(), /permission denied/);
  });

  void it('leaves no timer, no watch and no watchdog behind', async () => {
    const { stage } = await stageThatHolds(3);
    await stage.clock.advance(5_000);
    stage.termination.abort();
    await settle();
    assert.equal(stage.exitStatus, EXIT.released);
    assert.equal(stage.clock.pending, 0);
    assert.ok(stage.fakes.every(({ watches }) => watches.every(({ isStopped }) => isStopped)));
  });
});

void describe('a contender', () => {
  void it('that PID 1 has started takes nothing and says why', async () => {
    const stage = new FakeStage(1);
    stage.parentPid = 1;
    stage.takeAndHold();
    await settle();
    assert.deepEqual([stage.stdout, stage.exitStatus], [['3', 'closed'], EXIT.failed]);
    assert.match(stage.errors.join(), /PID 1/);
    assert.deepEqual(stage.allCalls, []);
  });

  void it('that is told to go while it asks writes no byte and leaves nothing', async () => {
    for (const waitMs of [0, 200, 1_000]) {
      const stage = new FakeStage(1);
      const etcd = new KindEtcd();
      stage.fake.onCall = (call) => {
        if (call.name === 'revoke' || waitMs === 0) etcd.serve(call);
        else if (call.name === 'readOldest') etcd.serve(call);
        else if (call.name === 'grant') {
          stage.clock.at(stage.clock.now() + waitMs + 50, () => {
            etcd.serve(call);
          });
        }
      };
      stage.takeAndHold();
      await stage.clock.advance(waitMs);
      stage.termination.abort();
      await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 2_000);
      await stage.clock.advance(5_000);
      assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined], `after ${waitMs} ms`);
      assert.ok(waitMs === 0 || stage.stdout.join() === 'closed', stage.stdout.join());
    }
  });

  void it('sends no transaction for a lease that came after it was told to go', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    stage.fake.onCall = (call) => {
      if (call.name !== 'grant') etcd.serve(call);
    };
    stage.takeAndHold();
    await stage.clock.advance(100);
    stage.termination.abort();
    await settle();
    const grant = stage.fake.callsOf('grant')[0];
    assert.ok(grant !== undefined);
    etcd.serve(grant);
    await stage.clock.advance(3_000);
    assert.deepEqual(stage.fake.callsOf('lock'), []);
    assert.equal(etcd.leaseId, undefined);
  });
});
