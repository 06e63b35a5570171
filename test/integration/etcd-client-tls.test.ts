// TLS with real members: what is accepted, what is refused, and files that change in the meantime. The words for each
// refusal are in test/conformance/errors-of-etcd.test.ts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { EtcdError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import {
  Authority,
  encryptKey,
  joinFiles,
  replaceFile,
  type CertificateFiles,
} from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { errorOf, reach, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const KEY = '/_locks/_ctdb/TLS/k';

function asEtcdError(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  throw error;
}

let directory: string;
let authority: Authority;
let stranger: Authority;
let server: CertificateFiles;
let client: CertificateFiles;

before(async () => {
  directory = await temporaryDirectory('tls');
  authority = await Authority.make(directory, 'authority');
  stranger = await Authority.make(directory, 'stranger');
  server = await authority.issue({ keyType: 'rsa' });
  client = await authority.issue({ commonName: 'samba' });
});

type TlsWishes = Partial<Config['tls']>;

function start(
  files: CertificateFiles,
  clientCertAuth = false,
  args: readonly string[] = [],
): Promise<EtcdCluster> {
  return EtcdCluster.start({ tls: { caFile: authority.certFile, ...files, clientCertAuth }, args });
}

/** One read over TLS; resolves to how it ended. */
async function tryTo(cluster: EtcdCluster, tls: TlsWishes = {}, host = '127.0.0.1'): Promise<string> {
  const wishes = { secure: true, tls: { caFile: authority.certFile, ...tls } };
  using member = await reach(`${host}:${cluster.member(0).clientPort}`, wishes);
  try {
    await member.readKey(KEY, withinMs());
    return 'ok';
  } catch (error) {
    const { kind, message, remedy } = asEtcdError(error);
    return `${kind}: ${message}; ${remedy ?? ''}`;
  }
}

test('a member whose certificate has the host name in its CN alone is refused, as etcdctl does', async () => {
  for (const names of [[], ['IP:192.0.2.1']]) {
    await using cluster = await start(await authority.issue({ commonName: 'localhost', names }));
    assert.match(
      await tryTo(cluster, {}, 'localhost'),
      /^tls: the member's certificate is not for "localhost", /,
    );
    const endpoints = `https://localhost:${cluster.member(0).clientPort}`;
    const { status, stderr } = await cluster.tryEtcdctl(['get', 'k', '--command-timeout=1s'], { endpoints });
    assert.notEqual(status, 0);
    assert.match(stderr, /x509|deadline/);
  }
});

void describe('a member with a good certificate', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await start(server);
  });
  after(() => cluster.stop());

  test('is reached by name and by address, without a warning on stderr', async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => {
      warnings.push(warning.message);
    };
    process.on('warning', note);
    assert.equal(await tryTo(cluster), 'ok');
    assert.equal(await tryTo(cluster, {}, 'localhost'), 'ok');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  test('of an unknown authority is refused, and taken with insecure_skip_verify', async () => {
    assert.match(await tryTo(cluster, { caFile: stranger.certFile }), /^tls: /);
    assert.equal(await tryTo(cluster, { caFile: stranger.certFile, insecureSkipVerify: true }), 'ok');
  });

  test('has to have the name in server_name, be it a host or an address', async () => {
    assert.equal(await tryTo(cluster, { serverName: 'localhost' }), 'ok');
    assert.equal(await tryTo(cluster, { serverName: '127.0.0.1' }, 'localhost'), 'ok');
    assert.match(
      await tryTo(cluster, { serverName: 'etcd.example' }),
      /^tls: the member's certificate is not for "etcd\.example", but for DNS:localhost, IP:127\.0\.0\.1.*; .*server_name/,
    );
  });

  test('spoken to in plain text closes the connection, and the remedy is https', async () => {
    using member = await reach(cluster.hosts);
    const { kind, message, remedy } = await errorOf(member.readKey(KEY, withinMs()));
    assert.equal(kind, 'unavailable');
    assert.match(message, /closed the connection before HTTP\/2 began/);
    assert.match(remedy ?? '', /protocol = https/);
  });

  test('spoken to in plain text is found to speak TLS, which is final for that question', async () => {
    using member = await reach(cluster.hosts);
    const proven = await waitFor('the handshake that proves it', async () => {
      const error = await errorOf(member.readKey(KEY, withinMs()));
      return error.kind === 'tls' && error;
    });
    assert.deepEqual([proven.message, proven.remedy], ['the member speaks TLS', 'set protocol = https']);
  });

  test('that hangs up on plain text because it is stopped is not taken for one that speaks TLS', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.end()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    using member = await reach(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (let count = 0; count < 5; count += 1) {
      assert.equal((await errorOf(member.readKey(KEY, withinMs()))).kind, 'unavailable');
      await new Promise((resolve) => setTimeout(resolve, 150)); // past the pause between two dials
    }
    server.close();
  });
});

test('insecure_skip_verify takes a certificate that has expired, is not yet valid, or is for another name', async () => {
  for (const wishes of [
    { validFromDays: -9, validToDays: -2 },
    { validFromDays: 2, validToDays: 9 },
    { names: ['DNS:elsewhere.example', 'IP:10.1.2.3'] },
  ]) {
    await using cluster = await start(await authority.issue(wishes));
    assert.match(await tryTo(cluster), /^tls: /);
    assert.equal(await tryTo(cluster, { insecureSkipVerify: true }), 'ok');
  }
});

