import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { ctdbEnvironment, MutexParent } from '../support/mutex-parent.ts';
import { built, DEB } from './built.ts';
import { CLEAN_RELEASES, CONFIG, HELPER, Root } from './root.ts';

for (const release of CLEAN_RELEASES) {
  describe(`on a clean ${release} without a network`, () => {
    test('the package installs by itself, takes the lock, refuses a second holder, and lets go', async () => {
      await using root = Root.make(release, 'clean');
      await root.dpkg('--install', built(DEB));

      await using cluster = await EtcdCluster.start({ release: '3.5-forky' });
      writeFileSync(join(root.path, CONFIG), `hosts = ${cluster.hosts}\nnetbios_name = CLEAN\n`);
      await using parent = MutexParent.start();
      const run = { env: ctdbEnvironment('/etc/ctdb'), program: HELPER, root: root.path };
      const holder = await parent.run(run);
      assert.equal(await holder.answer(), '0', holder.stderr);
      const contender = await parent.run(run);
      assert.equal(await contender.answer(), '1', contender.stderr);
      assert.equal((await cluster.keys('/_locks/_ctdb/CLEAN/')).length, 1);
      await holder.release();
      assert.equal((await cluster.keys('/_locks/')).length, 0);
      assert.equal(holder.stderr, '');
      const second = await parent.run(run);
      assert.equal(await second.answer(), '0', second.stderr);
      await second.release();

      await root.dpkg('--purge', 'ctdb-etcd-lock');
      assert.ok(!root.has(HELPER));
      assert.ok(!root.has('/etc/ctdb'));
    });
  });
}
