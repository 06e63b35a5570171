// The stream that renewals share: one request at a time, and never an answer that was not asked for.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { LeaseId } from '../../src/cluster/member.ts';
import { CallFailure, callKeepAlive, callUnary } from '../../src/etcd/call.ts';
import { EndpointConnector } from '../../src/connect/endpoint-connector.ts';
import { TlsSuspects } from '../../src/connect/probe.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { SessionServer } from '../support/session-server.ts';
import { depsOf, errorOf, reach, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

void describe('the stream of keepalives', () => {
  let server: SessionServer;
  let connector: EndpointConnector;
  beforeEach(async () => {
    server = await SessionServer.start();
    connector = new EndpointConnector(
      { secure: false, host: '127.0.0.1', port: server.port },
      {
        names: depsOf().names,
        secure: () => Promise.reject(new Error('no TLS here')),
        suspects: new TlsSuspects(),
      },
      { clock: makeRealClock(), dialTimeoutMs: undefined, grpcOptions: {} },
    );
  });
  afterEach(async () => {
    connector.close();
    await server[Symbol.asyncDispose]();
  });

  /** The TTL that was answered, and the number of streams so far. */
  async function renew(leaseId = '1', token = 'a'): Promise<readonly [ttl: string, streams: number]> {
    const { message } = await callKeepAlive(connector, withinMs().signal, leaseId, { token });
    return [message.TTL, server.keepalives.length];
  }

  test('is one for all renewals, also of several leases', async () => {
    for (const lease of ['1', '1', '2', '9223372036854775807'])
      assert.deepEqual(await renew(lease), ['9', 1]);
    assert.deepEqual(server.keepalives[0]?.asked, ['1', '1', '2', '9223372036854775807']);
  });

  test('is opened anew for another token', async () => {
    assert.deepEqual(await renew('1', 'a'), ['9', 1]);
    assert.deepEqual(await renew('1', 'b'), ['9', 2]);
    assert.deepEqual(
      server.keepalives.map(({ token }) => token),
      ['a', 'b'],
    );
    await waitFor('the first is closed', () => server.keepalives[0]?.isClosed);
  });

  test('serves one request at a time: two at once have two streams, of which one is kept', async () => {
    const [one, other] = await Promise.all([renew('1'), renew('2')]);
    assert.deepEqual([one[1], other[1]], [2, 2]);
    for (const { asked } of server.keepalives) assert.equal(asked.length, 1);
    await waitFor('one is closed', () => server.keepalives.some(({ isClosed }) => isClosed));
    assert.deepEqual(await renew(), ['9', 2]);
  });

  for (const reason of ['timeout', 'outrun', 'unwanted'] as const) {
    test(`is dropped when an answer is given up for ${reason}: it cannot come late to the next request`, async () => {
      assert.deepEqual(await renew(), ['9', 1]);
      server.onKeepAlive = () => undefined;
      const giveUp = new AbortController();
      const call = callKeepAlive(connector, giveUp.signal, '1', { token: 'a' });
      await waitFor('the request is there', () => server.keepalives[0]?.asked.length === 2);
      giveUp.abort(reason);
      await assert.rejects(call);
      server.onKeepAlive = (stream, leaseId) => {
        // First the late one, which would be believed on the same stream.
        server.keepalives[0]?.answer('1', 77);
        stream.answer(leaseId, 9);
      };
      assert.deepEqual(await renew(), ['9', 2]);
      await waitFor('the first is closed', () => server.keepalives[0]?.isClosed);
    });
  }

  test('is dropped when something comes on it that nobody asked for', async () => {
    assert.deepEqual(await renew(), ['9', 1]);
    server.keepalives[0]?.answer('1', 77);
    await waitFor('it is closed', () => server.keepalives[0]?.isClosed);
    assert.deepEqual(await renew(), ['9', 2]);
  });

  test('is dropped when a request is answered twice', async () => {
    server.onKeepAlive = (stream, leaseId) => {
      stream.answer(leaseId, 9);
      stream.answer(leaseId, 77);
    };
    for (const streams of [1, 2, 3]) {
      assert.deepEqual(await renew(), ['9', streams]);
      await waitFor('it is closed', () => server.keepalives.at(-1)?.isClosed);
    }
  });

  test('is dropped when the answer is about another lease, which is an error', async () => {
    using member = await reach(`127.0.0.1:${server.port}`);
    server.onKeepAlive = (stream) => {
      stream.answer('2');
    };
    const error = await errorOf(member.keepAlive('1' as LeaseId, withinMs()));
    assert.deepEqual(
      [error.kind, error.message],
      ['notEtcd', 'not etcd: the answer is about lease 2, not 1'],
    );
    await waitFor('it is closed', () => server.keepalives[0]?.isClosed);
  });

  test('that the member ends in good order is replaced', async () => {
    assert.deepEqual(await renew(), ['9', 1]);
    server.keepalives[0]?.end();
    await waitFor('it is closed', () => server.keepalives[0]?.isClosed);
    // The answer to this call comes after the end of the stream, on the same connection.
    await callUnary(connector, withinMs().signal, 'range', { key: Buffer.from('k') }, {});
    assert.deepEqual(await renew(), ['9', 2]);
  });

  // As etcd does from 3.6 on, where older releases end it in good order.
  test('that the member cancels is replaced when no answer is waited for', async () => {
    assert.deepEqual(await renew(), ['9', 1]);
    server.keepalives[0]?.end(1);
    await waitFor('it is closed', () => server.keepalives[0]?.isClosed);
    await callUnary(connector, withinMs().signal, 'range', { key: Buffer.from('k') }, {});
    assert.deepEqual(await renew(), ['9', 2]);
  });

  test('that the member cancels instead of an answer is no refusal: the next request gets another stream', async () => {
    using member = await reach(`127.0.0.1:${server.port}`);
    server.onKeepAlive = (stream) => {
      stream.end(1);
    };
    const error = await errorOf(member.keepAlive('1' as LeaseId, withinMs()));
    assert.deepEqual([error.kind, error.message], ['unavailable', 'context canceled']);
    server.onKeepAlive = (stream, leaseId) => {
      stream.answer(leaseId);
    };
    assert.equal((await member.keepAlive('1' as LeaseId, withinMs())).ttlMs, 9_000);
    assert.equal(server.keepalives.length, 2);
  });

  test('that ends without an answer fails the request', async () => {
    server.onKeepAlive = (stream) => {
      stream.end();
    };
    await assert.rejects(renew(), (error) => {
      assert.ok(error instanceof CallFailure);
      assert.deepEqual(error.status, { code: 2, details: 'the call ended without an answer' });
      return true;
    });
  });

  test('does not keep the connection from being left when the member asks for that', async () => {
    assert.deepEqual(await renew(), ['9', 1]);
    for (const session of server.sessions.values()) session.goaway();
    await waitFor('the connection is left', () => server.sessions.size === 0);
    assert.deepEqual(await renew(), ['9', 2]);
  });
});
