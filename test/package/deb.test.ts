import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Finished, temporaryDirectory } from '../support/processes.ts';
import { built, DEB, variant } from './built.ts';
import { CHECKOUT, CONFIG, HELPER, MAN_PAGE, RELEASES, Root } from './root.ts';

const ASIDE = `${HELPER}.distrib`;
const MAN_PAGE_ASIDE = '/usr/share/man/man7/ctdb-etcd.distrib.7.gz';

/** Who owns what: ours in its place, CTDB's aside, or no trace of ours. */
async function assertOurs(root: Root, theirs: string): Promise<void> {
  assert.notEqual(root.fingerprint(HELPER), theirs);
  assert.equal(root.fingerprint(ASIDE), theirs);
  const { stdout } = await root.run(HELPER, '--version');
  assert.match(stdout, /^ctdb_etcd_lock \d/);
}

async function assertTheirs(root: Root, theirs: string, manPage: string): Promise<void> {
  assert.equal(root.fingerprint(HELPER), theirs);
  assert.equal(root.fingerprint(MAN_PAGE), manPage);
  assert.deepEqual([root.has(ASIDE), root.has(MAN_PAGE_ASIDE)], [false, false]);
  assert.equal(await root.diversions(), '');
}

let directory = '';
let newer = '';
let broken = '';
let brokenNewer = '';
const ctdbDeb = (release: string): string => join(CHECKOUT, '.cache/package', `${release}-ctdb.deb`);

before(async () => {
  directory = await temporaryDirectory('deb');
  newer = await variant(directory, '1.0.1-1', (root) => {
    appendFileSync(join(root, CONFIG), '\n# new in 1.0.1\n');
  });
  // Cannot be unpacked: one of its files, which comes after the helper, belongs to another package. dpkg then goes back.
  const breakIt = (root: string): void => {
    mkdirSync(join(root, 'usr/share/dpkg'), { mode: 0o755 });
    writeFileSync(join(root, 'usr/share/dpkg/cputable'), '');
  };
  broken = await variant(directory, '1.0.0-0broken', breakIt);
  brokenNewer = await variant(directory, '1.0.2-1', breakIt);
});

after(() => {
  rmSync(directory, { recursive: true, force: true });
});

