// Logins on real members: what is refused, what expires, and authentication that is switched under a holder.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leaseHex, type Header, type LeaseId, type Member } from '../../src/cluster/member.ts';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { errorOf, newLeaseId, reach, recordWatch, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const ROOT = { user: 'root:rootpw' };
const DIRECTORY = '/_locks/_ctdb/AUTH/';
const SAMBA = { username: 'samba', password: 'sambapw', passwordFile: undefined };
// The shortest that etcd honours.
const TOKEN_TTL_S = 3;

/** A user whose role may read and write the lock's directory, as documented, and nothing else. */
async function setUp(cluster: EtcdCluster): Promise<void> {
  await cluster.etcdctl(['user', 'add', 'root:rootpw']);
  await cluster.etcdctl(['user', 'grant-role', 'root', 'root']);
  await cluster.etcdctl(['role', 'add', 'lock']);
  await cluster.etcdctl(['role', 'grant-permission', '--prefix=true', 'lock', 'readwrite', DIRECTORY]);
  await cluster.etcdctl(['user', 'add', 'samba:sambapw']);
  await cluster.etcdctl(['user', 'grant-role', 'samba', 'lock']);
}

/** Takes a lease and puts the key under it. */
async function takeKey(
  member: Member,
  ttlMs: number,
): Promise<{ readonly leaseId: LeaseId; readonly key: string; readonly header: Header }> {
  const leaseId = newLeaseId();
  const key = `${DIRECTORY}${leaseHex(leaseId)}`;
  await member.grant(leaseId, ttlMs, withinMs());
  const { header } = await member.putIfEmpty(DIRECTORY, key, 'x', leaseId, withinMs());
  return { leaseId, key, header };
}

/** A read, a keepalive and a watch, each after a change of users. Every one of them has to succeed. */
async function askWhileUsersChange(cluster: EtcdCluster, member: Member, leaseId: LeaseId): Promise<void> {
  const { header } = await member.readOldest(DIRECTORY, withinMs());
  await cluster.etcdctl(['user', 'add', 'other1:pw'], ROOT);
  await member.readOldest(DIRECTORY, withinMs());
  await cluster.etcdctl(['user', 'add', 'other2:pw'], ROOT);
  assert.equal((await member.keepAlive(leaseId, withinMs())).ttlMs, 20_000);
  await cluster.etcdctl(['user', 'add', 'other3:pw'], ROOT);
  const { events } = recordWatch(member, `${DIRECTORY}k`, header.revision + 1n);
  await cluster.etcdctl(['put', `${DIRECTORY}k`, 'x'], ROOT);
  await waitFor('the watch tells', () => events.length > 0);
  assert.deepEqual(events, ['put']);
}

