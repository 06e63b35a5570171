import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startEtcdWithV2 } from './support/bed.ts';
import { CtdbCluster } from './support/cluster.ts';
import { Judge } from './support/judge.ts';

void it('a node that was upgraded leaves the lock to the Python helper, and takes it when that has gone', async () => {
  await using etcd = await startEtcdWithV2();
  // Nodes 0 and 1 still run the Python helper, node 2 runs ours; the lock string is the same.
  await using ctdb = await CtdbCluster.boot({
    etcd,
    lockOf: (pnn) => (pnn === 2 ? 'ours' : 'python'),
  });
  const [first, second, upgraded] = [ctdb.node(0), ctdb.node(1), ctdb.node(2)];
  const judge = new Judge(ctdb);
  await first.startCtdb();
  await judge.awaitLine(/^Took cluster lock/, [first]);
  await Promise.all([second.startCtdb(), upgraded.startCtdb()]);
  assert.equal(await ctdb.allOk(), first);

  await upgraded.ctdb('recover');
  await ctdb.allOk();
  const [said] = upgraded.log.grep(/Lock is held in etcd v2/);
  assert.match(
    said?.text ?? '',
    /by the Python helper on node 0, key \/_locks\/_ctdb\/FSCLUSTER\/\d+; run the same helper on all nodes/,
  );
  assert.deepEqual(upgraded.log.grep(/Took cluster lock|able to take recovery lock/), []);
  // Neither does it leave anything behind in v3.
  await delay(500);
  assert.deepEqual(await etcd.keys('/_locks/'), []);
  assert.deepEqual(await etcd.leases(), []);

  await Promise.all([first.ctdb('shutdown'), second.ctdb('shutdown')]);
  // The key in v2 ends with its 9 s at the latest, CTDB's next round comes within 5 s.
  await judge.awaitLine(/^Took cluster lock/, [upgraded], 30_000);
  assert.equal(await ctdb.allOk([upgraded]), upgraded);
});