for (const cipher of ['TLS 1.2', 'TLS 1.3']) {
  void describe(`a member that wants client certificates, over ${cipher}`, () => {
    let cluster: EtcdCluster;
    before(async () => {
      cluster =
        cipher === 'TLS 1.3'
          ? await start(server, true)
          : await EtcdCluster.start({
              release: LATEST_RELEASE,
              tls: { caFile: authority.certFile, ...server, clientCertAuth: true },
              args: ['--tls-max-version=TLS1.2'],
            });
    });
    after(() => cluster.stop());

    test('is what it says', async () => {
      const files = { cert: readFileSync(client.certFile), key: readFileSync(client.keyFile) };
      const socket = tlsConnect({
        ...{ port: cluster.member(0).clientPort, host: '127.0.0.1', ALPNProtocols: ['h2'] },
        ...{ ca: readFileSync(authority.certFile), ...files },
      });
      await new Promise((resolve) => socket.once('secureConnect', resolve));
      assert.equal(socket.getProtocol(), cipher === 'TLS 1.3' ? 'TLSv1.3' : 'TLSv1.2');
      socket.destroy();
    });

    test('takes one, as two files or as one, with RSA and EC keys, encrypted or not', async () => {
      const rsa = await authority.issue({ keyType: 'rsa' });
      const passwordFile = join(directory, 'password');
      writeFileSync(passwordFile, 'correct horse\n');
      for (const [index, files] of [client, rsa].entries()) {
        assert.equal(await tryTo(cluster, files), 'ok');
        const both = join(directory, `both-${index}.pem`);
        assert.equal(
          await tryTo(cluster, { certFile: await joinFiles(both, [files.certFile, files.keyFile]) }),
          'ok',
        );
        assert.equal(
          await tryTo(cluster, { certFile: await joinFiles(both, [files.keyFile, files.certFile]) }),
          'ok',
        );
        const encrypted = await encryptKey(
          files.keyFile,
          'correct horse',
          join(directory, `encrypted-${index}.pem`),
        );
        const withPassword = { ...files, keyFile: encrypted, keyPasswordFile: passwordFile };
        assert.equal(await tryTo(cluster, withPassword), 'ok');
      }
    });

    test('refuses a client without one, and the message says so', async () => {
      // With TLS 1.2 the alert is the one that a member without a common cipher sends as well.
      assert.match(
        await tryTo(cluster),
        cipher === 'TLS 1.3'
          ? /^tls: the member wants a client certificate; set cert and key$/
          : /^tls: the member .*, or it wants a client certificate; check .*, or set cert and key$/,
      );
    });

    test('refuses one of a stranger, and one that has expired, and names the file', async () => {
      const expired = await authority.issue({ validFromDays: -9, validToDays: -2 });
      for (const files of [await stranger.issue(), expired]) {
        const said = await tryTo(cluster, files);
        assert.match(
          said,
          /^tls: the member refused the client certificate \(.*\)(, signed by "CN=.*"; replace|: it has expired; renew) cert "/,
        );
        assert.ok(said.includes(files.certFile), said);
      }
    });
  });
}

void describe('files that change under a holder', () => {
  test('a new authority and a new client certificate serve the next connection, half-written ones do not', async () => {
    await using cluster = await start(server, true);
    const files = {
      caFile: join(directory, 'used-ca.pem'),
      certFile: join(directory, 'used.pem'),
      keyFile: join(directory, 'used-key.pem'),
    };
    await replaceFile(files.caFile, authority.certFile);
    await replaceFile(files.certFile, client.certFile);
    await replaceFile(files.keyFile, client.keyFile);
    using member = await reach(cluster.hosts, { secure: true, tls: files });
    const reconnect = async (): Promise<void> => {
      await cluster.member(0).stop();
      cluster.member(0).start();
      await cluster.member(0).healthy();
      await waitFor('the member answers', async () => {
        try {
          return await member.readKey(KEY, withinMs());
        } catch (error) {
          const { kind } = asEtcdError(error);
          assert.equal(kind, 'unavailable', 'nothing but the restart itself may be in the way');
          return undefined;
        }
      });
    };
    await member.readKey(KEY, withinMs());

    // The key comes before its certificate: for a moment they are no pair. Then the file is cut off.
    const next = await authority.issue({ commonName: 'next' });
    await replaceFile(files.keyFile, next.keyFile);
    await reconnect();
    writeFileSync(files.certFile, readFileSync(next.certFile, 'utf8').slice(0, 300));
    writeFileSync(files.caFile, readFileSync(authority.certFile, 'utf8').slice(0, 300));
    await reconnect();
    await replaceFile(files.certFile, next.certFile);
    await joinFiles(files.caFile, [stranger.certFile, authority.certFile]);
    await reconnect();

    // The members move to the other authority, and take no other client certificates any more.
    const served = await stranger.issue();
    await replaceFile(server.certFile, served.certFile);
    await replaceFile(server.keyFile, served.keyFile);
    await joinFiles(authority.certFile, [stranger.certFile]);
    const last = await stranger.issue({ commonName: 'last' });
    await replaceFile(files.certFile, last.certFile);
    await replaceFile(files.keyFile, last.keyFile);
    await reconnect();
  });
});
