import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Deadline } from '../../../src/lock/deadline.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

function deadlineIn(ms: number): { clock: FakeClock; deadline: Deadline; isOver: () => boolean } {
  const clock = new FakeClock();
  const deadline = new Deadline(clock, clock.now() + ms);
  let isOver = false;
  void deadline.passed.then(() => {
    isOver = true;
  });
  return { clock, deadline, isOver: () => isOver };
}

void describe('Deadline', () => {
  void it('passes at its instant and not before, without anybody looking', async () => {
    const { clock, isOver } = deadlineIn(1_000);
    await clock.advance(999);
    assert.equal(isOver(), false);
    await clock.advance(1);
    assert.equal(isOver(), true);
  });

  void it('is moved to a later instant, and its timer with it', async () => {
    const { clock, deadline, isOver } = deadlineIn(1_000);
    assert.equal(deadline.extendTo(clock.now() + 2_000), true);
    await clock.advance(1_999);
    assert.equal(isOver(), false);
    await clock.advance(1);
    assert.equal(isOver(), true);
  });

  void it('is not moved back by a late proof of an earlier renewal', async () => {
    const { clock, deadline } = deadlineIn(1_000);
    const { atMs } = deadline;
    assert.equal(deadline.extendTo(atMs - 500), true);
    assert.equal(deadline.atMs, atMs);
    await clock.advance(999);
    assert.equal(deadline.hasPassed(), false);
  });

  void it('is not moved once it has passed, even when its timer has not fired yet', async () => {
    const { clock, deadline } = deadlineIn(1_000);
    const { atMs } = deadline;
    await clock.stall(5_000, () => {
      assert.equal(deadline.extendTo(clock.now() + 9_000), false);
    });
    assert.deepEqual([deadline.atMs, deadline.hasPassed()], [atMs, true]);
  });

  void it('stays passed, whatever is tried', async () => {
    const { clock, deadline } = deadlineIn(10);
    await clock.advance(10);
    deadline.shortenTo(clock.now() - 100);
    assert.equal(deadline.extendTo(clock.now() + 1_000), false);
    assert.equal(deadline.hasPassed(), true);
    assert.equal(clock.pending, 0);
  });

  void it('is cut short, and its timer with it, but never lengthened by that', async () => {
    const { clock, deadline, isOver } = deadlineIn(5_000);
    deadline.shortenTo(clock.now() + 9_000);
    assert.equal(deadline.atMs, clock.now() + 5_000);
    deadline.shortenTo(clock.now() + 100);
    await clock.advance(100);
    assert.equal(isOver(), true);
  });

  void it('leaves no timer behind when it is not needed any more', async () => {
    const { clock, deadline } = deadlineIn(5_000);
    deadline.dispose();
    await settle();
    assert.equal(clock.pending, 0);
  });
});
