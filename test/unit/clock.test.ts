import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeRealClock } from '../../src/clock.ts';

/** The kernel's two clocks, turned by hand; what `between` does happens after the first look at either of them. */
function machine() {
  let [monotonicMs, suspendedMs] = [1_000, 0];
  let between: () => void = () => undefined;
  const interrupted = (shown: number): number => {
    const happen = between;
    between = () => undefined;
    happen();
    return shown;
  };
  const clock = makeRealClock(
    () => interrupted(monotonicMs),
    // In steps of 10 ms.
    () => interrupted(Math.floor((monotonicMs + suspendedMs + 500_000) / 10) * 10),
  );
  return {
    clock,
    run: (ms: number): void => void (monotonicMs += ms),
    suspend: (ms: number): void => void (suspendedMs += ms),
    /** Between the two looks that the next question takes. */
    next: (happen: () => void): void => void (between = happen),
  };
}

void describe('the real clock', () => {
  void it('counts a suspend, once', () => {
    const { clock, run, suspend } = machine();
    const startMs = clock.now();
    suspend(3_000);
    run(100);
    for (let look = 0; look < 3; look += 1) assert.ok(Math.abs(clock.now() - startMs - 3_100) <= 10);
  });

  void it('takes a freeze between its two looks for what it is, and not for a suspend as well', () => {
    const { clock, run, next } = machine();
    const startMs = clock.now();
    next(() => {
      run(3_000);
    });
    clock.now();
    run(100);
    assert.ok(Math.abs(clock.now() - startMs - 3_100) <= 10, `${clock.now() - startMs} ms`);
  });

  void it('knows of a suspend between its two looks at the next one', () => {
    const { clock, suspend, next } = machine();
    const startMs = clock.now();
    next(() => {
      suspend(3_000);
    });
    clock.now();
    assert.ok(Math.abs(clock.now() - startMs - 3_000) <= 10);
  });

  void it('never steps back, whatever happens between two looks', () => {
    const { clock, run, suspend, next } = machine();
    let beforeMs = clock.now();
    for (const ms of [3, 40, 60, 2_000, 7, 500]) {
      for (const happen of [run, suspend]) {
        next(() => {
          happen(ms);
        });
        for (let look = 0; look < 3; look += 1) {
          const nowMs = clock.now();
          assert.ok(nowMs >= beforeMs, `${nowMs} after ${beforeMs}`);
          beforeMs = nowMs;
        }
      }
    }
  });

  void it('goes by the monotonic clock alone where there is no uptime', () => {
    let monotonicMs = 5;
    const clock = makeRealClock(
      () => monotonicMs,
      () => NaN,
    );
    assert.equal(clock.now(), 5);
    monotonicMs = 25;
    assert.equal(clock.now(), 25);
  });
});
