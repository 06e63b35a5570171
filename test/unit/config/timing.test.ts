import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRefreshMs, longestRefreshMs, marginMsOf, timingOf } from '../../../src/config/timing.ts';

const DEFAULTS = { ttlMs: 9_000, refreshMs: 2_000, readTimeoutMs: undefined };

/** Every TTL that the configuration allows. */
const TTLS_MS = Array.from({ length: 299 }, (_, index) => (index + 2) * 1_000);

test('the defaults give the times of the design', () => {
  const { marginMs, ...timing } = timingOf(DEFAULTS);
  assert.equal(marginMs(9_000), 1_500);
  assert.deepEqual(timing, {
    ttlMs: 9_000,
    refreshMs: 2_000,
    attemptMs: 1_500,
    loginMs: 4_500,
    hedgeDelayMs: 250,
    retryDelayMs: 100,
    answerMs: 3_700,
    releaseMs: 1_800,
    parentCheckMs: 500,
  });
});

test('the margin is a sixth of the lease and never less than a second', () => {
  assert.deepEqual(
    [2_000, 5_000, 6_000, 6_600, 9_000, 60_000].map(marginMsOf),
    [1_000, 1_000, 1_000, 1_100, 1_500, 10_000],
  );
});

test('the longest refresh leaves room for two attempts before the deadline', () => {
  assert.deepEqual(
    [2_000, 3_000, 4_000, 7_000, 9_000, 30_000].map((ttlMs) => Math.round(longestRefreshMs(ttlMs))),
    [500, 1_000, 1_500, 2_917, 4_500, 22_000],
  );
});

test('the default refresh is 2 s wherever the lease is long enough for it', () => {
  assert.deepEqual(
    [2_000, 3_000, 4_000, 5_000, 9_000].map(defaultRefreshMs),
    [333, 666, 1_000, 2_000, 2_000],
  );
});

test('every lock_ttl in range works with the default refresh and with the longest one', () => {
  for (const ttlMs of TTLS_MS) {
    for (const refreshMs of [defaultRefreshMs(ttlMs), longestRefreshMs(ttlMs)]) {
      const timing = timingOf({ ttlMs, refreshMs, readTimeoutMs: undefined });
      const windowMs = ttlMs - timing.marginMs(ttlMs);
      assert.ok(refreshMs + 2 * timing.attemptMs <= windowMs + 1e-6, `lock_ttl ${ttlMs} ms`);
    }
  }
});

test('a read_timeout shortens an attempt and never lengthens one', () => {
  assert.equal(timingOf({ ...DEFAULTS, readTimeoutMs: 60_000 }).attemptMs, 1_500);
  const short = timingOf({ ...DEFAULTS, readTimeoutMs: 200 });
  assert.equal(short.attemptMs, 200);
  assert.equal(short.hedgeDelayMs, 100);
});

test('times that contradict each other are refused', () => {
  assert.throws(() => timingOf({ ...DEFAULTS, refreshMs: 4_501 }), /two attempts fit/);
  assert.throws(() => timingOf({ ...DEFAULTS, ttlMs: 301_000 }), /restarts the lease in full/);
  assert.throws(() => timingOf({ ...DEFAULTS, refreshMs: 0 }), /a renewal is due after/);
  assert.throws(
    () => timingOf({ ttlMs: 1_000, refreshMs: 1, readTimeoutMs: undefined }),
    /the margin lies within/,
  );
});
