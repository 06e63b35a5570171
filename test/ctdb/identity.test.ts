// The identity in the lock string: CTDB compares that string between its nodes, the helper compares it with the configuration
// and with etcd.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { startEtcd } from './support/bed.ts';
import { CtdbCluster, HELPER } from './support/cluster.ts';
import { Judge } from './support/judge.ts';

void describe('the identity in the lock string of CTDB 4.17', () => {
  void it('that is the one of the configuration and of etcd leads to a leader', async () => {
    await using etcd = await startEtcd();
    const lockArguments = `--name FSCLUSTER --cluster-id ${await etcd.clusterId()} -v`;
    await using ctdb = await CtdbCluster.start({ etcd, lockArguments });
    const judge = new Judge(ctdb);
    const leader = await ctdb.allOk();
    await judge.assertTidy(leader);
    judge.assertNoComplaint();
  });

  for (const [what, other] of [
    ['name', (id: string): string => `--name OTHER --cluster-id ${id}`],
    ['cluster', (): string => '--name FSCLUSTER --cluster-id deadbeef'],
  ] as const) {
    void it(`with another ${what} on one node shuts that node down, and the others go on`, async () => {
      await using etcd = await startEtcd();
      const id = await etcd.clusterId();
      const right = `!${HELPER} --name FSCLUSTER --cluster-id ${id}`;
      const wrong = `!${HELPER} ${other(id)}`;
      await using ctdb = await CtdbCluster.boot({ etcd, lockStringOf: (pnn) => (pnn === 2 ? wrong : right) });
      const [first, second, third] = [ctdb.node(0), ctdb.node(1), ctdb.node(2)];
      const judge = new Judge(ctdb);
      await Promise.all([first.startCtdb(), second.startCtdb()]);
      const leader = await ctdb.allOk([first, second]);
      await third.startCtdb();
      const { text } = await judge.awaitLine(/^Recovery lock configuration inconsistent/, [third]);
      assert.equal(
        text,
        `Recovery lock configuration inconsistent: recmaster has ${right}, this node has ${wrong}, shutting down`,
      );
      await waitFor('ctdbd is gone', async () => (await ctdb.status(third)) === undefined);
      assert.equal(await ctdb.allOk([first, second]), leader);
      assert.equal((await etcd.keys('/_locks/')).length, 1);
    });
  }

  void it('that is not that of etcd takes no lock, and says why in one line', async () => {
    await using etcd = await startEtcd();
    await using ctdb = await CtdbCluster.boot({
      etcd,
      lockArguments: '--name FSCLUSTER --cluster-id deadbeef',
    });
    const judge = new Judge(ctdb);
    await Promise.all(ctdb.nodes.map((node) => node.startCtdb()));
    const { text } = await judge.awaitLine(/belongs to etcd cluster/);
    assert.match(
      text,
      /^Cannot take the cluster lock: etcd at .*belongs to etcd cluster [0-9a-f]+, and --cluster-id is deadbeef.*; correct hosts or --cluster-id \[etcd-cluster\]$/,
    );
    await judge.awaitLine(/^Unable to take cluster lock - unknown error/);
    assert.deepEqual(judge.lines(/^Took cluster lock/), []);
    assert.deepEqual(await etcd.keys('/_locks/'), []);
  });
});
