// The packed binary on real members of each release of etcd.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { waitFor } from '../support/wait.ts';

for (const release of ETCD_RELEASES) {
  void describe(`on three members of etcd ${etcdPackageVersion(release)}`, () => {
    let cluster: EtcdCluster;
    before(async () => {
      cluster = await EtcdCluster.start({ release, members: 3 });
    });
    after(() => cluster.stop());

    test('the lock is taken, denied to a contender, released, and taken again', async () => {
      await using bench = await LockBench.make(cluster);
      const first = await bench.hold();
      const contender = await bench.run();
      assert.equal(await contender.answer(), '1', contender.stderr);
      await contender.exited();
      await first.release();
      assert.deepEqual(await bench.leftovers(), []);
      const second = await bench.hold();
      await second.release();
      assert.deepEqual([first.stderr, contender.stderr, second.stderr], ['', '', '']);
    });

    test("CTDB's node number is in the value, also when it becomes known after the take", async () => {
      await using bench = await LockBench.make(cluster);
      const answerer = join(bench.base, 'ctdb');
      for (const delayS of ['0', '0.7']) {
        await writeFile(answerer, `#!/bin/sh\nsleep ${delayS}\n[ "$3" = pnn ] && echo 17\n`, { mode: 0o755 });
        const holder = await bench.hold({ env: { PATH: `${bench.base}:${process.env['PATH'] ?? ''}` } });
        const before = await bench.key();
        const key = await waitFor('the node number in the value', async () => {
          const found = await bench.key();
          return found?.value['pnn'] === 17 ? found : undefined;
        });
        assert.equal(key.leaseHex, before?.leaseHex);
        assert.deepEqual(key.value, { ...before?.value, pnn: 17 });
        await holder.release();
        assert.deepEqual(await bench.leftovers(), []);
      }
    });

    test('the key is the lease in hex, and its value says who holds', async () => {
      await using bench = await LockBench.make(cluster, { lock_ttl: 12, refresh: 3 });
      const holder = await bench.hold();
      const key = await bench.key();
      assert.ok(key !== undefined);
      assert.equal(key.key, `${bench.directory}${key.leaseHex}`);
      assert.equal((await cluster.leaseTtl(key.leaseHex)).granted, 12);
      const { since, version, ...value } = key.value;
      assert.ok(Math.abs(Date.parse(String(since)) - Date.now()) < 60_000, String(since));
      assert.match(String(version), /^\d+\.\d+\.\d+/);
      assert.deepEqual(
        {
          node: value['node'],
          host: value['host'],
          pid: value['pid'],
          ttl: value['ttl'],
          refresh: value['refresh'],
        },
        { node: hostname(), host: hostname(), pid: holder.pid, ttl: 12, refresh: 3 },
      );
      await holder.release();
    });

    test('the value has the PNN when ctdb is quicker than etcd', async () => {
      await using bench = await LockBench.make(cluster);
      const bin = await bench.script('ctdb', 'echo 5');
      // It labels the value and is not waited for: on a busy machine one take or another goes without it.
      await waitFor('a value with the PNN', async () => {
        const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
        const key = await bench.key();
        await holder.release();
        return key?.value['pnn'] === 5;
      });
    });

    test('a deleted key ends the holder at once, and its lease is not left behind', async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      const deletedAtMs = monotonicMs();
      await cluster.etcdctl(['del', '--prefix', bench.directory]);
      const tookMs = (await holder.endOfFile()) - deletedAtMs;
      assert.ok(tookMs < 1_000, `${tookMs} ms`);
      assert.equal((await holder.exited()).status, 4);
      assert.match(holder.stderr, /lock lost/i);
      assert.deepEqual(await bench.leftovers(), []);
    });

    test('a revoked lease ends the holder at once', async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      const lease = (await bench.key())?.leaseHex ?? '';
      const revokedAtMs = monotonicMs();
      await cluster.etcdctl(['lease', 'revoke', lease]);
      const tookMs = (await holder.endOfFile()) - revokedAtMs;
      assert.ok(tookMs < 1_000, `${tookMs} ms`);
      assert.equal((await holder.exited()).status, 4);
      assert.match(holder.stderr, /lock lost/i);
      assert.deepEqual(await bench.leftovers(), []);
    });

    for (const fault of ['killed', 'frozen'] as const) {
      for (const index of [0, 1, 2]) {
        test(`member ${index + 1} is ${fault}: the lock is kept, contended and released`, async () => {
          await using bench = await LockBench.make(cluster);
          const holder = await bench.hold();
          const lease = (await bench.key())?.leaseHex ?? '';
          const member = cluster.member(index);
          const others = {
            endpoints: cluster.members
              .filter((other) => other !== member)
              .map((other) => other.endpoint)
              .join(','),
          };
          if (fault === 'killed') await member.stop();
          else member.freeze();
          try {
            // A new leader may have to be found; the lease, 9 s, must live through that and be renewed afterwards.
            let before = Infinity;
            await waitFor(
              'the lease is renewed without the member',
              async () => {
                const said = await cluster.tryEtcdctl(['lease', 'timetolive', lease], others);
                const ttl = Number(/remaining\((-?\d+)s\)/.exec(said.stdout)?.[1] ?? NaN);
                const renewed = ttl > before;
                if (Number.isFinite(ttl)) before = ttl;
                return renewed;
              },
              { withinMs: 20_000, everyMs: 100 },
            );
            assert.equal(holder.exit, undefined, holder.stderr);
            const contender = await bench.run();
            assert.equal(await contender.answer(), '1', contender.stderr);
            await contender.exited();
            assert.equal((await holder.release()).status, 0);
            assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
          } finally {
            if (fault === 'killed') member.start();
            else member.thaw();
            await member.healthy();
          }
          assert.deepEqual(await bench.leftovers(), []);
        });
      }
    }

    test('all members frozen: the holder exits before its lease can end, and says why', async () => {
      await using bench = await LockBench.make(cluster, { lock_ttl: 6, refresh: 2 });
      const holder = await bench.hold();
      await bench.renewed((await bench.key())?.leaseHex ?? '');
      for (const member of cluster.members) member.freeze();
      // No renewal can have been sent after this, and the lease cannot end earlier than 6 s after the last one.
      const frozenAtMs = monotonicMs();
      const endOfFileAtMs = await holder.endOfFile();
      const exit = await holder.exited();
      for (const member of cluster.members) member.thaw();
      assert.ok(endOfFileAtMs - frozenAtMs < 6_000, `${endOfFileAtMs - frozenAtMs} ms`);
      assert.equal(exit.status, 4);
      assert.match(holder.stderr, /lock lost/i);
      assert.equal(holder.stderrLines.length, 1);
      await Promise.all(cluster.members.map((member) => member.healthy()));
    });

    test('all members killed and started again within the lease: the lock is kept', async () => {
      await using bench = await LockBench.make(cluster, { lock_ttl: 30, refresh: 2 });
      const holder = await bench.hold();
      const created = await bench.key();
      await Promise.all(cluster.members.map((member) => member.stop()));
      for (const member of cluster.members) member.start();
      await Promise.all(cluster.members.map((member) => member.healthy()));
      await bench.renewed(created?.leaseHex ?? '', { withinMs: 30_000, everyMs: 200 });
      assert.equal(holder.exit, undefined, holder.stderr);
      assert.deepEqual(await bench.key(), created);
      await holder.release();
      assert.deepEqual(await bench.leftovers(), []);
    });
  });
}
