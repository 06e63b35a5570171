// Host names and SRV records, resolved by the system from a name server of the test: what the transport does with them.
// test/conformance/names.test.ts has the packed helper and a name server that fails.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { makeMembers } from '../../src/etcd/client.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { Authority } from '../support/certificates.ts';
import { DnsServer } from '../support/dns-server.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { testWithOwnNames } from '../support/own-names.ts';
import { runChecked, temporaryDirectory } from '../support/processes.ts';
import { configWith, depsOf, disposable, errorOf, reach, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const KEY = '/_locks/_ctdb/NAMES/k';

testWithOwnNames(import.meta.url, inside);

/** A clock that can be put ahead. */
function leapingClock(): Clock & { leap(ms: number): void } {
  const real = makeRealClock();
  let aheadMs = 0;
  return {
    now: () => real.now() + aheadMs,
    wallNow: () => real.wallNow(),
    at: (atMs, fire) => real.at(atMs - aheadMs, fire),
    every: (everyMs, fire) => real.every(everyMs, fire),
    leap: (ms) => {
      aheadMs += ms;
    },
  };
}

function inside(): void {
  let dns: DnsServer;
  let cluster: EtcdCluster;
  before(async () => {
    dns = await DnsServer.start('127.0.0.1', 53);
    cluster = await EtcdCluster.start({ members: 2 });
  });
  after(async () => {
    await cluster.stop();
    await dns[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    dns.zones.clear();
    dns.mood = 'answers';
  });
  const port = (index = 0): number => cluster.member(index).clientPort;

  void describe('a host name', () => {
    test('with a dead address costs a quarter of a second, and the next time nothing', async () => {
      // The system puts 127.0.0.1 before any other address of the loopback (RFC 6724, rule 9): that is the dead one.
      await using good = await EtcdCluster.start({ address: () => '127.0.0.9' });
      const goodPort = good.member(0).clientPort;
      const rule = `--append INPUT --destination 127.0.0.1 --protocol tcp --dport ${goodPort} --jump DROP`;
      await runChecked('iptables', rule.split(' '));
      dns.zones.set('many.test', { addresses: ['127.0.0.9', '127.0.0.1'] });
      using member = await reach(`many.test:${goodPort}`);
      const times: number[] = [];
      while (times.length < 3) {
        const startedAtMs = performance.now();
        await member.readKey(KEY, withinMs(2_000));
        times.push(performance.now() - startedAtMs);
        const giveUp = new AbortController();
        const call = errorOf(member.readKey(KEY, { signal: giveUp.signal }));
        giveUp.abort('timeout'); // and with the call its connection
        await call;
      }
      const [first = 0, ...later] = times;
      // grpc-js tries the next address when the first has been silent for 250 ms.
      assert.ok(first > 249 && first < 600, times.join());
      assert.ok(Math.max(...later) < 200, times.join());
    });

    test('that moves is followed', async () => {
      dns.zones.set('moving.test', { addresses: ['127.0.0.2'] });
      using member = await reach(`moving.test:${port()}`);
      assert.equal((await errorOf(member.readKey(KEY, withinMs()))).message, 'connection refused');
      dns.zones.set('moving.test', { addresses: ['127.0.0.1'] });
      await waitFor('the member answers', () => member.readKey(KEY, withinMs()).catch(() => undefined));
    });
  });

  void describe('srv_domain', () => {
    const find = async (clock: Clock = makeRealClock()): ReturnType<typeof makeMembers> =>
      (await makeMembers(configWith({ srvDomain: 'cluster.test' }), depsOf(clock))).map(disposable);

    test('finds the members, in the order of their priorities', async () => {
      dns.zones.set('_etcd-client._tcp.cluster.test', {
        srv: [
          { host: 'm2.cluster.test', port: port(1), priority: 20 },
          { host: 'm1.cluster.test', port: port(0), priority: 10 },
        ],
      });
      dns.zones.set('m1.cluster.test', { addresses: ['127.0.0.1'] });
      dns.zones.set('m2.cluster.test', { addresses: ['127.0.0.1'] });
      const members = await find();
      assert.deepEqual(
        members.map((member) => member.endpoint),
        [`m1.cluster.test:${port(0)}`, `m2.cluster.test:${port(1)}`],
      );
      for (const member of members) {
        await member.readKey(KEY, withinMs());
        member.close();
      }
    });

    test('prefers the records that mean TLS, and then speaks TLS', async () => {
      const directory = await temporaryDirectory('srv-tls');
      const authority = await Authority.make(directory, 'authority');
      const files = await authority.issue({ names: ['DNS:m1.cluster.test'] });
      await using secure = await EtcdCluster.start({ tls: { caFile: authority.certFile, ...files } });
      dns.zones.set('m1.cluster.test', { addresses: ['127.0.0.1'] });
      dns.zones.set('_etcd-client._tcp.cluster.test', { srv: [{ host: 'm1.cluster.test', port: port() }] });
      dns.zones.set('_etcd-client-ssl._tcp.cluster.test', {
        srv: [{ host: 'm1.cluster.test', port: secure.member(0).clientPort }],
      });
      const config = configWith({ srvDomain: 'cluster.test', tls: { caFile: authority.certFile } });
      const [member] = await makeMembers(config, depsOf());
      assert.equal(member?.endpoint, `m1.cluster.test:${secure.member(0).clientPort}`);
      await member.readKey(KEY, withinMs());
      member.close();
    });

    test('follows records that change once the old member is in trouble, and not before', async () => {
      const record = (index: number): { srv: { host: string; port: number }[] } => ({
        srv: [{ host: `m${index}.cluster.test`, port: port(index) }],
      });
      dns.zones.set('m0.cluster.test', { addresses: ['127.0.0.1'] });
      dns.zones.set('m1.cluster.test', { addresses: ['127.0.0.1'] });
      dns.zones.set('_etcd-client._tcp.cluster.test', record(0));
      const clock = leapingClock();
      const [member] = await find(clock);
      assert.ok(member !== undefined);
      await member.readKey(KEY, withinMs());
      dns.zones.set('_etcd-client._tcp.cluster.test', record(1));
      clock.leap(60_000);
      await member.readKey(KEY, withinMs());
      assert.equal(member.endpoint, `m0.cluster.test:${port(0)}`);
      await cluster.member(0).stop();
      // The data of a cluster of two needs both, so it is the connection that tells.
      await waitFor('the other member is dialed', async () => {
        const error = await errorOf(member.readKey(KEY, withinMs(200)));
        clock.leap(11_000);
        return member.endpoint === `m1.cluster.test:${port(1)}` && error.message !== 'connection refused';
      });
      cluster.member(0).start();
      await cluster.member(0).healthy();
      await member.readKey(KEY, withinMs());
      member.close();
    });
  });
}
