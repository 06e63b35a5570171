// What stands in the way of a call, each provoked for real: the kind, the words, the remedy.
import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, test } from 'node:test';
import type { EtcdErrorKind } from '../../src/base/errors.ts';
import { EtcdCluster, ETCD_RELEASES, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { respond, type StandInAnswer } from '../support/grpc-stand-in.ts';
import { freePort } from '../support/ports.ts';
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

async function readFails(
  hostPort: string,
  expected: readonly [kind: EtcdErrorKind, message: RegExp, remedy?: RegExp],
): Promise<void> {
  using member = await reach(hostPort);
  const error = await errorOf(member.readOldest(DIRECTORY, withinMs()));
  const [kind, message, remedy] = expected;
  assert.equal(error.kind, kind, error.message);
  assert.match(error.message, message);
  if (remedy !== undefined) assert.match(error.remedy ?? '', remedy);
  assert.equal(error.endpoint, hostPort);
}

void describe('what is not etcd', () => {
  test('nobody listens', async () => {
    await readFails(`127.0.0.1:${await freePort()}`, [
      'unavailable',
      /^connection refused$/,
      /hosts and port/,
    ]);
  });

  test('a name that does not exist', async () => {
    await readFails('nobody.invalid:2379', [
      'unavailable',
      /^host name not found$|^no answer from DNS/,
      /DNS/,
    ]);
  });

  test('a network that is not there', async () => {
    // Multicast is no destination for TCP, on any machine.
    await readFails('224.0.0.1:2379', ['unavailable', /^host unreachable$/, /network/]);
  });

  test('a web server that knows nothing newer than HTTP/1', async () => {
    await using server = await listen(createHttpServer((_, response) => response.end('welcome')));
    await readFails(`127.0.0.1:${server.port}`, ['notEtcd', /^not etcd: does not speak HTTP\/2$/]);
  });

  test('something that speaks first, and no HTTP at all', async () => {
    await using server = await listen(
      createServer((socket) => socket.on('error', () => undefined).end('220 mail\r\n')),
    );
    await readFails(`127.0.0.1:${server.port}`, ['notEtcd', /^not etcd: does not speak HTTP\/2$/]);
  });

  test('something that hangs up', async () => {
    await using server = await listen(createServer((socket) => socket.destroy()));
    await readFails(`127.0.0.1:${server.port}`, [
      'unavailable',
      /^the member closed the connection|^connection reset/,
    ]);
  });

  for (const [status, kind] of [
    [404, 'notEtcd'],
    [503, 'unavailable'],
  ] as const) {
    test(`a web server that answers with status ${status}`, async () => {
      const web = createHttp2Server((_, response) => {
        response.writeHead(status).end('no');
      });
      await using server = await listen(web);
      await readFails(`127.0.0.1:${server.port}`, [kind, new RegExp(`HTTP status ${status}$`)]);
    });
  }

  test('another service that speaks gRPC', async () => {
    await using server = await listen(grpcServer({ status: 12, text: 'unknown service etcdserverpb.KV' }));
    await readFails(`127.0.0.1:${server.port}`, [
      'notEtcd',
      /^not etcd, or too old: unknown service etcdserverpb\.KV$/,
      /etcd 3\.3 or newer/,
    ]);
  });

  test('an answer without a header, and one that is no message', async () => {
    await using empty = await listen(grpcServer({ message: Buffer.alloc(0) }));
    await readFails(`127.0.0.1:${empty.port}`, ['notEtcd', /^not etcd: the answer has no header$/]);
    await using broken = await listen(grpcServer({ message: Buffer.from([0x0a, 0xff, 0xff]) }));
    await readFails(`127.0.0.1:${broken.port}`, ['notEtcd', /^not etcd: the answer cannot be decoded$/]);
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
      assert.equal((await member.confirmKey('/fill', 1n, withinMs())).found?.key, '/fill');
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