for (const release of ETCD_RELEASES) {
  void describe(`a login on etcd ${etcdPackageVersion(release)}`, () => {
    let cluster: EtcdCluster;
    let directory: string;
    before(async () => {
      directory = await temporaryDirectory('auth');
      cluster = await EtcdCluster.start({ release, args: [`--auth-token-ttl=${TOKEN_TTL_S}`] });
      await setUp(cluster);
      await cluster.etcdctl(['auth', 'enable']);
    });
    after(() => cluster.stop());

    test('the smallest role is enough for every call', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      member.connect();
      const leaseId = newLeaseId();
      const key = `${DIRECTORY}${leaseHex(leaseId)}`;
      await member.grant(leaseId, 9_000, withinMs());
      const { header, succeeded } = await member.putIfEmpty(DIRECTORY, key, 'x', leaseId, withinMs());
      assert.ok(succeeded);
      const { events } = recordWatch(member, key, header.revision + 1n);
      assert.equal((await member.keepAlive(leaseId, withinMs())).ttlMs, 9_000);
      assert.equal((await member.timeToLive(leaseId, withinMs())).grantedTtlMs, 9_000);
      assert.equal((await member.readKey(key, withinMs())).oldest?.leaseId, leaseId);
      assert.equal((await member.confirmKey(key, header.revision, withinMs())).found?.leaseId, leaseId);
      assert.equal((await member.confirmKey(key, 1n, withinMs())).found?.leaseId, leaseId);
      assert.equal((await member.readOldest(DIRECTORY, withinMs())).oldest?.leaseId, leaseId);
      await member.revoke(leaseId, withinMs());
      await waitFor('the watch tells', () => events.length > 0);
      assert.deepEqual(events, ['delete']);
    });

    test('a wrong password, an unknown user and a missing login are errors that name the remedy', async () => {
      for (const [login, said] of [
        [{ ...SAMBA, password: 'wrong' }, /^wrong user name or password for user "samba"$/],
        [{ ...SAMBA, username: 'nobody' }, /^wrong user name or password for user "nobody"$/],
        [undefined, /^the member wants a login$/],
      ] as const) {
        using member = await reach(cluster.hosts, { login });
        const error = await errorOf(member.readOldest(DIRECTORY, withinMs()));
        assert.equal(error.kind, 'auth');
        assert.match(error.message, said);
        assert.match(error.remedy ?? '', /username/);
        assert.doesNotMatch(
          `${error.message} ${error.remedy ?? ''} ${String(error.stack)}`,
          /sambapw|wrong\b(?! user)/,
        );
      }
    });

    test('a directory outside the role: permission denied, with the command that grants it', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const error = await errorOf(member.readOldest('/_locks/_ctdb/OTHER/', withinMs()));
      assert.deepEqual(
        [error.kind, error.message],
        ['permission', 'permission denied to user "samba" on /_locks/_ctdb/OTHER/'],
      );
      assert.match(
        error.remedy ?? '',
        /etcdctl role grant-permission .*readwrite \/_locks\/_ctdb\/OTHER\/, and give the user that role: etcdctl user grant-role \S+ ROLE$/,
      );
    });

    test('the password file is read anew for each login, and only its first line counts', async () => {
      const passwordFile = join(directory, 'password');
      const login = { username: 'samba', password: undefined, passwordFile };
      using member = await reach(cluster.hosts, { login });
      const missing = await errorOf(member.readOldest(DIRECTORY, withinMs()));
      assert.equal(missing.kind, 'auth');
      assert.match(missing.message, /cannot read password_file ".*password": there is no such file/);
      writeFileSync(passwordFile, 'old\n');
      assert.equal((await errorOf(member.readOldest(DIRECTORY, withinMs()))).kind, 'auth');
      writeFileSync(passwordFile, 'sambapw\r\nnotes\n');
      await member.readOldest(DIRECTORY, withinMs());
    });

    test('tokens that expire are renewed in silence, for calls, keepalives and watches', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const { leaseId, key, header } = await takeKey(member, 20_000);
      const ask = {
        keepAlive: () => member.keepAlive(leaseId, withinMs()),
        readKey: () => member.readKey(key, withinMs()),
      };
      for (const call of ['keepAlive', 'readKey'] as const) {
        // Each use prolongs a simple token, so nothing may be asked in between.
        await new Promise((resolve) => setTimeout(resolve, TOKEN_TTL_S * 1_000 + 1_500));
        await ask[call]();
      }
      await new Promise((resolve) => setTimeout(resolve, TOKEN_TTL_S * 1_000 + 1_500));
      const { events } = recordWatch(member, key, header.revision + 1n);
      await member.revoke(leaseId, withinMs());
      await waitFor('the watch tells', () => events.length > 0);
      assert.deepEqual(events, ['delete']);
    });

    test('users and roles that change end no call', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const leaseId = newLeaseId();
      await member.grant(leaseId, 20_000, withinMs());
      await askWhileUsersChange(cluster, member, leaseId);
      await cluster.etcdctl(['del', `${DIRECTORY}k`], ROOT);
      await member.revoke(leaseId, withinMs());
    });

    test('the restart of a member ends no login', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const leaseId = newLeaseId();
      await member.grant(leaseId, 30_000, withinMs());
      await cluster.member(0).stop('SIGTERM');
      cluster.member(0).start();
      await cluster.member(0).healthy();
      const renewed = await waitFor('the member answers', () =>
        member.keepAlive(leaseId, withinMs()).catch(() => undefined),
      );
      assert.equal(renewed.ttlMs, 30_000);
      await member.readOldest(DIRECTORY, withinMs());
      await member.revoke(leaseId, withinMs());
    });

    test('authentication is switched off and on under a holder', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const { leaseId, key } = await takeKey(member, 30_000);
      await cluster.etcdctl(['auth', 'disable'], ROOT);
      assert.equal((await member.keepAlive(leaseId, withinMs())).ttlMs, 30_000);
      assert.equal((await member.readKey(key, withinMs())).oldest?.leaseId, leaseId);
      await cluster.etcdctl(['auth', 'enable']);
      assert.equal((await member.readKey(key, withinMs())).oldest?.leaseId, leaseId);
      assert.equal((await member.keepAlive(leaseId, withinMs())).ttlMs, 30_000);

      // The same for one that starts while it is off, and whose login is refused for that.
      await cluster.etcdctl(['auth', 'disable'], ROOT);
      using late = await reach(cluster.hosts, { login: SAMBA });
      assert.equal((await late.keepAlive(leaseId, withinMs())).ttlMs, 30_000);
      await cluster.etcdctl(['auth', 'enable']);
      assert.equal((await late.readKey(key, withinMs())).oldest?.leaseId, leaseId);
      assert.equal((await late.keepAlive(leaseId, withinMs())).ttlMs, 30_000);
      await late.revoke(leaseId, withinMs());
    });

    test('many calls at once share one login', async () => {
      using member = await reach(cluster.hosts, { login: SAMBA });
      const startedAtMs = performance.now();
      await member.readOldest(DIRECTORY, withinMs());
      const oneMs = performance.now() - startedAtMs;
      using other = await reach(cluster.hosts, { login: SAMBA });
      const againAtMs = performance.now();
      await Promise.all(Array.from({ length: 20 }, () => other.readOldest(DIRECTORY, withinMs())));
      // 20 logins would take 20 times as long: each costs etcd 50 ms and more of one processor.
      assert.ok(performance.now() - againAtMs < oneMs * 5 + 200);
    });
  });
}

