import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeRealClock, nextBeat } from '../../src/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

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
          clock.at(startMs + afterMs, () => {
            came.push({ afterMs, lateMs: clock.now() - startMs - afterMs });
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

void test('the next beat lies in the future, and is the same for all that ask within one', async () => {
  const clock = new FakeClock();
  await clock.advance(10_120);
  const first = nextBeat(clock.now(), 500);
  await clock.advance(300);
  assert.equal(nextBeat(clock.now(), 500), first);
  await clock.advance(first - clock.now());
  assert.equal(nextBeat(clock.now(), 500), first + 500);
});
