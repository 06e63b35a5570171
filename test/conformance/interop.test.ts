import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion, etcdProgram } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { spawnTied } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

for (const release of ETCD_RELEASES) {
  void describe(`etcdctl lock of ${etcdPackageVersion(release)} and the helper`, () => {
    const etcdctlLock = (cluster: EtcdCluster, bench: LockBench) =>
      spawnTied(
        etcdProgram(release, 'etcdctl'),
        [...cluster.etcdctlArguments(), 'lock', bench.directory.replace(/\/$/, '')],
        { env: { ...process.env, ETCDCTL_API: '3' }, stdio: ['ignore', 'pipe', 'inherit'] },
      );

    test('the helper is told of contention while etcdctl holds, and holds when etcdctl let go', async () => {
      await using cluster = await EtcdCluster.start({ release });
      await using bench = await LockBench.make(cluster);
      const etcdctl = etcdctlLock(cluster, bench);
      const [acquired] = (await once(etcdctl.stdout ?? etcdctl, 'data')) as [Buffer];
      assert.ok(acquired.toString().startsWith(bench.directory), acquired.toString());

      const contender = await bench.run();
      assert.equal(await contender.answer(), '1', contender.stderr);
      await contender.exited();
      const [lease] = await cluster.leases();
      assert.deepEqual(await cluster.leases(), [lease], 'only etcdctl’s lease is left');

      const gone = once(etcdctl, 'exit');
      etcdctl.kill('SIGINT');
      await gone;
      // etcdctl 3.4 deletes its key and leaves its lease to end by itself.
      const holder = await bench.hold();
      await holder.release();
      assert.deepEqual(await cluster.keys(bench.directory), []);
      assert.deepEqual(
        (await cluster.leases()).filter((left) => left !== lease),
        [],
      );
    });

    test('etcdctl waits while the helper holds, and holds when the helper let go', async () => {
      await using cluster = await EtcdCluster.start({ release });
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      const key = await bench.key();
      assert.equal(key?.key, `${bench.directory}${key?.leaseHex ?? ''}`);

      const etcdctl = etcdctlLock(cluster, bench);
      let said = '';
      etcdctl.stdout?.on('data', (text: Buffer) => (said += text.toString()));
      await waitFor('etcdctl queues', async () => (await cluster.keys(bench.directory)).length === 2);
      assert.equal(said, '');
      await holder.release();
      await waitFor('etcdctl holds', () => said.startsWith(bench.directory));
      assert.equal((await cluster.keys(bench.directory))[0]?.key, said.trim());
      const gone = once(etcdctl, 'exit');
      etcdctl.kill('SIGINT');
      await gone;
    });
  });
}
