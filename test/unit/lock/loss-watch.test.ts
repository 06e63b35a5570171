import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { watchForLoss } from '../../../src/lock/loss-watch.ts';
import { settle } from '../../support/fake-clock.ts';
import type { FakeWatch } from '../../support/fake-member.ts';
import { FakeStage } from '../../support/fake-stage.ts';

interface Scene {
  readonly stage: FakeStage;
  readonly stop: AbortController;
  readonly isOver: () => boolean;
  readonly hurries: () => number;
  readonly proofs: { provenRevision: bigint; renewNow: () => void };
}

function watching(): Scene {
  const stage = new FakeStage(2);
  const stop = new AbortController();
  let hurries = 0;
  let isOver = false;
  const proofs = {
    provenRevision: 20n,
    renewNow: () => {
      hurries += 1;
    },
  };
  void watchForLoss({ key: '/d/1a' }, proofs, stage.tools(), stop.signal).then(() => {
    isOver = true;
  });
  return { stage, stop, proofs, isOver: () => isOver, hurries: () => hurries };
}

function watchOf({ stage }: Scene, member = 0, index = 0): FakeWatch {
  const found = stage.fakes[member]?.watches[index];
  assert.ok(found !== undefined, `no watch ${index} on member ${member}`);
  return found;
}

void describe('the watch for the loss of the key', () => {
  void it('starts after the last revision in which the key is known to have been there', () => {
    const { key, fromRevision } = watchOf(watching());
    assert.deepEqual([key, fromRevision], ['/d/1a', 21n]);
  });

  void it('ends with the first deletion, and stops what it watched', async () => {
    const scene = watching();
    watchOf(scene).onDelete();
    await settle();
    assert.deepEqual([scene.isOver(), watchOf(scene).isStopped], [true, true]);
    assert.equal(scene.stage.clock.pending, 0);
  });

  void it('has the lock proven at once when somebody writes, and goes on', async () => {
    const scene = watching();
    watchOf(scene).onPut();
    await settle();
    assert.deepEqual([scene.isOver(), scene.hurries()], [false, 1]);
  });

  void it('is opened anew after it broke, but not at once, and from the latest proof on', async () => {
    const scene = watching();
    watchOf(scene).onEnd('no leader');
    scene.proofs.provenRevision = 30n;
    await scene.stage.clock.advance(499);
    assert.equal(scene.stage.fake.watches.length, 1);
    await scene.stage.clock.advance(1);
    assert.equal(watchOf(scene, 0, 1).fromRevision, 31n);
    assert.equal(scene.isOver(), false);
  });

  void it('stays open as long as it says nothing, for silence proves nothing', async () => {
    const scene = watching();
    await scene.stage.clock.advance(3_600_000);
    assert.deepEqual([scene.stage.fake.watches.length, watchOf(scene).isStopped], [1, false]);
  });

  void it('moves to the member that answers', async () => {
    const scene = watching();
    scene.stage.members.preferNext();
    await scene.stage.clock.advance(1_000);
    assert.equal(watchOf(scene).isStopped, true);
    assert.equal(watchOf(scene, 1).isStopped, false);
  });

  void it('leaves nothing behind when nobody wants it any more', async () => {
    const scene = watching();
    scene.stop.abort('over');
    await settle();
    assert.deepEqual([scene.isOver(), watchOf(scene).isStopped], [true, true]);
    assert.equal(scene.stage.clock.pending, 0);
  });
});
