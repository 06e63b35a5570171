// Months of a holder's life in a minute: whatever is done to etcd, its certificates, users and roles, it is one and the
// same lease and key at the end.
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Authority, joinFiles, replaceFile, type CertificateFiles } from '../support/certificates.ts';
import { EtcdCluster, etcdPackageVersion, type EtcdctlOptions } from '../support/etcd-cluster.ts';
import { ADDED_RELEASES } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { loginsOf, renewedOnce, restartOneByOne, setPassword } from '../support/live-cluster.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const DIRECTORY = '/_locks/_ctdb/LIFE/';
const ROOT = 'root:rootpw';
// The shortest that etcd honours. A simple token lives on with each use, so renewals have to be further apart; the
// longest pause that a lock_ttl of 9 s takes is 4.5 s.
const TOKEN_TTL_S = 2;
const REFRESH_S = 4.5;

/** The files of one cluster and its holder, under names that stay the same. */
class Files {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  readonly passwordFile: string;

  constructor(directory: string) {
    this.caFile = join(directory, 'server-ca.pem');
    this.certFile = join(directory, 'server.pem');
    this.keyFile = join(directory, 'server-key.pem');
    this.clientCaFile = join(directory, 'client-ca.pem');
    this.clientCertFile = join(directory, 'client.pem');
    this.clientKeyFile = join(directory, 'client-key.pem');
    this.passwordFile = join(directory, 'password');
  }

  async serve({ certFile, keyFile }: CertificateFiles): Promise<void> {
    await copyFile(keyFile, this.keyFile);
    await replaceFile(this.certFile, certFile);
  }

  setPassword(password: string): Promise<void> {
    return writeFile(this.passwordFile, `${password}\n`, { mode: 0o600 });
  }
}

async function writeHalf(target: string, source: string): Promise<void> {
  const whole = await readFile(source);
  await writeFile(target, whole.subarray(0, whole.length / 2));
}

void describe('a holder', { concurrency: 2 }, () => {
  for (const release of ['3.5-forky', '3.4', ...ADDED_RELEASES]) {
    test(`on etcd ${etcdPackageVersion(release)} lives through logins that expire, restarts, new certificates, users and roles with one lease`, async (t) => {
      await using stack = new AsyncDisposableStack();
      const directory = await temporaryDirectory('life');
      const [old, young] = [await Authority.make(directory, 'old'), await Authority.make(directory, 'young')];
      const [server, client] = [await old.issue(), await old.issue({ commonName: 'somebody' })];
      const [newServer, newClient] = [await young.issue(), await young.issue({ commonName: 'somebody' })];
      const files = new Files(directory);
      await files.serve(server);
      const both = await joinFiles(join(directory, 'both.pem'), [old.certFile, young.certFile]);
      await copyFile(both, files.caFile);
      await copyFile(old.certFile, files.clientCaFile);
      await copyFile(client.certFile, files.clientCertFile);
      await copyFile(client.keyFile, files.clientKeyFile);
      await files.setPassword('sambapw');

      const cluster = stack.use(
        await EtcdCluster.start({
          release,
          members: 3,
          tls: {
            caFile: files.caFile,
            certFile: files.certFile,
            keyFile: files.keyFile,
            clientCertAuth: true,
          },
          args: [`--auth-token-ttl=${TOKEN_TTL_S}`],
        }),
      );
      // The administrator has both certificates at hand; which one counts changes below.
      let asAdministrator: EtcdctlOptions = { ...client };
      const etcdctl = (...words: string[]): Promise<string> => cluster.etcdctl(words, asAdministrator);
      await etcdctl('user', 'add', ROOT);
      await etcdctl('user', 'grant-role', 'root', 'root');
      await etcdctl('role', 'add', 'ctdb');
      await etcdctl('role', 'grant-permission', '--prefix=true', 'ctdb', 'readwrite', DIRECTORY);
      await etcdctl('user', 'add', 'samba:sambapw');
      await etcdctl('user', 'grant-role', 'samba', 'ctdb');

      const base = stack.use(
        await HelperBase.make({
          hosts: cluster.hosts,
          protocol: 'https',
          ca_cert: files.clientCaFile,
          cert: files.clientCertFile,
          key: files.clientKeyFile,
          username: 'samba',
          password_file: files.passwordFile,
          netbios_name: 'LIFE',
          refresh: REFRESH_S,
        }),
      );
      const helper = await base.run();
      assert.equal(await helper.answer(), '0', helper.stderr);
      const look = async (): Promise<string> => {
        const [key, ...more] = await cluster.keys(DIRECTORY, asAdministrator);
        assert.ok(key !== undefined && key.leaseHex !== '0' && more.length === 0, helper.stderr);
        return `lease ${key.leaseHex}, create revision ${key.createRevision}`;
      };
      const first = await look();
      const passed = async (what: string): Promise<void> => {
        await renewedOnce(cluster, helper);
        assert.equal(helper.endOfFileAtMs, undefined, `${what}: ${helper.stderr}`);
        const now = await look();
        t.diagnostic(`${what}: ${now}`);
        assert.equal(now, first);
      };

      await etcdctl('auth', 'enable');
      asAdministrator = { ...asAdministrator, user: ROOT };
      await passed('authentication enabled');

      const logins = await loginsOf(cluster);
      await waitFor('three more logins', async () => (await loginsOf(cluster)) >= logins + 3, {
        withinMs: 40_000,
        everyMs: 200,
      });
      await passed('three tokens expired');

      // Half-written files at the moment when each connection has to be made anew.
      await writeHalf(files.clientCertFile, newClient.certFile);
      await writeHalf(files.clientCaFile, both);
      await restartOneByOne(cluster);
      await passed('all members restarted, certificate and authority half written');

      await copyFile(both, files.clientCaFile);
      await copyFile(newClient.keyFile, files.clientKeyFile);
      await replaceFile(files.clientCertFile, newClient.certFile);
      await files.serve(newServer);
      await copyFile(young.certFile, files.caFile);
      await restartOneByOne(cluster);
      asAdministrator = { ...asAdministrator, ...newClient };
      await passed('all members restarted, new certificates of a new authority on both sides');

      await setPassword(cluster, 'samba', 'another', asAdministrator);
      await files.setPassword('another');
      await passed('another password');
      await etcdctl('role', 'add', 'ctdb2');
      await etcdctl('role', 'grant-permission', '--prefix=true', 'ctdb2', 'readwrite', '/_locks/');
      await etcdctl('user', 'grant-role', 'samba', 'ctdb2');
      await etcdctl('role', 'delete', 'ctdb');
      await passed('another role');

      await etcdctl('auth', 'disable');
      asAdministrator = { ...newClient };
      await passed('authentication disabled');
      await etcdctl('auth', 'enable');
      asAdministrator = { ...asAdministrator, user: ROOT };
      await passed('authentication enabled again');

      assert.equal((await helper.release()).status, 0);
      assert.equal(helper.bytes, '0');
      assert.deepEqual(await cluster.keys(DIRECTORY, asAdministrator), []);
      // It was started before authentication was enabled.
      // Files that are half written for 30 s are said as well, and that they are whole again.
      const lines = helper.stderrLines.filter((line) => !line.trimEnd().endsWith('[warn-files]'));
      assert.equal(lines.length, 1, helper.stderr);
      assert.match(lines.join(), /^Warning: etcd at .*: authentication is not enabled/);
    });
  }
});
