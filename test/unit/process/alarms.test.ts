import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBeat } from '../../../src/base/clock.ts';
import { makeRealClock } from '../../../src/process/real-clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** Blocks this process, as a freeze does. */
function stallFor(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

void test('alarms of the real clock come at or after their time, in the order of their times', async () => {
  const clock = makeRealClock();
  const startMs = clock.now();
  const came: { afterMs: number; lateMs: number }[] = [];
  await Promise.all(
    [40, 10, 30, 0, 20].map(
      (afterMs) =>
        new Promise<void>((resolve) => {
          const atMs = startMs + afterMs;
          clock.at(atMs, () => {
            came.push({ afterMs, lateMs: clock.now() - atMs });
            resolve();
          });
        }),
    ),
  );
  assert.deepEqual(
    came.map(({ afterMs }) => afterMs),
    [0, 10, 20, 30, 40],
  );
  for (const { afterMs, lateMs } of came) assert.ok(lateMs >= 0, `the one after ${afterMs} ms came early`);
});

void test('an alarm that was stopped does not come, and holds up no other', async () => {
  const clock = makeRealClock();
  const came: string[] = [];
  await new Promise<void>((resolve) => {
    const stop = clock.at(clock.now() + 5, () => came.push('stopped'));
    clock.at(clock.now() + 10, () => {
      came.push('first');
      stopLast();
      clock.at(clock.now() + 5, () => {
        resolve();
      });
    });
    const stopLast = clock.at(clock.now() + 12, () => came.push('stopped by another'));
    stop();
    stop();
  });
  assert.deepEqual(came, ['first']);
});

void test('after a freeze, what follows from one alarm comes before the next', async () => {
  const clock = makeRealClock();
  const came: string[] = [];
  const atMs = clock.now() + 1;
  await new Promise<void>((resolve) => {
    clock.at(atMs + 1, () => {
      came.push('second');
      resolve();
    });
    clock.at(atMs, () => {
      came.push('first');
      void Promise.resolve().then(() => came.push('what follows'));
    });
    stallFor(20);
  });
  assert.deepEqual(came, ['first', 'what follows', 'second']);
});

void test('what comes on every beat comes on each, until it is stopped, and does not keep the process', async () => {
  const clock = makeRealClock();
  const beats: number[] = [];
  await new Promise<void>((resolve) => {
    const stop = clock.every(20, (nowMs) => {
      beats.push(Math.floor(nowMs / 20));
      if (beats.length < 5) return;
      stop();
      stop();
      clock.at(nowMs + 60, () => {
        resolve();
      });
    });
    assert.equal(beats.length, 0, 'not from within the call');
  });
  assert.equal(beats.length, 5);
  assert.deepEqual(
    beats,
    [...new Set(beats)].sort((a, b) => a - b),
    'each beat once',
  );
});

void test('a beat that was missed in a freeze comes once, and the next one at its time', async () => {
  const clock = makeRealClock();
  const cameMs: number[] = [];
  await new Promise<void>((resolve) => {
    const stop = clock.every(50, (nowMs) => {
      cameMs.push(nowMs);
      if (cameMs.length === 1) stallFor(170);
      if (cameMs.length < 3) return;
      stop();
      resolve();
    });
  });
  const [first = 0, second = 0, third = 0] = cameMs.map((ms) => Math.floor(ms / 50));
  assert.ok(second - first >= 3, `${second - first} beats`);
  assert.ok(third > second, 'never twice in one beat');
});

void test('an alarm that is nearly a beat away comes at most 10 ms late, an earlier one is not held up', async () => {
  const clock = makeRealClock();
  const startMs = clock.now();
  const late: number[] = [];
  await Promise.all(
    [492, 498, 30].map(
      (afterMs) =>
        new Promise<void>((resolve) => {
          const atMs = startMs + afterMs;
          clock.at(atMs, (nowMs) => {
            late.push(nowMs - atMs);
            resolve();
          });
        }),
    ),
  );
  for (const ms of late) assert.ok(ms >= 0, `${ms} ms`);
});

void test('the next beat lies in the future, and is the same for all that ask within one', async () => {
  const clock = new FakeClock();
  await clock.advance(10_120);
  const first = nextBeat(clock.now(), 500);
  await clock.advance(300);
  assert.equal(nextBeat(clock.now(), 500), first);
  await clock.advance(first - clock.now());
  assert.equal(nextBeat(clock.now(), 500), first + 500);
});
