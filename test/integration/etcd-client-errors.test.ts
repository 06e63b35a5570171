// What the transport makes of servers that are not etcd, and of an etcd in need. Most causes are provoked in
// test/conformance/errors-of-etcd.test.ts; test/unit/etcd/errors.test.ts has the kinds.
import assert from 'node:assert/strict';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, test } from 'node:test';
import type { EtcdErrorKind } from '../../src/base/errors.ts';
import { EtcdCluster, ETCD_RELEASES, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { respond, type StandInAnswer } from '../support/grpc-stand-in.ts';
import { errorOf, newLeaseId, reach, recordWatch, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const DIRECTORY = '/_locks/_ctdb/ERRORS/';

async function listen(server: Server | Http2Server): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket: { destroy(): void }) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A gRPC server that gives the same answer to each call: a message, or a status without one. */
function grpcServer(answer: StandInAnswer): Http2Server {
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    respond(stream, answer);
  });
  return server;
}

/** etcd's StatusResponse with nothing but a version, which is field 2. */
function statusMessage(version: string): Buffer {
  return Buffer.concat([Buffer.from([0x12, version.length]), Buffer.from(version)]);
}

async function readFails(hostPort: string, kind: EtcdErrorKind, message: RegExp): Promise<void> {
  using member = await reach(hostPort);
  const error = await errorOf(member.readOldest(DIRECTORY, withinMs()));
  assert.deepEqual([error.kind, error.endpoint], [kind, hostPort], error.message);
  assert.match(error.message, message);
}

void describe('what is not etcd', () => {
  test('something that hangs up', async () => {
    await using server = await listen(createServer((socket) => socket.destroy()));
    await readFails(
      `127.0.0.1:${server.port}`,
      'unavailable',
      /^the member closed the connection|^connection reset/,
    );
  });

  test('an answer without a header', async () => {
    await using empty = await listen(grpcServer({ message: Buffer.alloc(0) }));
    await readFails(`127.0.0.1:${empty.port}`, 'notEtcd', /^not etcd: the answer has no header$/);
  });

  test('words of a stranger come in one printable line of bounded length', async () => {
    const text = `no\n\r\t\u0007\u001b[31m${'x'.repeat(5_000)}`;
    await using server = await listen(grpcServer({ status: 2, text }));
    using member = await reach(`127.0.0.1:${server.port}`);
    const { message } = await errorOf(member.readOldest(DIRECTORY, withinMs()));
    assert.match(message, /^no \[31mx+$/);
    assert.ok(message.length <= 300);
  });

  for (const [version, isTaken] of [
    ['3.2.32', false],
    ['2.3.8', false],
    ['', false],
    ['3.3.0', true],
    ['3.10.1', true],
    ['4.0.0', true],
  ] as const) {
    test(`etcd "${version}": a lock is ${isTaken ? 'tried' : 'not even tried'}`, async () => {
      const asked: string[] = [];
      const web = grpcServer({ message: statusMessage(version) });
      web.on('stream', (_, headers) => asked.push(String(headers[':path'])));
      await using server = await listen(web);
      using member = await reach(`127.0.0.1:${server.port}`);
      const lock = member.putIfEmpty(DIRECTORY, `${DIRECTORY}x`, 'x', newLeaseId(), withinMs());
      const { kind, message, remedy } = await errorOf(lock);
      assert.equal(
        kind,
        'notEtcd',
        'the answer to everything is the version, which is no transaction either',
      );
      assert.equal(asked.includes('/etcdserverpb.KV/Txn'), isTaken);
      if (isTaken) return;
      assert.match(message, /^the member runs etcd .*, which is too old$/);
      assert.match(remedy ?? '', /3\.3 or newer/);
    });
  }
});

for (const release of ETCD_RELEASES) {
  void describe(`etcd ${etcdPackageVersion(release)} in need`, () => {
    test('a full database: noSpace, with the way out', async () => {
      await using cluster = await EtcdCluster.start({ release, args: ['--quota-backend-bytes=1048576'] });
      assert.equal((await cluster.tryEtcdctl(['put', '/held', 'x'])).status, 0);
      for (let isFull = false; !isFull;) {
        const { status } = await cluster.tryEtcdctl(['put', '/fill', 'x'.repeat(100_000)]);
        isFull = status !== 0;
      }
      using member = await reach(cluster.hosts);
      const leaseId = newLeaseId();
      const error = await errorOf(
        member
          .grant(leaseId, 9_000, withinMs())
          .then(() => member.putIfEmpty(DIRECTORY, `${DIRECTORY}x`, 'x', leaseId, withinMs())),
      );
      assert.equal(error.kind, 'noSpace');
      assert.match(error.message, /NOSPACE/);
      assert.match(error.remedy ?? '', /defragment.*etcdctl alarm disarm/);
      // A holder renews all the same.
      assert.equal((await member.confirmKey('/held', 1n, withinMs())).found?.key, '/held');
    });

    test('no majority: the watch ends because there is no leader', async () => {
      await using cluster = await EtcdCluster.start({ release, members: 3 });
      using member = await reach(cluster.member(0).endpoint);
      const { header } = await member.readOldest(DIRECTORY, withinMs());
      const { events } = recordWatch(member, `${DIRECTORY}k`, header.revision + 1n);
      await member.readOldest(DIRECTORY, withinMs());
      await Promise.all([cluster.member(1).stop(), cluster.member(2).stop()]);
      await waitFor('the watch ends', () => events.length > 0, { withinMs: 20_000 });
      assert.deepEqual(events, ['end: the member has no raft leader']);
    });

    test('a lease TTL that no etcd takes: rejected', async () => {
      await using cluster = await EtcdCluster.start({ release });
      using member = await reach(cluster.hosts);
      const error = await errorOf(member.grant(newLeaseId(), 9e12 + 1_000, withinMs()));
      assert.deepEqual([error.kind, error.message], ['rejected', 'too large lease TTL']);
    });
  });
}
