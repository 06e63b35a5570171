// The packed binary on endpoints that lead to more than one store, or to a proxy: never two holders, and one line that says why.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { checkLock } from '../support/check-lock.ts';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion, etcdProgram } from '../support/etcd-cluster.ts';
import type { EtcdRelease } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { freePort } from '../support/ports.ts';
import { spawnTied } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** An etcd as it is when it is started with its defaults, and alone: all such have one cluster ID and one member ID. */
function startAlone(release: EtcdRelease): Promise<EtcdCluster> {
  const args = [
    '--name=default',
    '--initial-advertise-peer-urls=http://localhost:2380',
    '--initial-cluster=default=http://localhost:2380',
    '--initial-cluster-token=etcd-cluster',
    '--advertise-client-urls=http://localhost:2379',
  ];
  return EtcdCluster.start({ release, args });
}

/** All orders of these. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((first, index) =>
    orders(items.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}

/** Starts etcd's grpc-proxy before `cluster` and waits until it answers. */
async function startProxy(
  cluster: EtcdCluster,
  hostPort: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const proxy = spawnTied(
    etcdProgram(cluster.release, 'etcd'),
    ['grpc-proxy', 'start', `--endpoints=${cluster.hosts}`, `--listen-addr=${hostPort}`, ...args],
    { stdio: 'ignore' },
  );
  await waitFor('the proxy answers', async () => {
    const { status } = await cluster.tryEtcdctl(['get', 'x'], { endpoints: hostPort });
    return status === 0 ? true : undefined;
  });
  return proxy;
}

/** `check` names the proxy as a problem. */
async function isProblemOfCheck({ base }: LockBench): Promise<void> {
  const { status, findings } = await checkLock({ directory: base, configFile: join(base, 'etcd') });
  const verdict = findings.find(({ id }) => id === 'etcd-proxy')?.verdict;
  assert.deepEqual([verdict, status], ['problem', 2], JSON.stringify(findings, undefined, 2));
}

const IS_ANOTHER =
  /^Cannot take the cluster lock: etcd at .+: is another store( \(cluster cdf818194e3a8c32, member 8e9e05c52164694d\))? than .+, which has the key of the lock; list only members of one cluster in hosts \[etcd-stores\]$/m;

/** Waits until no store has a lease any more. Must be well before the TTL would end one that was left behind. */
async function nothingIsLeft(etcds: readonly EtcdCluster[]): Promise<void> {
  for (const etcd of etcds)
    await waitFor('no lease is left', async () => (await etcd.leases()).length === 0, { withinMs: 4_000 });
}

