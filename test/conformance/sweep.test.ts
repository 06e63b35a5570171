import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';

const STEP_MS = 5;
const LAST_MS = 600;
const LATEST_MS = 3_000;
const LATE_STEP_MS = 50;
const FEW = 5;
// The release budget (2 s, src/config/timing.ts), and something for a busy machine to run the helper.
const EXIT_WITHIN_MS = 2_500;

test('a SIGTERM at every 5 ms of the first 600 ms leaves nothing behind, and the next helper holds at once', async (t) => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  const seen = { beforeAnswer: 0, afterAnswer: 0, slowestExitMs: 0 };
  // On a busy machine the answer may come later than that; the sweep goes on until it has been there a few times.
  const isDone = (afterMs: number): boolean =>
    afterMs > LAST_MS && (seen.afterAnswer >= FEW || afterMs > LATEST_MS);
  const stepAt = (afterMs: number): number => (afterMs < LAST_MS ? STEP_MS : LATE_STEP_MS);
  for (let termAfterMs = STEP_MS; !isDone(termAfterMs); termAfterMs += stepAt(termAfterMs)) {
    const when = `SIGTERM after ${termAfterMs} ms`;
    const swept = await bench.run({ termAfterMs });
    const exit = await swept.exited();
    const exitMs = exit.atMs - swept.startedAtMs - termAfterMs;
    assert.ok(exitMs < EXIT_WITHIN_MS, `${when}: exit took ${exitMs} ms`);
    assert.ok(swept.bytes === '' || swept.bytes === '0', `${when}: stdout is "${swept.bytes}"`);
    // Before the program has its signal handler the kernel ends it, and it cannot have asked for anything yet.
    if (exit.signal === undefined) assert.equal(exit.status, 0, `${when}: ${swept.stderr}`);
    else assert.deepEqual([exit.signal, swept.bytes], ['SIGTERM', ''], when);
    assert.equal(swept.stderr, '', when);
    assert.deepEqual(await bench.leftovers(), [], when);

    const next = await bench.run();
    assert.equal(await next.answer(), '0', `${when}, the next helper: ${next.stderr}`);
    assert.equal((await next.release()).status, 0, when);
    assert.deepEqual(await bench.leftovers(), [], `${when}, after the next helper`);

    if (swept.bytes === '') seen.beforeAnswer += 1;
    else seen.afterAnswer += 1;
    seen.slowestExitMs = Math.max(seen.slowestExitMs, exitMs);
  }
  t.diagnostic(JSON.stringify(seen));
  // Otherwise the sweep missed the very thing it is about, on one side or the other.
  assert.ok(seen.beforeAnswer >= FEW && seen.afterAnswer >= FEW, JSON.stringify(seen));
});
