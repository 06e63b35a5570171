import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { waitFor } from '../support/wait.ts';
import { Bed } from './support/bed.ts';
import { LOCK_DIRECTORY } from './support/cluster.ts';
import type { CtdbCluster } from './support/cluster.ts';
import { Judge } from './support/judge.ts';
import type { CtdbNode } from './support/node.ts';

const CUT_OFF = [/High RECLOCK latency/, /Unable to take cluster lock - (timeout|unknown error)/];

void describe('CTDB 4.17 when a network is cut', () => {
  let bed: Bed;
  let ctdb: CtdbCluster;
  let leader: CtdbNode;
  let judge: Judge;

  before(async () => {
    bed = await Bed.make();
    ctdb = bed.ctdb;
  });

  after(async () => {
    await bed[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    leader = await ctdb.allOk();
    judge = new Judge(ctdb);
  });

  void it('lets the others have the lock only after a leader that was cut off has lost it', async () => {
    const old = leader;
    const holder = old.holder();
    assert.ok(holder !== undefined);
    const fromMs = Date.now();
    await old.cable.cut();
    const lost = await judge.awaitLine(/Cluster lock helper terminated/, [old]);
    assert.ok(lost.atMs - fromMs < 8_000, `held on for ${lost.atMs - fromMs} ms`);
    const took = await judge.awaitLine(/Took cluster lock/, ctdb.others(old), 90_000);
    assert.ok(took.atMs > lost.atMs, 'two holders');
    await ctdb.allOk(ctdb.others(old));
    await ctdb.rejoin(old);
    leader = await ctdb.allOk();
    await judge.assertTidy(leader);
    // Isolated, without the lock and still leader in its own eyes, the node bans itself; nobody else may.
    judge.assertNoComplaint(...CUT_OFF, new RegExp(`^node ${old.pnn}: Banning node ${old.pnn} `));
  });

  void it('keeps its leader when another node is cut off and comes back', async () => {
    const [other] = ctdb.others(leader);
    assert.ok(other !== undefined);
    await other.cable.cut();
    await waitFor(
      'the others have lost sight of it',
      async () => (await ctdb.status(leader))?.flags[other.pnn]?.includes('DISCONNECTED'),
      { withinMs: 90_000, everyMs: 500 },
    );
    await ctdb.allOk(ctdb.others(other));
    assert.deepEqual(
      (await bed.etcd.keys(LOCK_DIRECTORY)).map(({ value }) => (JSON.parse(value) as { host: string }).host),
      [`fs${leader.pnn}`],
    );
    await ctdb.rejoin(other);
    const after = await ctdb.allOk();
    await judge.assertTidy(after);
    judge.assertNoComplaint(...CUT_OFF);
  });
});
