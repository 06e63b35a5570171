import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startEtcd, SHORT } from './support/bed.ts';
import { CtdbCluster, LOCK_DIRECTORY } from './support/cluster.ts';
import { Judge } from './support/judge.ts';

void describe('the lock string of CTDB 4.17', () => {
  for (const lockArguments of SHORT ? ['-vvv'] : ['-v', '-vv', '-vvv', '--verbose']) {
    void it(`may end in ${lockArguments}, and what the helper says stands whole in the log`, async () => {
      await using etcd = await startEtcd();
      await using ctdb = await CtdbCluster.start({ etcd, lockArguments });
      let leader = await ctdb.allOk();
      const judge = new Judge(ctdb);
      for (let round = 0; round < 5; round += 1) await ctdb.node(round % 3).ctdb('recover');
      // Not a SIGTERM from here: CTDB sends another one as soon as it reads the end of file, and a second one ends the
      // helper before it has told anything.
      const old = leader;
      await old.ctdb('stop');
      await judge.awaitLine(/^Took cluster lock/, ctdb.others(old));
      await ctdb.allOk(ctdb.others(old));
      await old.ctdb('continue');
      leader = await ctdb.allOk();
      await judge.assertTidy(leader);
      judge.assertNoComplaint();
      const said = ctdb.nodes.flatMap((node) => node.log.grep(/etcd_lock|[Ll]ock |[Ll]ease|renew/));
      assert.ok(
        said.some(({ text }) => text.includes('Took lock')),
        'tells that it took the lock',
      );
      assert.ok(
        said.some(({ text }) => text.includes('Released the lock')),
        'tells that it let go',
      );
      assert.ok(
        said.some(({ text }) => text.includes('Lock is held by')),
        'tells who holds it',
      );
      for (const { text } of said) assert.ok(text.length < 1_000, text);
    });
  }

  void it('may name another configuration file with -c', async () => {
    await using etcd = await startEtcd();
    await using ctdb = await CtdbCluster.start({
      etcd,
      lockArguments: '-c /shared/etcd.conf',
      configFile: 'etcd.conf',
    });
    const leader = await ctdb.allOk();
    await new Judge(ctdb).assertTidy(leader);
  });

  void it('of a helper that cannot take the lock leads to one line that says why, and to a leader once it can', async () => {
    await using etcd = await startEtcd();
    await using ctdb = await CtdbCluster.boot({
      etcd,
      lockArguments: '-c /shared/etcd.conf',
      configFile: 'etcd.conf',
    });
    const config = join(ctdb.node(0).plan.shared, 'etcd.conf');
    const right = readFileSync(config, 'utf8');
    writeFileSync(config, `${right}lock_ttl = soon\n`);
    const judge = new Judge(ctdb);
    await Promise.all(ctdb.nodes.map((node) => node.startCtdb()));
    await judge.awaitLine(/^Unable to take cluster lock - unknown error/);
    const said = judge.lines(/Cannot read config/);
    assert.match(
      said[0] ?? '',
      /^node \d: Cannot read config "\/shared\/etcd\.conf": line \d+: lock_ttl is "soon"/,
    );
    assert.deepEqual(judge.lines(/Took cluster lock/), []);
    writeFileSync(config, right);
    const leader = await ctdb.allOk();
    await judge.assertTidy(leader);
    assert.deepEqual(judge.lines(/Banning node/), []);
  });

  void it('may leave the name of the lock to the configuration file', async () => {
    await using etcd = await startEtcd();
    await using ctdb = await CtdbCluster.start({
      etcd,
      settings: { netbios_name: 'OTHER', lock_prefix: '/cluster', locks_dir: 'ctdb' },
    });
    const leader = await ctdb.allOk();
    assert.deepEqual(await etcd.keys(LOCK_DIRECTORY), []);
    const [key] = await etcd.keys('/cluster/ctdb/OTHER/');
    assert.equal((JSON.parse(key?.value ?? '{}') as { host?: string }).host, `fs${leader.pnn}`);
  });
});