/** A cluster whose tokens are signed: they carry the revision of the users, and end with the next change. */
async function startSigning(ttlS: number): Promise<EtcdCluster> {
  const directory = await temporaryDirectory('jwt');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const [publicFile, privateFile] = [join(directory, 'jwt.pub'), join(directory, 'jwt.key')];
  writeFileSync(publicFile, publicKey);
  writeFileSync(privateFile, privateKey);
  const token = `jwt,pub-key=${publicFile},priv-key=${privateFile},sign-method=RS256,ttl=${ttlS}s`;
  const cluster = await EtcdCluster.start({ release: LATEST_RELEASE, args: [`--auth-token=${token}`] });
  await setUp(cluster);
  await cluster.etcdctl(['auth', 'enable']);
  return cluster;
}

void describe('a login with signed tokens (JWT)', () => {
  test('tokens that expire are renewed in silence', async () => {
    await using cluster = await startSigning(2);
    using member = await reach(cluster.hosts, { login: SAMBA });
    const leaseId = newLeaseId();
    await member.grant(leaseId, 20_000, withinMs());
    for (const call of ['keepAlive', 'timeToLive'] as const) {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await member[call](leaseId, withinMs());
      await member.readOldest(DIRECTORY, withinMs());
    }
  });

  test('tokens that are older than the last change of users are renewed in silence', async () => {
    await using cluster = await startSigning(60);
    using member = await reach(cluster.hosts, { login: SAMBA });
    const leaseId = newLeaseId();
    await member.grant(leaseId, 20_000, withinMs());
    await askWhileUsersChange(cluster, member, leaseId);
  });
});
