import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { createServer } from 'node:tls';
import type { Endpoint } from '../../src/config/config.ts';
import { makeSecure } from '../../src/connect/tls.ts';
import { TlsFiles } from '../../src/connect/tls-files.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { findV2Lock, v2LockDirectory, type V2Lock } from '../../src/etcd/v2-lock.ts';
import type { V2Tools } from '../../src/etcd/v2-question.ts';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster, ETCD_RELEASES } from '../support/etcd-cluster.ts';
import { releaseThatTakes } from '../support/etcd-programs.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { NO_TLS_KEYS } from '../support/tls-config.ts';
import { depsOf } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const DIRECTORY = v2LockDirectory('_ctdb', 'SMB');

const clock = makeRealClock();
const tools: V2Tools = {
  ...depsOf(clock),
  secure: () => Promise.reject(new Error('no TLS here')),
  login: undefined,
};

const endpointsOf = (etcd: EtcdCluster): Endpoint[] =>
  etcd.members.map(({ address, clientPort }) => ({ secure: false, host: address, port: clientPort }));

/** Puts a key in the queue of waiters as python-etcd's Lock does; resolves to its name. */
async function enqueue(etcd: EtcdCluster, value: string, ttl: number): Promise<string> {
  const answer = await fetch(`http://${etcd.member(0).endpoint}/v2/keys${DIRECTORY}`, {
    method: 'POST',
    body: new URLSearchParams({ value, ttl: String(ttl) }),
  });
  assert.equal(answer.status, 201);
  return ((await answer.json()) as { node: { key: string } }).node.key;
}

const find = (etcd: EtcdCluster): Promise<V2Lock | undefined> =>
  findV2Lock(endpointsOf(etcd), DIRECTORY, tools, clock.now() + 2_000);

void describe('a lock in etcd v2', () => {
  void it('is found, with the node that holds it, until it ends', async () => {
    await using etcd = await EtcdCluster.start({
      release: releaseThatTakes('--enable-v2'),
      args: ['--enable-v2'],
      members: 3,
    });
    assert.equal(await find(etcd), undefined);
    const first = await enqueue(etcd, '0123456789abcdef_2', 60);
    await enqueue(etcd, 'fedcba9876543210_0', 60);
    assert.deepEqual(await find(etcd), { key: first, pnn: 2 });

    // One member away, one frozen: the third has no majority, so nobody knows.
    await etcd.member(0).stop();
    await waitFor('the others have a leader', async () => (await find(etcd)) !== undefined);
    assert.deepEqual(await find(etcd), { key: first, pnn: 2 });
    etcd.member(1).freeze();
    const fromMs = clock.now();
    assert.equal(await find(etcd), undefined);
    assert.ok(clock.now() - fromMs < 600);
    etcd.member(1).thaw();
  });

  // As while a cluster is upgraded to 3.6, which has no API v2.
  void it('is found where only one member has the API v2, whichever answers first', async () => {
    await using etcd = await EtcdCluster.start({
      release: releaseThatTakes('--enable-v2'),
      memberArgs: (index) => (index === 0 ? ['--enable-v2'] : []),
      members: 3,
    });
    const first = await enqueue(etcd, '0123456789abcdef_2', 60);
    for (let count = 0; count < 20; count += 1) assert.deepEqual(await find(etcd), { key: first, pnn: 2 });
  });

  void it('is not waited for where no member has the API v2, also when one is silent', async () => {
    await using etcd = await EtcdCluster.start({ members: 3 });
    await find(etcd);
    const times: number[] = [];
    for (const isSilent of [false, true]) {
      if (isSilent) etcd.member(1).freeze();
      const fromMs = clock.now();
      assert.equal(await find(etcd), undefined);
      times.push(clock.now() - fromMs);
    }
    // Far below the 400 ms for members that all are silent; a busy machine adds to the 50 ms.
    assert.ok(
      times.every((timeMs) => timeMs < 300),
      times.join(' and '),
    );
  });

  void it('is not looked for twice where the server has no API v2', async () => {
    for (const release of ETCD_RELEASES) {
      await using etcd = await EtcdCluster.start({ release });
      const fromMs = clock.now();
      assert.equal(await find(etcd), undefined);
      assert.ok(clock.now() - fromMs < 300, `${clock.now() - fromMs} ms`);
    }
  });

  void it('is not looked for in an answer without end, of which no more is taken than is needed', async () => {
    const directory = await temporaryDirectory('v2');
    const authority = await Authority.make(directory, 'authority');
    const { certFile, keyFile } = await authority.issue();
    let sentBytes = 0;
    let isClosed = false;
    const page = Buffer.alloc(65_536, ' ');
    const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => {
      socket.on('error', () => undefined).on('close', () => (isClosed = true));
      const send = (): void => {
        while (!socket.destroyed) {
          sentBytes += page.length;
          if (!socket.write(page)) break;
        }
      };
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.on('drain', send);
      send();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const endpoint: Endpoint = {
      secure: true,
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
    };
    const config = { ...NO_TLS_KEYS, caFile: authority.certFile };
    const secure = makeSecure(config, new TlsFiles(config), ['http/1.1']);
    assert.equal(
      await findV2Lock([endpoint], DIRECTORY, { ...tools, secure }, clock.now() + 2_000),
      undefined,
    );
    await waitFor('the connection is closed', () => isClosed);
    server.close();
    // The helper reads 256 KiB. The rest is in the buffers of the sockets.
    assert.ok(sentBytes < 16 * 1024 * 1024, `${sentBytes} bytes`);
  });

  void it('is not there when nobody listens', async () => {
    const nobody: Endpoint = { secure: false, host: '127.0.0.1', port: 9 };
    assert.equal(await findV2Lock([nobody], DIRECTORY, tools, clock.now() + 2_000), undefined);
  });
});
