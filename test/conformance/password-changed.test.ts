// A password that is changed under a holder: etcd refuses its token, and a new login with the old password too. The holder
// keeps the lock until its deadline, and longer when the file is corrected before that.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { counterOf, renewedOnce, setPassword } from '../support/live-cluster.ts';
import { monotonicMs, type Helper } from '../support/mutex-parent.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = { user: 'root:rootpw' };
const DIRECTORY = '/_locks/_ctdb/PASSWORD/';
const TTL_MS = 9_000;
// docs/safety.md: a sixth of the lease is the margin, and a renewal is sent every 2 s.
const WINDOW_MS = TTL_MS - TTL_MS / 6;
const REFRESH_MS = 2_000;
const SLACK_MS = 500;

void describe('a password that is changed under a holder', () => {
  let cluster: EtcdCluster;
  let passwordFile: string;
  before(async () => {
    passwordFile = join(await temporaryDirectory('password'), 'password');
    cluster = await EtcdCluster.start({ release: LATEST_RELEASE });
    await cluster.etcdctl(['user', 'add', 'root:rootpw']);
    await cluster.etcdctl(['user', 'grant-role', 'root', 'root']);
    await cluster.etcdctl(['role', 'add', 'ctdb']);
    await cluster.etcdctl(['role', 'grant-permission', '--prefix=true', 'ctdb', 'readwrite', DIRECTORY]);
    await cluster.etcdctl(['user', 'add', 'samba:old']);
    await cluster.etcdctl(['user', 'grant-role', 'samba', 'ctdb']);
    await cluster.etcdctl(['auth', 'enable']);
  });
  after(() => cluster.stop());

  const refusals = (): Promise<number> =>
    counterOf(cluster, 'grpc_server_handled_total{grpc_code="InvalidArgument"', 'grpc_method="Authenticate"');

  async function hold(base: HelperBase): Promise<Helper> {
    await writeFile(passwordFile, 'old\n', { mode: 0o600 });
    const helper = await base.run();
    assert.equal(await helper.answer(), '0', helper.stderr);
    await renewedOnce(cluster, helper);
    return helper;
  }

  const settings = (): Record<string, string> => ({
    hosts: cluster.hosts,
    netbios_name: 'PASSWORD',
    username: 'samba',
    password_file: passwordFile,
  });

  test('costs nothing when password_file follows before the deadline', async () => {
    await using base = await HelperBase.make(settings());
    const helper = await hold(base);
    const [key] = await cluster.keys(DIRECTORY, ROOT);
    const before = await refusals();
    await setPassword(cluster, 'samba', 'new', ROOT);
    await waitFor('a new login is refused, twice', async () => (await refusals()) >= before + 2);
    await writeFile(passwordFile, 'new\n');
    await renewedOnce(cluster, helper);
    const [now] = await cluster.keys(DIRECTORY, ROOT);
    assert.ok(key !== undefined);
    assert.deepEqual([now?.leaseHex, now?.createRevision], [key.leaseHex, key.createRevision]);
    await helper.release();
    assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
    await setPassword(cluster, 'samba', 'old', ROOT);
  });

  test('costs the lock at the deadline and not before, with logins tried at a moderate pace', async (t) => {
    await using base = await HelperBase.make(settings());
    const helper = await hold(base);
    const before = await refusals();
    const changedAtMs = monotonicMs();
    await setPassword(cluster, 'samba', 'new', ROOT);
    const doneAtMs = monotonicMs();
    const lostAtMs = await helper.endOfFile(15_000);
    await helper.exited();
    // The last renewal was sent at most one refresh before the change, and at the latest while it was made.
    assert.ok(
      lostAtMs >= changedAtMs - REFRESH_MS + WINDOW_MS - SLACK_MS,
      `${lostAtMs - changedAtMs} ms after`,
    );
    assert.ok(lostAtMs <= doneAtMs + WINDOW_MS + SLACK_MS, `${lostAtMs - doneAtMs} ms after`);
    assert.equal(helper.stderrLines.length, 1, helper.stderr);
    assert.match(
      helper.stderr,
      /^Lock lost - etcd did not confirm it in time: .*wrong user name or password/,
    );
    assert.doesNotMatch(helper.stderr, /old|new\b/);
    const tried = (await refusals()) - before;
    t.diagnostic(`lost ${Math.round(lostAtMs - changedAtMs)} ms after the change, ${tried} logins tried`);
    assert.ok(tried >= 3 && tried <= 30, `${tried} logins`);
  });
});
