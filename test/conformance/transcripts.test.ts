// Golden transcripts after samba's ctdb/tests/UNIT/cunit/cluster_mutex_002.sh, told by the packed binary.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { isRunning } from '../support/processes.ts';
import { Story } from '../support/story.ts';
import { waitFor } from '../support/wait.ts';

void describe('what CTDB sees of the helper', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  test('lock-unlock', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await attempt.unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'UNLOCK']);
    assert.equal(attempt.helper.exit?.status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('lock-lock-unlock', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const first = await story.lock();
    const second = await story.lock();
    assert.equal(
      (await bench.leftovers()).length,
      2,
      'the contender leaves nothing beside the holder’s key and lease',
    );
    await first.unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'CONTENTION', 'NOLOCK', 'UNLOCK']);
    assert.equal(second.helper.exit?.status, 1);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('lock-unlock-lock-unlock', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    await (await story.lock()).unlock();
    await (await story.lock()).unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'UNLOCK', 'LOCK', 'UNLOCK']);
  });

  test('lock-cancel-check', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.take();
    await attempt.unlock();
    await attempt.answered();
    assert.deepEqual(story.transcript, ['CANCEL', 'NOLOCK']);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('lock-cancel-unlock', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.take();
    await attempt.unlock();
    await attempt.unlock();
    assert.deepEqual(story.transcript, ['CANCEL', 'UNLOCK']);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('lock-wait-unlock: the lock outlives its lease', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: 5, refresh: 1 });
    const story = new Story(bench);
    const attempt = await story.lock();
    const created = await bench.key();
    const until = performance.now() + 7_000;
    await waitFor('the lease’s time is over', () => performance.now() > until, { withinMs: 8_000 });
    assert.deepEqual(await bench.key(), created);
    await attempt.unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'UNLOCK']);
  });

  test('lock-ppid-gone-lock-unlock: the lock is free within 3 s of the parent’s SIGKILL', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await bench.parent.kill();
    await waitFor('the helper is gone', () => !isRunning(attempt.helper.pid), { withinMs: 3_000 });
    assert.deepEqual(await bench.leftovers(), []);
    bench.restartParent();
    await (await story.lock()).unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'LOCK', 'UNLOCK']);
  });

  test('lock-key-removed: an administrator deletes the key', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await cluster.etcdctl(['del', '--prefix', bench.directory]);
    await attempt.lost();
    assert.equal(story.transcript.length, 3, story.transcript.join('\n'));
    assert.match(story.transcript[1] ?? '', /lock lost - .*deleted/i);
    assert.deepEqual([story.transcript[0], story.transcript[2]], ['LOCK', 'LOST']);
    assert.equal(attempt.helper.exit?.status, 4);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('lock-key-changed: somebody writes to the key', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await cluster.etcdctl(['put', (await bench.key())?.key ?? '', '{}']);
    await attempt.lost();
    assert.equal(story.transcript.length, 3, story.transcript.join('\n'));
    assert.match(story.transcript[1] ?? '', /lock lost - /i);
    assert.equal(story.transcript[2], 'LOST');
    assert.equal(attempt.helper.exit?.status, 4);
  });

  test('lock-lease-revoked: an administrator revokes the lease', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await cluster.etcdctl(['lease', 'revoke', (await bench.key())?.leaseHex ?? '']);
    await attempt.lost();
    assert.equal(story.transcript.length, 3, story.transcript.join('\n'));
    assert.match(story.transcript[1] ?? '', /lock lost - /i);
    assert.equal(story.transcript[2], 'LOST');
    assert.equal(attempt.helper.exit?.status, 4);
  });

  test('after a lost lock the next helper gets it at once', async () => {
    await using bench = await LockBench.make(cluster);
    const story = new Story(bench);
    const attempt = await story.lock();
    await cluster.etcdctl(['del', '--prefix', bench.directory]);
    await attempt.helper.endOfFile();
    await (await story.lock()).unlock();
    assert.deepEqual(story.transcript, ['LOCK', 'LOCK', 'UNLOCK']);
  });

  test('twenty helpers back to back, each started while the one before still lets go', async () => {
    await using bench = await LockBench.make(cluster);
    const helpers = [];
    for (let round = 0; round < 20; round += 1) {
      const helper = await bench.run();
      assert.equal(await helper.answer(), '0', `round ${round}: ${helper.stderr}`);
      helper.signal('SIGTERM');
      helpers.push(helper);
    }
    for (const helper of helpers) assert.equal((await helper.exited()).status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('twenty contenders beside a holder all answer 1 and leave nothing', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    for (let round = 0; round < 20; round += 1) {
      const contender = await bench.run();
      assert.equal(await contender.answer(), '1', `round ${round}: ${contender.stderr}`);
      await contender.exited();
      assert.deepEqual((await bench.leftovers()).length, 2, `round ${round}`);
    }
    await holder.release();
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('five contenders at once: one holds, four are told so', async () => {
    await using bench = await LockBench.make(cluster);
    const helpers = await Promise.all(Array.from({ length: 5 }, () => bench.run()));
    const answers = await Promise.all(helpers.map((helper) => helper.answer()));
    assert.deepEqual(answers.sort(), ['0', '1', '1', '1', '1']);
    for (const helper of helpers.filter(({ bytes }) => bytes === '1')) await helper.exited();
    assert.equal((await bench.leftovers()).length, 2);
  });
});
