// A holder that is down to its last member says so, by the packed binary on real members, each behind a relay that can be refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { counterOf } from '../support/live-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

test('the last member is said once, without -v, and once that it is over; the lock is held throughout', async (t) => {
  await using cluster = await EtcdCluster.start({ release: '3.5-trixie', members: 3 });
  await using first = await TcpProxy.start(cluster.member(0).endpoint);
  await using second = await TcpProxy.start(cluster.member(1).endpoint);
  await using third = await TcpProxy.start(cluster.member(2).endpoint);
  const proxies = [first, second, third];
  await using bench = await LockBench.make(cluster, {
    hosts: proxies.map(({ endpoint }) => endpoint).join(','),
  });
  const holder = await bench.hold();
  const lines = (): string[] => holder.stderr.split('\n').filter((line) => line !== '');
  const told = (count: number): Promise<true> =>
    waitFor(`${count} lines: ${holder.stderr}`, () => lines().length >= count, {
      withinMs: 130_000,
      everyMs: 100,
    });

  await second.refuse();
  second.cut(); // the holder has compared the stores, so it has a connection to each endpoint
  third.blackHole();
  await told(1);
  assert.match(
    lines()[0] ?? '',
    /^Warning: Only etcd at 127\.0\.0\.1:\d+ still serves the lock \(127\.0\.0\.1:\d+: .+; 127\.0\.0\.1:\d+: .+\); check that the other members run and that this node reaches them \[warn-last-member\]$/,
  );
  assert.ok((lines()[0] ?? '').includes(first.endpoint));
  await second.accept();
  const entriesBefore = await counterOf(cluster, 'etcd_server_proposals_applied_total');
  await told(2);
  assert.match(
    lines()[1] ?? '',
    /^Warning: etcd serves the lock at 2 of 3 endpoints again \[warn-last-member\]$/,
  );
  const entries = (await counterOf(cluster, 'etcd_server_proposals_applied_total')) - entriesBefore;
  t.diagnostic(`${entries / cluster.members.length} raft entries of the renewals meanwhile`);
  assert.equal(holder.exit, undefined);
  assert.equal(lines().length, 2);
  await holder.release();
});
