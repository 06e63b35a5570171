// What becomes of connections: one per endpoint, replaced when in doubt, and nothing of them left.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { spawnTied } from '../support/processes.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { errorOf, newLeaseId, reach, recordWatch, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const KEY = '/_locks/_ctdb/CONNECTION/k';

/** How many sockets of this process lead to a port, in any state of TCP. */
function socketsTo(port: number): number {
  const table = execFileSync('ss', [
    '--tcp',
    '--all',
    '--numeric',
    '--processes',
    '--no-header',
    `dport = :${port}`,
  ]);
  return table
    .toString()
    .split('\n')
    .filter((line) => line.includes(`pid=${process.pid},`)).length;
}

/** A port whose SYNs are not answered: its process is frozen, and the queue of what it could accept is full. */
async function deafPort(): Promise<{ readonly port: number } & AsyncDisposable> {
  const script = `const server = require('net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () =>
    console.log(server.address().port));`;
  const child = spawnTied(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  assert.ok(child.stdout !== null);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(said.toString());
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  for (let isFull = false; !isFull;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    fillers.push(socket);
    isFull = await Promise.race([
      once(socket, 'connect').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(resolve, 150, true)),
    ]);
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of fillers) socket.destroy();
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

void describe('a connection', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  test('all calls and watches of one endpoint share one', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    using member = await reach(proxy.endpoint);
    member.connect();
    const { events, stop } = recordWatch(member, KEY, 1n);
    await Promise.all([
      member.readKey(KEY, withinMs()),
      member.keepAlive(newLeaseId(), withinMs()),
      member.timeToLive(newLeaseId(), withinMs()),
      member.putIfEmpty('/nothing/', '/nothing/x', 'x', newLeaseId(), withinMs()).catch(() => undefined),
    ]);
    assert.equal(proxy.accepted, 1);
    assert.deepEqual(events, []);
    stop();
  });

  test('is there before the first call when opened ahead', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    using member = await reach(proxy.endpoint);
    member.connect();
    await waitFor('etcd has spoken', () => proxy.relayed.fromServer > 0);
    await member.readKey(KEY, withinMs());
    assert.equal(proxy.accepted, 1);
  });

  for (const reason of ['timeout', 'outrun'] as const) {
    test(`is replaced when a call on it is given up for ${reason}, with all that was on it`, async () => {
      await using proxy = await TcpProxy.start(cluster.hosts);
      using member = await reach(proxy.endpoint);
      await member.readKey(KEY, withinMs());
      const { events } = recordWatch(member, KEY, 1n);
      proxy.blackHole();
      const other = errorOf(member.readKey(KEY, withinMs()));
      const error = await errorOf(member.readKey(KEY, withinMs(100, reason)));
      assert.deepEqual([error.kind, error.message], ['timeout', 'no answer in time']);
      assert.deepEqual((await other).kind, 'unavailable');
      await waitFor('the watch ends', () => events.length > 0);
      assert.deepEqual(events, ['end: an earlier call got no answer']);
      proxy.resume();
      // At once, and without waiting for TCP to find out.
      await member.readKey(KEY, withinMs(1_000));
      assert.equal(proxy.accepted, 2);
      await waitFor('the old one is gone', () => proxy.open === 1);
    });
  }

  test('stays when an answer is merely unwanted', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    using member = await reach(proxy.endpoint);
    await member.readKey(KEY, withinMs());
    proxy.pause('fromServer');
    const error = await errorOf(member.readKey(KEY, withinMs(50, 'unwanted')));
    assert.deepEqual([error.kind, error.message], ['timeout', 'the call was canceled']);
    proxy.resume();
    await member.readKey(KEY, withinMs());
    assert.equal(proxy.accepted, 1);
  });

  test('a signal that was aborted before the call starts nothing', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    using member = await reach(proxy.endpoint);
    const error = await errorOf(member.readKey(KEY, { signal: AbortSignal.abort('timeout') }));
    assert.equal(error.kind, 'timeout');
    assert.equal(proxy.accepted, 0);
  });

  test('cut in the middle of a call: the call fails at once, the next one is answered', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    using member = await reach(proxy.endpoint);
    await member.readKey(KEY, withinMs());
    proxy.pause('fromServer');
    const call = errorOf(member.readKey(KEY, withinMs()));
    await waitFor('the call is on its way', () => proxy.relayed.toServer > 0);
    proxy.cut();
    assert.equal((await call).kind, 'unavailable');
    proxy.resume();
    await member.readKey(KEY, withinMs(1_000));
  });

  test('a member that is told to stop lets the calls under way end', async () => {
    await using own = await EtcdCluster.start();
    using member = await reach(own.hosts);
    await member.readKey(KEY, withinMs());
    const { events } = recordWatch(member, KEY, 1n);
    await own.member(0).stop('SIGTERM');
    await waitFor('the watch ends', () => events.length > 0);
    await waitFor('no socket is left', () => socketsTo(own.member(0).clientPort) === 0);
  });

  test('a refused dial fails calls at once, and costs nothing while nobody calls', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    await proxy.refuse();
    using member = await reach(proxy.endpoint);
    const startedAtMs = performance.now();
    for (let count = 0; count < 5; count += 1) {
      assert.equal((await errorOf(member.readKey(KEY, withinMs()))).message, 'connection refused');
    }
    assert.ok(performance.now() - startedAtMs < 500);
    await proxy.accept();
    // Twice the longest back-off: nothing dials on its own.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.equal(proxy.accepted, 0);
    await member.readKey(KEY, withinMs());
    assert.equal(proxy.accepted, 1);
  });

  for (const secure of [false, true]) {
    test(`to a port where nobody says a word${secure ? ' (TLS)' : ''} leaves no socket`, async () => {
      const accepted = new Set<Socket>();
      await using mute = createServer((socket) => {
        accepted.add(socket.on('error', () => undefined).on('close', () => accepted.delete(socket)));
        socket.resume();
      });
      await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
      const { port } = mute.address() as AddressInfo;
      using member = await reach(`127.0.0.1:${port}`, { secure });
      for (let count = 0; count < 3; count += 1) {
        assert.equal((await errorOf(member.readKey(KEY, withinMs(100)))).kind, 'timeout');
      }
      await waitFor('the server sees all of them closed', () => accepted.size === 0);
      assert.equal(socketsTo(port), 0);
    });
  }

  test('whose SYN is not answered leaves no socket', async () => {
    await using deaf = await deafPort();
    using member = await reach(`127.0.0.1:${deaf.port}`);
    const before = socketsTo(deaf.port);
    for (let count = 0; count < 3; count += 1) {
      const call = errorOf(member.readKey(KEY, withinMs(200)));
      await waitFor('the SYN is sent', () => socketsTo(deaf.port) === before + 1);
      assert.equal((await call).kind, 'timeout');
      await waitFor('its socket is gone', () => socketsTo(deaf.port) === before);
    }
  });

  test('dial_timeout bounds its set-up for all that wait, and its message says so', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    proxy.blackHole();
    using member = await reach(proxy.endpoint, { dialTimeoutMs: 200 });
    const startedAtMs = performance.now();
    const error = await errorOf(member.readKey(KEY, withinMs()));
    assert.deepEqual(
      [error.kind, error.message],
      ['unavailable', 'no connection within 0.2 s (dial_timeout)'],
    );
    const tookMs = performance.now() - startedAtMs;
    assert.ok(tookMs >= 199 && tookMs < 1_000, String(tookMs));
    proxy.resume();
    await member.readKey(KEY, withinMs(2_000));
  });

  test('a watch that is stopped at once is not opened, and one that is stopped later ends at the member', async () => {
    using member = await reach(cluster.hosts);
    const watchers = async (): Promise<number> => {
      const { address, healthPort } = cluster.member(0);
      const metrics = await (await fetch(`http://${address}:${healthPort}/metrics`)).text();
      return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(metrics)?.[1]);
    };
    assert.equal(await watchers(), 0);
    const { stop } = recordWatch(member, KEY, 1n);
    await waitFor('the watch is open', async () => (await watchers()) === 1);
    for (let count = 0; count < 10; count += 1) recordWatch(member, KEY, 1n).stop();
    await member.readKey(KEY, withinMs());
    assert.equal(await watchers(), 1);
    stop();
    await waitFor('the watch is gone', async () => (await watchers()) === 0);
  });

  test('a closed member has no sockets, and its calls reject', async () => {
    const member = await reach(cluster.hosts);
    await member.readKey(KEY, withinMs());
    const port = cluster.member(0).clientPort;
    assert.equal(socketsTo(port), 1);
    const under = errorOf(member.readKey(KEY, withinMs()));
    member.close();
    assert.equal((await under).kind, 'unavailable');
    await waitFor('no socket is left', () => socketsTo(port) === 0);
    assert.equal((await errorOf(member.readKey(KEY, withinMs()))).kind, 'unavailable');
    assert.equal(socketsTo(port), 0);
  });
});
