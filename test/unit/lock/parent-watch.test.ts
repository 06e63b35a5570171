import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParentWatch } from '../../../src/lock/parent-watch.ts';

function watchOf(pids: readonly number[], readers: readonly number[] = []): ParentWatch {
  let looks = 0;
  return new ParentWatch({
    self: { bootId: '', namespaces: '', pid: 1, startTicks: 1 },
    hostName: '',
    parentPid: () => pids[Math.min(looks++, pids.length - 1)] ?? 0,
    readsAnswer: (pid) => readers.includes(pid),
    isDead: () => false,
    isEnding: () => false,
  });
}

test('a helper that PID 1 has adopted has nobody to answer to', () => {
  assert.equal(watchOf([1]).isOrphan(), true);
  assert.equal(watchOf([1], [4711]).isOrphan(), true);
  assert.equal(watchOf([4711]).isOrphan(), false);
});

test('PID 1 is a parent where it reads the answer', () => {
  assert.equal(watchOf([1], [1]).isOrphan(), false);
  assert.equal(watchOf([1, 1], [1]).isGone(), false);
});

test('a parent is gone when there is another, be it PID 1 or a reaper of orphans', () => {
  assert.equal(watchOf([4711, 4711]).isGone(), false);
  assert.equal(watchOf([4711, 1]).isGone(), true);
  assert.equal(watchOf([4711, 88]).isGone(), true);
});