for (const release of RELEASES) {
  describe(`on ${release}`, () => {
    test("installed after ctdb, it puts ctdb's files aside; removed, they are back byte for byte", async () => {
      await using root = Root.make(release, 'ctdb');
      const theirs = root.fingerprint(HELPER);
      const manPage = root.fingerprint(MAN_PAGE);
      assert.notEqual(theirs, 'absent');

      await root.dpkg('--install', built(DEB));
      await assertOurs(root, theirs);
      assert.match(root.fingerprint(CONFIG), / 100640 0:0$/);
      assert.equal((await root.run('dpkg', '--verify', 'ctdb-etcd-lock', 'ctdb')).stdout, '');

      await root.dpkg('--remove', 'ctdb-etcd-lock');
      await assertTheirs(root, theirs, manPage);
      assert.ok(root.has(CONFIG), 'a configuration outlives a removal');

      await root.dpkg('--purge', 'ctdb-etcd-lock');
      await assertTheirs(root, theirs, manPage);
      assert.ok(!root.has(CONFIG), 'a purge removes the configuration');
      assert.ok(root.has('/etc/ctdb/ctdb.conf'));
    });

    test('installed before ctdb, it stays in its place when ctdb comes, is upgraded and goes', async () => {
      await using root = Root.make(release, 'ctdb');
      const theirs = root.fingerprint(HELPER);
      const manPage = root.fingerprint(MAN_PAGE);
      await root.dpkg('--remove', '--force-depends', 'ctdb');
      assert.equal(root.fingerprint(HELPER), 'absent');

      await root.dpkg('--install', built(DEB));
      const ours = root.fingerprint(HELPER);
      await root.dpkg('--install', ctdbDeb(release));
      await assertOurs(root, theirs);
      assert.equal(root.fingerprint(HELPER), ours);
      await root.dpkg('--install', ctdbDeb(release)); // as an upgrade of ctdb does
      await assertOurs(root, theirs);

      await root.dpkg('--remove', '--force-depends', 'ctdb');
      assert.equal(root.fingerprint(HELPER), ours);
      assert.equal(root.fingerprint(ASIDE), 'absent');
      await root.dpkg('--install', ctdbDeb(release));
      await root.dpkg('--purge', 'ctdb-etcd-lock');
      await assertTheirs(root, theirs, manPage);
    });

    test('an upgrade and a downgrade keep the diversion and a changed configuration', async () => {
      await using root = Root.make(release, 'ctdb');
      const theirs = root.fingerprint(HELPER);
      await root.dpkg('--install', built(DEB));
      writeFileSync(join(root.path, CONFIG), 'hosts = etcd1\n');
      const config = root.fingerprint(CONFIG);

      await root.dpkg('--force-confold', '--install', newer);
      await assertOurs(root, theirs);
      assert.equal(root.fingerprint(CONFIG), config);

      await root.dpkg('--force-confold', '--install', built(DEB));
      await assertOurs(root, theirs);
      assert.equal(root.fingerprint(CONFIG), config);
      assert.equal((await root.diversions()).split('\n').length, 2);
    });

    test('a configuration nobody touched is replaced by an upgrade', async () => {
      await using root = Root.make(release, 'ctdb');
      await root.dpkg('--install', built(DEB));
      await root.dpkg('--install', newer);
      assert.match(root.read(CONFIG), /new in 1\.0\.1/);
    });

    test("an installation that fails gives ctdb's files and the configuration back", async () => {
      await using root = Root.make(release, 'ctdb');
      const theirs = root.fingerprint(HELPER);
      const manPage = root.fingerprint(MAN_PAGE);
      writeFileSync(join(root.path, CONFIG), 'port = 2379\n');
      const config = root.fingerprint(CONFIG);
      assert.match(await root.dpkgFails('--install', broken), /trying to overwrite/);
      await assertTheirs(root, theirs, manPage);
      assert.equal(root.fingerprint(CONFIG), config);
    });

    test('an upgrade that fails leaves the old version at work', async () => {
      await using root = Root.make(release, 'ctdb');
      const theirs = root.fingerprint(HELPER);
      await root.dpkg('--install', built(DEB));
      const ours = root.fingerprint(HELPER);
      assert.match(await root.dpkgFails('--install', brokenNewer), /trying to overwrite/);
      await assertOurs(root, theirs);
      assert.equal(root.fingerprint(HELPER), ours);
      assert.match((await root.run('dpkg-query', '--show', 'ctdb-etcd-lock')).stdout, /1\.0\.0-1$/m);
    });

    test('its event script is one that CTDB can enable, and no link to it is left behind', async () => {
      await using root = Root.make(release, 'ctdb');
      await root.dpkg('--install', built(DEB));
      const link = '/etc/ctdb/events/legacy/46.etcdlock.script';
      assert.equal((await root.run('test', '-L', link)).status, 1, 'it is off until it is enabled');
      // The tool that "ctdb event script enable" runs.
      const tool = (...args: readonly string[]): Promise<Finished> =>
        root.run('/usr/libexec/ctdb/ctdb-event', 'script', ...args);
      const enabled = await tool('enable', 'legacy', '46.etcdlock');
      assert.equal(enabled.status, 0, enabled.stderr);
      assert.match((await tool('list', 'legacy')).stdout, /^\* 46\.etcdlock$/m);
      assert.equal((await root.run('test', '-x', link)).status, 0);
      await root.dpkg('--remove', 'ctdb-etcd-lock');
      assert.equal((await root.run('test', '-L', link)).status, 1);
    });

    test('the configuration of the helper in Python stays as it is, and nobody is asked', async () => {
      await using root = Root.make(release, 'ctdb');
      writeFileSync(join(root.path, CONFIG), '# ours since 2016\nport = 2379\nlock_ttl = 9\n', {
        mode: 0o644,
      });
      const config = root.fingerprint(CONFIG);
      await root.dpkg('--install', built(DEB));
      assert.equal(root.fingerprint(CONFIG), config);
      assert.match((await root.run('ls', '/etc/ctdb')).stdout, /^etcd$/m);
      assert.doesNotMatch((await root.run('ls', '/etc/ctdb')).stdout, /etcd\./);
      await root.dpkg('--install', built(DEB));
      assert.equal(root.fingerprint(CONFIG), config);
    });
  });
}
