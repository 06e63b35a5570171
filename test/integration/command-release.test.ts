// What `release` does and refuses, by the packed binary on real members.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runAdmin, runOnTerminal } from '../support/admin-command.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';

void describe('release, on three members', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start({ release: '3.5-trixie', members: 3 });
  });
  after(() => cluster.stop());

  test('--force deletes the key that was shown, and the holder ends at once', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    const [key] = await cluster.keys(bench.directory);
    const { status, stdout, stderr } = await runAdmin(['release', '--force'], bench.environment);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^Holder    \\S+, pid ${holder.pid}$`, 'm'));
    assert.match(stdout, new RegExp(`^Released: deleted ${key?.key ?? ''} in revision \\d+$`, 'm'));
    assert.equal((await holder.exited()).status, 4);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('without a terminal and without --force nothing is released', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    const { status, stderr } = await runAdmin(['release'], bench.environment);
    assert.deepEqual(
      [status, stderr],
      [1, 'Nothing released: there is no terminal to ask on, use --force\n'],
    );
    assert.equal((await cluster.keys(bench.directory)).length, 1);
    await holder.release();
  });

  for (const [typed, isReleased] of [
    ['y\n', true],
    ['yes\n', true],
    ['n\n', false],
    ['\n', false],
    ['yep\n', false],
    ['\u0004', false],
  ] as const) {
    test(`on a terminal, ${JSON.stringify(typed)} ${isReleased ? 'releases' : 'leaves the holder alone'}`, async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      const { status, shown } = await runOnTerminal(['release'], bench.environment, typed);
      assert.match(shown, /Take the lock away from this holder\? CTDB then holds an election \[y\/N\] /);
      assert.equal(status, isReleased ? 0 : 1, shown);
      assert.equal((await cluster.keys(bench.directory)).length, isReleased ? 0 : 1);
      if (isReleased) await holder.exited();
      else await holder.release();
    });
  }

  test('a lock that nobody holds is not released', async () => {
    await using bench = await LockBench.make(cluster);
    const { status, stdout } = await runAdmin(['release', '--force'], bench.environment);
    assert.equal(status, 1);
    assert.equal(stdout, `Nobody holds /_locks/_ctdb/${bench.name}, nothing to release\n`);
  });

  test('a holder that came while the question stood is left alone', async () => {
    await using bench = await LockBench.make(cluster);
    await cluster.etcdctl(['put', `${bench.directory}1`, '']);
    // The terminal is asked only after the key was shown; what is typed comes after the change.
    const { status, shown } = await runOnTerminal(['release'], bench.environment, async (seen) => {
      await seen(/\[y\/N\]/);
      await cluster.etcdctl(['put', `${bench.directory}1`, 'rewritten']);
      return 'y\n';
    });
    assert.equal(status, 1);
    assert.match(shown, /Nothing released.*: its key was written again in the meantime/);
    const [key] = await cluster.keys(bench.directory);
    assert.equal(key?.value, 'rewritten');
    await cluster.etcdctl(['del', `${bench.directory}1`]);
  });
});
