import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeRealClock } from '../../../src/process/real-clock.ts';

/** The kernel's clocks, turned by hand; what `between` does happens after the next look at the uptime. */
function machine() {
  let [monotonicMs, suspendedMs, steppedMs, looks] = [1_000, 0, 0, 0];
  let between: () => void = () => undefined;
  const clock = makeRealClock(
    () => monotonicMs,
    () => {
      looks += 1;
      // In steps of 10 ms.
      const shownMs = Math.floor((monotonicMs + suspendedMs + 500_000) / 10) * 10;
      const happen = between;
      between = () => undefined;
      happen();
      return shownMs;
    },
    () => monotonicMs + suspendedMs + steppedMs + 1_700_000_000_000,
  );
  return {
    clock,
    looks: (): number => looks,
    uptime: (): number => monotonicMs + suspendedMs + 500_000,
    run: (ms: number): void => void (monotonicMs += ms),
    suspend: (ms: number): void => void (suspendedMs += ms),
    /** The wall clock alone. */
    step: (ms: number): void => void (steppedMs += ms),
    /** Between the looks at the two clocks, when they are next compared. */
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
    run(2_000);
    clock.now();
    run(90);
    assert.ok(Math.abs(clock.now() - startMs - 5_090) <= 10, `${clock.now() - startMs} ms`);
  });

  void it('knows of a suspend between its two looks at the next one', () => {
    const { clock, run, suspend, next } = machine();
    const startMs = clock.now();
    next(() => {
      suspend(3_000);
    });
    run(2_000);
    clock.now();
    assert.ok(Math.abs(clock.now() - startMs - 5_000) <= 10);
  });

  void it('does not look at the uptime while the wall clock keeps step', () => {
    const { clock, looks, run, step } = machine();
    const startMs = clock.now();
    const looksBefore = looks();
    for (let ms = 1; ms < 2_000; ms += 1) {
      run(1);
      // NTP slews by 500 ppm at most.
      step(0.0005);
      assert.ok(clock.now() - startMs - ms < 0.001);
    }
    assert.equal(looks(), looksBefore);
    run(1);
    clock.now();
    assert.equal(looks(), looksBefore + 1);
  });

  void it('counts a suspend at once when the wall clock shows it', () => {
    const { clock, suspend } = machine();
    const startMs = clock.now();
    suspend(3_000);
    assert.ok(Math.abs(clock.now() - startMs - 3_000) <= 10);
  });

  void it('counts a suspend within two seconds when somebody has put the wall clock back by as much', () => {
    const { clock, run, suspend, step } = machine();
    const startMs = clock.now();
    suspend(3_000);
    step(-3_000);
    run(2_000);
    assert.ok(Math.abs(clock.now() - startMs - 5_000) <= 10);
  });

  void it('knows what the uptime will be, whether it has seen a suspend or not', () => {
    const { clock, uptime, run, suspend } = machine();
    const untilMs = clock.now() + 7_000;
    const toldMs = clock.uptimeOf(untilMs);
    assert.ok(Math.abs(toldMs - uptime() - 7_000) <= 10);
    run(1_000);
    suspend(3_000);
    // As long after the start as before, though the clock has not been looked at since.
    assert.equal(clock.uptimeOf(untilMs), toldMs);
    assert.ok(Math.abs(clock.now() + 3_000 - untilMs) <= 10);
    assert.equal(clock.uptimeOf(untilMs), toldMs);
    assert.ok(Math.abs(clock.uptimeOf(clock.now()) - uptime()) <= 10);
  });

  void it('does not take a step of the wall clock for a suspend', () => {
    const { clock, run, step } = machine();
    const startMs = clock.now();
    for (const ms of [3_600_000, -7_200_000, 30, -30]) {
      step(ms);
      run(1);
      clock.now();
    }
    assert.equal(clock.now() - startMs, 4);
  });

  void it('never steps back, whatever happens between two looks', () => {
    const { clock, run, suspend, next } = machine();
    let beforeMs = clock.now();
    for (const ms of [3, 40, 60, 2_000, 7, 500]) {
      for (const happen of [run, suspend]) {
        next(() => {
          happen(ms);
        });
        run(2_000);
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
