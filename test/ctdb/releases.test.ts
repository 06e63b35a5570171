import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ADDED_RELEASES, DEFAULT_RELEASE, etcdVersion } from '../support/etcd-programs.ts';
import { waitFor } from '../support/wait.ts';
import { Bed, SHORT } from './support/bed.ts';
import { Judge, longestElectionS } from './support/judge.ts';
import { sendSignal } from './support/node.ts';
import { forceRecoveries, tellRecoveries } from './support/recoveries.ts';

const RECOVERIES = SHORT ? 5 : 200;

const RELEASES = { trixie: '4.22', forky: '4.25' } as const;

// Each on the etcd of the other tests, and the later one on every etcd that was added to Debian's.
const PAIRS = [
  { release: 'trixie', etcd: DEFAULT_RELEASE },
  ...[DEFAULT_RELEASE, ...ADDED_RELEASES].map((etcd) => ({ release: 'forky', etcd }) as const),
] as const;

for (const { release, etcd } of PAIRS) {
  const name = `CTDB ${RELEASES[release]} starts, recovers, stops and crashes with its lock in etcd ${etcdVersion(etcd)}`;
  void it(name, async (test) => {
    await using bed = await Bed.make({ release }, etcd);
    const { ctdb } = bed;
    let leader = await ctdb.allOk();
    assert.match(await leader.ctdb('version'), new RegExp(RELEASES[release].replace('.', '\\.')));
    let judge = new Judge(ctdb);

    test.diagnostic(tellRecoveries(await forceRecoveries(ctdb, RECOVERIES), judge));
    assert.equal(await ctdb.allOk(), leader);
    await judge.assertTidy(leader);
    judge.assertNoComplaint();
    assert.deepEqual(judge.lines(/Start election|cluster lock/i), []);

    judge = new Judge(ctdb);
    let old = leader;
    await old.ctdb('stop');
    await judge.awaitLine(/Took cluster lock/, ctdb.others(old));
    await ctdb.allOk(ctdb.others(old));
    await old.ctdb('continue');
    leader = await ctdb.allOk();
    assert.notEqual(leader, old);
    await judge.assertTidy(leader);
    judge.assertNoComplaint();

    judge = new Judge(ctdb);
    const holder = leader.holder();
    assert.ok(holder !== undefined);
    let fromMs = Date.now();
    sendSignal(holder.pid, 'SIGKILL');
    const tookMs = (await judge.awaitLine(/Took cluster lock/)).atMs - fromMs;
    assert.ok(tookMs < longestElectionS() * 1000, `leader after ${tookMs} ms`);
    leader = await ctdb.allOk();
    await judge.assertTidy(leader);
    judge.assertNoComplaint();

    judge = new Judge(ctdb);
    old = leader;
    fromMs = Date.now();
    old.killEverything();
    const againMs = (await judge.awaitLine(/Took cluster lock/, ctdb.others(old))).atMs - fromMs;
    assert.ok(againMs < 11_500, `leader after ${againMs} ms`);
    await ctdb.allOk(ctdb.others(old));
    await waitFor('nothing is left on the node', () => old.processes().length === 0);
    await old.startCtdb();
    leader = await ctdb.allOk();
    await judge.assertTidy(leader);
    judge.assertNoComplaint(/High RECLOCK latency [0-3]\..* recd reclock/);
  });
}
