// Two answers with the same connection came over the same TCP connection: what a renewal rests on, whatever happens between its two calls.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { CallFailure, callKeepAlive, callUnaryAnswered } from '../../src/etcd/call.ts';
import { EtcdError } from '../../src/base/errors.ts';
import { DnsCache } from '../../src/connect/dns-cache.ts';
import { EndpointConnector } from '../../src/connect/endpoint-connector.ts';
import { TlsSuspects } from '../../src/connect/probe.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { Random } from '../support/hostile.ts';
import { SessionServer } from '../support/session-server.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const LEASE = '4711';

/** Over which connection an answer came: the helper's identity of it, and the server's number. */
interface Way {
  readonly connection: number;
  readonly session: string;
}

function connectorTo(
  port: number,
  addresses: readonly string[] = ['127.0.0.1'],
): EndpointConnector & Disposable {
  const connector = new EndpointConnector(
    { secure: false, host: 'member.test', port },
    {
      names: new DnsCache(() => Promise.resolve(addresses)),
      secure: () => Promise.reject(new Error('no TLS here')),
      suspects: new TlsSuspects(),
    },
    {
      clock: makeRealClock(),
      dialTimeoutMs: undefined,
      grpcOptions: { 'grpc.initial_reconnect_backoff_ms': 10 },
    },
  );
  return Object.assign(connector, {
    [Symbol.dispose]: () => {
      connector.close();
    },
  });
}

/** Undefined when the call failed, which is fine; it must not be believed then. */
async function wayOf(
  call: Promise<{ message: { header?: { member_id: string } | null }; connection: number }>,
): Promise<Way | undefined> {
  try {
    const { message, connection } = await call;
    return { connection, session: message.header?.member_id ?? '' };
  } catch (error) {
    if (error instanceof CallFailure || error instanceof EtcdError) return undefined;
    throw error;
  }
}

const askFirst = (connector: EndpointConnector): Promise<Way | undefined> =>
  wayOf(callUnaryAnswered(connector, withinMs().signal, 'range', { key: Buffer.from('k') }, {}));
const askSecond = (connector: EndpointConnector): Promise<Way | undefined> =>
  wayOf(callKeepAlive(connector, withinMs().signal, LEASE, {}));

/** The server's number for each connection of the helper; fails when one connection has two numbers. */
class Ways {
  readonly #sessionOf = new Map<number, string>();

  note(...ways: readonly (Way | undefined)[]): void {
    for (const way of ways) {
      if (way === undefined) continue;
      const known = this.#sessionOf.get(way.connection);
      assert.ok(known === undefined || known === way.session, `connection ${way.connection} is two`);
      this.#sessionOf.set(way.connection, way.session);
    }
  }

  get size(): number {
    assert.equal(new Set(this.#sessionOf.values()).size, this.#sessionOf.size, 'two connections are one');
    return this.#sessionOf.size;
  }
}

void describe('the two calls of a renewal', () => {
  test('share their connection when nothing happens', async () => {
    await using server = await SessionServer.start();
    using connector = connectorTo(server.port);
    const first = await askFirst(connector);
    assert.ok(first !== undefined);
    for (let count = 0; count < 5; count += 1) assert.deepEqual(await askSecond(connector), first);
    assert.deepEqual(await askFirst(connector), first);
  });

  /** How long after the reset the second call is made. */
  const pauses: readonly (readonly [name: string, pause: () => Promise<unknown>])[] = [
    ['at once', () => Promise.resolve()],
    ['a turn of the event loop later', () => nextTurn()],
    ['a moment later', () => delay(5)],
  ];

  for (const [name, pause] of pauses) {
    test(`a proxy that resets the connection between them and takes the next one, second call ${name}`, async () => {
      await using server = await SessionServer.start();
      await using proxy = await TcpProxy.start(`127.0.0.1:${server.port}`);
      using connector = connectorTo(Number(proxy.endpoint.split(':')[1]));
      const ways = new Ways();
      let apart = 0;
      for (let count = 0; count < 30; count += 1) {
        const first = await waitFor('an answer', () => askFirst(connector));
        proxy.cut();
        await pause();
        const second = await askSecond(connector);
        ways.note(first, second);
        if (second?.connection !== first.connection) apart += 1;
      }
      assert.equal(apart, 30);
      assert.ok(ways.size >= 30);
    });
  }

  test('a member that is started again on the same port between them', async () => {
    await using server = await SessionServer.start();
    using connector = connectorTo(server.port);
    const ways = new Ways();
    for (let count = 0; count < 10; count += 1) {
      const first = await waitFor('an answer', () => askFirst(connector));
      await server.restart();
      const second = await askSecond(connector);
      ways.note(first, second);
      assert.notEqual(second?.connection, first.connection);
    }
    assert.ok(ways.size >= 10);
  });

  test('a name with two addresses that both answer: the one that is not taken serves no call', async () => {
    // The first accepts, and is silent until long after the second is taken.
    const held: Socket[] = [];
    await using relay = createServer((socket) => {
      socket.on('error', () => undefined).pause();
      held.push(socket);
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const { port } = relay.address() as AddressInfo;
    await using server = await SessionServer.start('127.0.0.2', port);
    using connector = connectorTo(port, ['127.0.0.1', '127.0.0.2']);
    const ways = new Ways();
    for (let count = 0; count < 5; count += 1) {
      const first = await waitFor('an answer', () => askFirst(connector));
      // A server greets first, so the late one has done so when it is asked nothing.
      for (const socket of held) socket.write(Buffer.from('000000040000000000', 'hex'));
      const second = await askSecond(connector);
      assert.deepEqual(second, first);
      server.cut();
      const third = await askSecond(connector);
      ways.note(first, third);
      assert.notEqual(third?.connection, first.connection);
    }
    for (const socket of held) assert.ok(socket.destroyed || socket.readableLength === 0);
    for (const socket of held) socket.destroy();
    assert.ok(ways.size >= 5);
  });

  test('resets, farewells and restarts at any moment, calls one after the other and side by side', async () => {
    await using server = await SessionServer.start();
    using connector = connectorTo(server.port);
    const ways = new Ways();
    const random = new Random(16);
    let answered = 0;
    let isOver = false;
    const trouble = async (): Promise<void> => {
      while (!isOver) {
        await (random.below(2) === 0 ? nextTurn() : delay(random.below(4)));
        const session = [...server.sessions.values()].findLast((one) => !one.destroyed);
        switch (random.below(5)) {
          case 0:
            server.cut();
            break;
          case 1:
            session?.goaway();
            break;
          case 2:
            session?.close();
            break;
          case 3:
            if (random.below(20) === 0) await server.restart();
            break;
        }
      }
    };
    const renew = async (): Promise<void> => {
      for (let count = 0; count < 150; count += 1) {
        const first = await askFirst(connector);
        if (random.below(3) === 0) await nextTurn();
        const second = await askSecond(connector);
        ways.note(first, second);
        if (first !== undefined && second !== undefined) answered += 1;
      }
    };
    const troubling = trouble();
    await Promise.all([renew(), renew(), renew()]);
    isOver = true;
    await troubling;
    assert.ok(ways.size > 20, `${ways.size} connections`);
    assert.ok(answered > 20, `${answered} renewals`);
  });
});
