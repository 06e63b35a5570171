// The packed binary behind TCP relays that can lose one direction, all packets, or every connection.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import type { Direction } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

// The hedge delay is 250 ms (src/config/timing.ts); a start and a busy machine come on top of it.
const HEDGED_ANSWER_MS = 1_500;

void describe('behind a faulty network', () => {
  let cluster: EtcdCluster;
  let proxies: TcpProxy[];
  before(async () => {
    cluster = await EtcdCluster.start({ members: 3 });
    proxies = await Promise.all(cluster.members.map((member) => TcpProxy.start(member.endpoint)));
  });
  after(async () => {
    await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    await cluster.stop();
  });
  beforeEach(() => {
    for (const proxy of proxies) proxy.resume();
  });

  const makeBench = (): Promise<LockBench> =>
    LockBench.make(cluster, { hosts: proxies.map((proxy) => proxy.endpoint).join(',') });

  /** The index of the relay over which the helper talks: where the bytes of a renewal are counted. */
  const busiest = async (bench: LockBench): Promise<TcpProxy> => {
    const countsBefore = proxies.map((proxy) => proxy.relayed.fromServer);
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    const grown = proxies.map((proxy, index) => proxy.relayed.fromServer - (countsBefore[index] ?? 0));
    const proxy = proxies[grown.indexOf(Math.max(...grown))];
    assert.ok(proxy !== undefined);
    return proxy;
  };

  for (const blackHoled of [[0], [0, 1]]) {
    test(`with ${blackHoled.length} of 3 members black-holed the lock is taken, denied and released`, async () => {
      await using bench = await makeBench();
      const good = { endpoints: cluster.member(2).endpoint };
      for (const index of blackHoled) proxies[index]?.blackHole();
      const holder = await bench.hold();
      const { tookMs } = holder;
      assert.ok(tookMs < HEDGED_ANSWER_MS, `${tookMs} ms`);
      const contender = await bench.run();
      assert.equal(await contender.answer(), '1', contender.stderr);
      await contender.exited();
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual(await cluster.keys(bench.directory, good), []);
      assert.deepEqual([holder.stderr, contender.stderr], ['', '']);
    });
  }

  const losses: [what: string, lose: (proxy: TcpProxy) => void][] = [
    [
      'is black-holed',
      (proxy) => {
        proxy.blackHole();
      },
    ],
    [
      'gets requests and its answers are held back',
      (proxy) => {
        proxy.pause('fromServer');
      },
    ],
    [
      'gets no requests, because they are held back',
      (proxy) => {
        proxy.pause('toServer');
      },
    ],
    [
      'loses its answers',
      (proxy) => {
        proxy.drop('fromServer');
      },
    ],
    [
      'loses the requests',
      (proxy) => {
        proxy.drop('toServer');
      },
    ],
  ];
  for (const [what, lose] of losses) {
    test(`the member in use ${what}: the lock is kept through the others`, async () => {
      await using bench = await makeBench();
      const holder = await bench.hold();
      const key = await bench.key();
      lose(await busiest(bench));
      for (let renewals = 0; renewals < 3; renewals += 1) await bench.renewed(key?.leaseHex ?? '');
      assert.deepEqual(await bench.key(), key);
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  test('all connections are reset, again and again: the lock is kept', async () => {
    await using bench = await makeBench();
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    const acceptedBefore = proxies.reduce((sum, proxy) => sum + proxy.accepted, 0);
    for (let round = 0; round < 3; round += 1) {
      for (const proxy of proxies) proxy.cut();
      await bench.renewed(lease);
    }
    assert.ok(proxies.reduce((sum, proxy) => sum + proxy.accepted, 0) > acceptedBefore);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
  });

  test('every member refuses connections for 3 s: the lock is kept', async () => {
    await using bench = await makeBench();
    const holder = await bench.hold();
    const key = await bench.key();
    await bench.renewed(key?.leaseHex ?? '');
    await Promise.all(proxies.map((proxy) => proxy.refuse()));
    for (const proxy of proxies) proxy.cut();
    const backAtMs = performance.now() + 3_000;
    await waitFor('3 s are over', () => performance.now() >= backAtMs);
    assert.equal(holder.exit, undefined, holder.stderr);
    await Promise.all(proxies.map((proxy) => proxy.accept()));
    await bench.renewed(key?.leaseHex ?? '');
    assert.deepEqual(await bench.key(), key);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
  });

  for (const direction of ['fromServer', 'toServer'] as Direction[]) {
    test(`cut off for good while holding (${direction}): it exits inside its lease, and says why`, async () => {
      await using bench = await makeBench();
      const holder = await bench.hold();
      const lease = (await bench.key())?.leaseHex ?? '';
      for (const proxy of proxies) proxy.pause(direction);
      await holder.endOfFile();
      // Its claim ended before the server let the lease end.
      assert.ok((await cluster.leaseTtl(lease)).ttl >= 0);
      assert.equal((await holder.exited()).status, 4);
      assert.match(holder.stderr, /lock lost/i);
      assert.equal(holder.stderrLines.length, 1);
    });
  }

  test('no answer arrives although every request does: 3 in time, and nothing is left in etcd', async () => {
    await using bench = await makeBench();
    for (const proxy of proxies) proxy.pause('fromServer');
    const helper = await bench.run({ autoTerm: false });
    assert.equal(await helper.answer(), '3');
    const { tookMs } = helper;
    assert.ok(tookMs < 4_300, `${tookMs} ms`);
    assert.equal((await helper.exited()).status, 3);
    assert.equal(helper.stderrLines.length, 1);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a SIGTERM whose release is not answered has taken the lock out of etcd all the same', async () => {
    await using bench = await makeBench();
    const holder = await bench.hold();
    for (const proxy of proxies) proxy.pause('fromServer');
    const sentAtMs = performance.now();
    assert.equal((await holder.release()).status, 0);
    assert.ok(performance.now() - sentAtMs < 2_300);
    assert.deepEqual(await bench.leftovers(), []);
  });
});
