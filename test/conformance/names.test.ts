// The packed helper and the name server: addresses that are dead, names that are gone, records that change while it holds.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { DnsServer } from '../support/dns-server.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { renewedOnce } from '../support/live-cluster.ts';
import type { Settings } from '../support/lock-bench.ts';
import { monotonicMs, type Helper } from '../support/mutex-parent.ts';
import { inOwnMounts, withOwnFile } from '../support/namespaces.ts';
import { testWithOwnNames } from '../support/own-names.ts';
import { runChecked } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const DIRECTORY = '/_locks/_ctdb/NAMES/';
const SERVICE = '_etcd-client._tcp.cluster.test';

// src/config/timing.ts, and what a busy machine may add to it.
const ANSWER_MS = 4_000;
const SLACK_MS = 300;
// A silent DNS is waited for by nobody who ends. The resolver would take 12 s for three servers and a domain to search in.
const EXIT_MS = 2_000;
const ALL_SILENT = '127.0.0.1 127.0.0.2 127.0.0.3';
// src/connect/srv.ts waits for 2 s.
const EXIT_OF_SRV_MS = 1_500;

testWithOwnNames(import.meta.url, () => {
  void describe('names', () => {
    let dns: DnsServer;
    let cluster: EtcdCluster;
    let base: HelperBase | undefined;
    let helper: Helper;

    before(async () => {
      dns = await DnsServer.start('127.0.0.1', 53);
      // The same port everywhere, for a name with several addresses; the third has IPv6 only.
      cluster = await EtcdCluster.start({ members: 3, release: LATEST_RELEASE });
    });
    after(async () => {
      await cluster.stop();
      await dns[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      dns.zones.clear();
      dns.asked.length = 0;
      dns.mood = 'answers';
    });
    const end = async (): Promise<void> => {
      await base?.[Symbol.asyncDispose]();
      base = undefined;
    };
    afterEach(end);

    const port = (index: number): number => cluster.member(index).clientPort;
    const startSilent = async (address: string): Promise<DnsServer> => {
      const server = await DnsServer.start(address, 53);
      server.mood = 'silent';
      return server;
    };
    const nameMembers = (): void => {
      for (const index of [0, 1, 2]) dns.zones.set(`m${index}.test`, { addresses: ['127.0.0.1'] });
    };
    const listMembers = (...indices: number[]): void => {
      dns.zones.set(SERVICE, {
        srv: indices.map((index) => ({ host: `m${index}.test`, port: port(index) })),
      });
    };

    const start = async (settings: Settings, nameServers = '127.0.0.1'): Promise<void> => {
      await end();
      // Without the options with which the other tests save their time.
      const resolvConf = ['search search.test', ...nameServers.split(' ').map((one) => `nameserver ${one}`)];
      const wrap = inOwnMounts(withOwnFile('/etc/resolv.conf', resolvConf.join('\\n')));
      base = await HelperBase.make({ netbios_name: 'NAMES', ...settings }, wrap);
      helper = await base.run({ autoTerm: false });
    };
    /** Takes the lock; the function that is returned makes sure that it is still the same one, and is renewed. */
    const hold = async (settings: Settings, of: EtcdCluster = cluster): Promise<() => Promise<void>> => {
      await start(settings);
      assert.equal(await helper.answer(), '0', helper.stderr);
      const [first] = await of.keys(DIRECTORY);
      return async () => {
        await renewedOnce(of, helper);
        const [now] = await of.keys(DIRECTORY);
        assert.ok(first !== undefined && now !== undefined, helper.stderr);
        assert.deepEqual([now.leaseHex, now.createRevision], [first.leaseHex, first.createRevision]);
        assert.deepEqual([helper.bytes, helper.endOfFileAtMs, helper.stderr], ['0', undefined, '']);
      };
    };
    const release = async (of: EtcdCluster = cluster): Promise<void> => {
      assert.equal((await helper.release()).status, 0);
      assert.deepEqual(await of.keys(DIRECTORY), []);
      assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
    };

    test('a name with several addresses, the first of them dead', async () => {
      // The system puts 127.0.0.1 before any other address of the loopback (RFC 6724, rule 9): that is the dead one.
      await using good = await EtcdCluster.start({ release: LATEST_RELEASE, address: () => '127.0.0.9' });
      const goodPort = good.member(0).clientPort;
      const rule = `--append INPUT --destination 127.0.0.1 --protocol tcp --dport ${goodPort} --jump DROP`;
      await runChecked('iptables', rule.split(' '));
      dns.zones.set('many.test', { addresses: ['127.0.0.9', '127.0.0.1'] });
      const held = await hold({ hosts: `many.test:${goodPort}` }, good);
      await held();
      await release(good);
    });

    test('a name with nothing but IPv6, and an address in brackets', async () => {
      await using sixth = await EtcdCluster.start({ release: LATEST_RELEASE, address: () => '[::1]' });
      dns.zones.set('six.test', { addresses: ['::1'] });
      for (const host of ['six.test', '[::1]']) {
        const held = await hold({ hosts: `${host}:${sixth.member(0).clientPort}` }, sixth);
        await held();
        await release(sixth);
      }
    });

    for (const mood of ['silent', 'fails'] as const) {
      test(`names that stop resolving while it holds (DNS ${mood}), and the member that it has used goes`, async () => {
        nameMembers();
        const hosts = [0, 1, 2].map((index) => `m${index}.test:${port(index)}`).join();
        const held = await hold({ hosts });
        await waitFor('all names are asked for', () =>
          [0, 1, 2].every((index) => dns.asked.includes(`m${index}.test`)),
        );
        await held();
        dns.zones.clear();
        dns.mood = mood;
        for (const member of cluster.members) {
          await member.stop();
          await held();
          member.start();
          await member.healthy();
        }
        await held();
        await release();
      });
    }

    test('a dead name server before a good one: the lock is taken in time', async () => {
      await using dead = await startSilent('127.0.0.2');
      nameMembers();
      await start({ hosts: `m0.test:${port(0)}` }, '127.0.0.2 127.0.0.1');
      assert.equal(await helper.answer(), '0', helper.stderr);
      assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS);
      assert.ok(dead.asked.includes('m0.test'));
      await release();
    });

    test('a name server that is silent: 3 in time, and the end of the process is not held up', async () => {
      dns.mood = 'silent';
      await using stack = new AsyncDisposableStack();
      for (const address of ['127.0.0.2', '127.0.0.3']) stack.use(await startSilent(address));
      await start({ hosts: `m0.test:${port(0)}` }, ALL_SILENT);
      assert.equal(await helper.answer(), '3');
      const answeredAtMs = helper.answeredAtMs ?? Infinity;
      assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS);
      const exit = await helper.exited();
      assert.equal(exit.status, 3);
      assert.ok(exit.atMs - answeredAtMs < EXIT_MS, `${exit.atMs - answeredAtMs} ms`);
      assert.equal(helper.stderrLines.length, 1);
      assert.match(helper.stderr, /etcd at m0\.test:\d+: no answer /);
    });

    test('SIGTERM while the name server is silent: an end without waiting for it', async () => {
      dns.mood = 'silent';
      await using stack = new AsyncDisposableStack();
      for (const address of ['127.0.0.2', '127.0.0.3']) stack.use(await startSilent(address));
      await start({ hosts: `m0.test:${port(0)}` }, ALL_SILENT);
      await waitFor('DNS is asked', () => dns.asked.includes('m0.test'));
      const toldAtMs = monotonicMs();
      const exit = await helper.release();
      assert.equal(exit.status, 0);
      assert.ok(exit.atMs - toldAtMs < EXIT_MS, `${exit.atMs - toldAtMs} ms`);
      assert.deepEqual([helper.bytes, helper.stderr], ['', '']);
    });

    test('SRV records that change while it holds, and the member that they named goes', async () => {
      nameMembers();
      listMembers(0);
      // Records are looked up again at most every 10 s, and the lock must outlive that with its only member dead.
      const held = await hold({ srv_domain: 'cluster.test', lock_ttl: 30 });
      await held();
      for (const [gone, next] of [
        [0, 1],
        [1, 2],
      ] as const) {
        listMembers(next);
        await cluster.member(gone).stop();
        await held();
        cluster.member(gone).start();
        await cluster.member(gone).healthy();
      }
      await release();
    });

    test('SRV records that are not there: 3, in time, in one line that says what to do', async () => {
      for (const [mood, said] of [
        [
          'answers',
          /^Cannot find etcd: srv_domain "cluster\.test" has no SRV records \(_etcd-client-ssl\._tcp, /,
        ],
        ['fails', /^Cannot find etcd: no answer from DNS about .*cluster\.test \(ESERVFAIL\); check DNS/],
        ['silent', /^Cannot find etcd: no answer from DNS about .* \((ETIMEOUT|ECANCELLED)\); check DNS/],
      ] as const) {
        dns.mood = mood;
        await start({ srv_domain: 'cluster.test' });
        assert.equal(await helper.answer(), '3');
        assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS, mood);
        assert.equal((await helper.exited()).status, 3);
        assert.equal(helper.stderrLines.length, 1, helper.stderr);
        assert.match(helper.stderr, said);
      }
    });

    test('SIGTERM while DNS is silent about SRV records: an end without waiting for it', async () => {
      dns.mood = 'silent';
      await start({ srv_domain: 'cluster.test' });
      await waitFor('DNS is asked', () => dns.asked.includes(SERVICE));
      const toldAtMs = monotonicMs();
      const exit = await helper.release();
      assert.equal(exit.status, 0);
      assert.ok(exit.atMs - toldAtMs < EXIT_OF_SRV_MS, `${exit.atMs - toldAtMs} ms`);
      assert.deepEqual([helper.bytes, helper.stderr], ['', '']);
    });
  });
});
