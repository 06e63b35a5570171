// A rotation that goes wrong while the lock is held, by the packed binary on a member with TLS.
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Authority, replaceFile, type CertificateFiles } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import type { Helper } from '../support/mutex-parent.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const OVER = 'Warning: The files of TLS and of the login can be used again [warn-files]';

/** The holder looks every 30 s, and 5 s later once more. */
function said(holder: Helper, count: number): Promise<string[]> {
  const lines = (): string[] => holder.stderr.split('\n').filter((line) => line !== '');
  return waitFor(`${count} lines`, () => (lines().length >= count ? lines() : undefined), {
    withinMs: 90_000,
    everyMs: 100,
  });
}

void describe('files that are changed under a holder', () => {
  let cluster: EtcdCluster;
  let folder: string;
  let pair: CertificateFiles;
  let otherPair: CertificateFiles;
  let caFile: string;
  before(async () => {
    folder = await temporaryDirectory('changed-files');
    const authority = await Authority.make(folder, 'authority');
    caFile = authority.certFile;
    pair = await authority.issue({ commonName: 'samba' });
    otherPair = await authority.issue({ commonName: 'other' });
    cluster = await EtcdCluster.start({ tls: { caFile, ...(await authority.issue()) } });
  });
  after(async () => {
    await cluster.stop();
    removeTemporaryDirectory(folder);
  });

  test('a key that does not belong to its certificate is said once, and once when it is over', async () => {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await copyFile(pair.certFile, cert);
    await copyFile(pair.keyFile, key);
    await using bench = await LockBench.make(cluster, { protocol: 'https', ca_cert: caFile, cert, key });
    const holder = await bench.hold();
    await replaceFile(cert, otherPair.certFile);
    const [line = ''] = await said(holder, 1);
    assert.equal(
      line,
      `Warning: The files of TLS were changed and cannot be used: the private key in key "${key}" does not belong to the certificate in cert "${cert}"; this holder goes on with the old ones, another helper cannot connect; set cert and key to a matching pair [warn-files]`,
    );
    const contender = await bench.run();
    assert.equal(await contender.answer(), '3');
    await replaceFile(key, otherPair.keyFile);
    assert.deepEqual((await said(holder, 2)).slice(1), [OVER]);
    assert.equal(holder.endOfFileAtMs, undefined);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a password_file that was emptied is said', async () => {
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, 'secret\n', { mode: 0o600 });
    await using bench = await LockBench.make(cluster, {
      protocol: 'https',
      ca_cert: caFile,
      cert: pair.certFile,
      key: pair.keyFile,
      username: 'samba',
      password_file: passwordFile,
    });
    const holder = await bench.hold();
    const before = holder.stderr; // etcd asks nobody for a login here, which is a warning
    await writeFile(passwordFile, '');
    const line = (await said(holder, 2))[1];
    assert.equal(
      line,
      `Warning: password_file "${passwordFile}" was changed and cannot be used: its first line is empty; the lock is lost at the next login, another helper cannot log in; write the password into it [warn-files]`,
      before,
    );
    assert.equal((await holder.release()).status, 0);
  });
});