for (const release of ETCD_RELEASES) {
  void describe(`three etcds ${etcdPackageVersion(release)} that were never made one cluster`, () => {
    let etcds: EtcdCluster[];
    before(async () => {
      etcds = await Promise.all([startAlone(release), startAlone(release), startAlone(release)]);
    });
    after(() => Promise.all(etcds.map((etcd) => etcd.stop())));
    const first = (): EtcdCluster => {
      const [etcd] = etcds;
      if (etcd === undefined) throw new Error('No etcd was started');
      return etcd;
    };
    const hosts = (): string[] => etcds.map((etcd) => etcd.hosts);

    test('nobody gets the lock, in whichever order they are listed', async () => {
      await using bench = await LockBench.make(first());
      for (const order of [...orders(hosts()), ...orders(hosts().slice(0, 2))]) {
        await bench.configure({ hosts: order.join(',') });
        const helper = await bench.run();
        assert.equal(await helper.answer(), '3', helper.stderr);
        await helper.exited();
        assert.match(helper.stderr, IS_ANOTHER);
      }
      await nothingIsLeft(etcds);
    });

    test('nobody gets it when one or two of them are frozen', async () => {
      await using bench = await LockBench.make(first());
      for (const frozen of [[0], [1], [2], [0, 1], [0, 2], [1, 2]]) {
        const members = frozen.map((index) => etcds[index]?.member(0));
        for (const member of members) member?.freeze();
        try {
          for (const order of [hosts(), hosts().reverse()]) {
            await bench.configure({ hosts: order.join(',') });
            const helper = await bench.run();
            assert.equal(await helper.answer(), '3', helper.stderr);
            await helper.exited();
            assert.match(helper.stderr, /\[etcd-stores\]$/m);
          }
        } finally {
          for (const member of members) member?.thaw();
        }
      }
    });

    test('a transaction that was sent to a second one, because the first stalled, gives nobody the lock', async () => {
      await using bench = await LockBench.make(first());
      await bench.configure({ hosts: hosts().slice(0, 2).join(',') });
      // Frozen for about as long as the hedge delay, at every stage of a take.
      for (const afterMs of [0, 30, 45, 60, 80]) {
        const helper = bench.run();
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        first().member(0).freeze();
        await new Promise((resolve) => setTimeout(resolve, 400));
        first().member(0).thaw();
        const answer = await (await helper).answer();
        assert.equal(answer, '3', (await helper).stderr);
        await (await helper).exited();
        await nothingIsLeft(etcds);
      }
    });
  });

  void describe(`two clusters of etcd ${etcdPackageVersion(release)}`, () => {
    let clusters: [EtcdCluster, EtcdCluster];
    before(async () => {
      clusters = await Promise.all([EtcdCluster.start({ release }), EtcdCluster.start({ release })]);
    });
    after(() => Promise.all(clusters.map((cluster) => cluster.stop())));

    test('nobody gets the lock, and the line names both', async () => {
      await using bench = await LockBench.make(clusters[0]);
      for (const order of orders(clusters.map((cluster) => cluster.hosts))) {
        await bench.configure({ hosts: order.join(',') });
        const helper = await bench.run();
        assert.equal(await helper.answer(), '3', helper.stderr);
        await helper.exited();
        assert.match(
          helper.stderr,
          /^Cannot take the cluster lock: etcd at \S+: belongs to etcd cluster [\da-fx]+, and \S+ to [\da-fx]+; list only members of one cluster in hosts \[etcd-stores\]$/m,
        );
      }
      await nothingIsLeft(clusters);
    });

    test('nobody gets it while the other is frozen either', async () => {
      await using bench = await LockBench.make(clusters[0]);
      for (const cluster of clusters) {
        cluster.member(0).freeze();
        try {
          for (const order of orders(clusters.map(({ hosts }) => hosts))) {
            await bench.configure({ hosts: order.join(',') });
            const helper = await bench.run();
            assert.equal(await helper.answer(), '3', helper.stderr);
            await helper.exited();
          }
        } finally {
          cluster.member(0).thaw();
        }
      }
    });

    test('expected_cluster_id says which one is meant, and the other is not used', async () => {
      await using bench = await LockBench.make(clusters[1]);
      const found = /"cluster_id":(\d+)/.exec(
        await clusters[1].etcdctl(['endpoint', 'status', '-w', 'json']),
      )?.[1];
      await bench.configure({
        hosts: clusters.map(({ hosts }) => hosts).join(','),
        expected_cluster_id: BigInt(found ?? 0).toString(16),
      });
      const helper = await bench.hold();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal(helper.stderr, '');
      await helper.release();
    });
  });

  void describe(`a holder on etcd ${etcdPackageVersion(release)}`, () => {
    test('loses the lock when an endpoint that was down comes up as another store', async () => {
      await using cluster = await EtcdCluster.start({ release, members: 3 });
      await using stranger = await EtcdCluster.start({ release });
      await using bench = await LockBench.make(cluster);
      await bench.configure({ hosts: `${cluster.hosts},${stranger.hosts}` });
      stranger.member(0).freeze();
      const holder = await bench.hold();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal(holder.stderr, '');
      const thawedMs = monotonicMs();
      stranger.member(0).thaw();
      await holder.exited();
      const tookMs = monotonicMs() - thawedMs;
      assert.match(holder.stderr, /^Lock lost - etcd at .+ \[etcd-stores\]$/m);
      assert.ok(tookMs < 3_500, `${tookMs} ms`);
      assert.deepEqual(await bench.leftovers(), []);
    });
  });

  void describe(`etcd's grpc-proxy ${etcdPackageVersion(release)}`, () => {
    for (const members of [1, 3]) {
      for (const [how, advertised] of [
        // By its default it advertises port 23790, where it ends itself when it does not listen there.
        ['that advertises itself', (hostPort: string) => hostPort],
        ['that advertises nothing', () => ''],
      ] as const) {
        test(`before ${members} members, ${how}, is refused before the 0`, async () => {
          await using cluster = await EtcdCluster.start({ release, members });
          await using bench = await LockBench.make(cluster);
          const hosts = `127.0.0.1:${await freePort()}`;
          const proxy = await startProxy(cluster, hosts, [`--advertise-client-url=${advertised(hosts)}`]);
          try {
            await bench.configure({ hosts });
            for (let count = 0; count < 5; count += 1) {
              const helper = await bench.run();
              assert.equal(await helper.answer(), '3', helper.stderr);
              await helper.exited();
              assert.match(
                helper.stderr,
                /^Cannot take the cluster lock: etcd at \S+: .*(grpc-proxy|proxy or load balancer).*; list the addresses of the members in hosts \[etcd-proxy\]$/m,
              );
            }
            await isProblemOfCheck(bench);
            if (members > 1) {
              // A holder does not use a proxy among the members.
              await bench.configure({ hosts: `${cluster.hosts},${hosts}` });
              await isProblemOfCheck(bench);
              await (await bench.hold()).release();
            }
            assert.deepEqual(await bench.leftovers(), []);
          } finally {
            proxy.kill('SIGKILL');
          }
        });
      }
    }

    test('with a namespace, at any place in hosts: 3, and a problem of check', async () => {
      await using cluster = await EtcdCluster.start({ release, members: 3 });
      await using bench = await LockBench.make(cluster);
      const proxyHost = `127.0.0.1:${await freePort()}`;
      const proxy = await startProxy(cluster, proxyHost, ['--advertise-client-url=', '--namespace=team/']);
      try {
        const hosts = cluster.hosts.split(',');
        for (let place = 0; place <= hosts.length; place += 1) {
          await bench.configure({ hosts: hosts.toSpliced(place, 0, proxyHost).join() });
          const helper = await bench.run();
          assert.equal(await helper.answer(), '3', helper.stderr);
          await helper.exited();
          assert.match(helper.stderr, /\[etcd-(stores|proxy)\]$/m);
          await isProblemOfCheck(bench);
        }
        assert.deepEqual(await bench.leftovers(), []);
      } finally {
        proxy.kill('SIGKILL');
      }
    });
  });
}
