// The packed helper and name servers that answer half, lie, or come late: the lock in time, or a line that says DNS.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { checkLock } from '../support/check-lock.ts';
import { DnsServer, type DnsMood } from '../support/dns-server.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import type { Settings } from '../support/lock-bench.ts';
import type { Helper } from '../support/mutex-parent.ts';
import { inOwnMounts, withOwnFile } from '../support/namespaces.ts';
import { testWithOwnNames } from '../support/own-names.ts';
import { temporaryDirectory } from '../support/processes.ts';

// src/config/timing.ts, and what a busy machine may add to it.
const ANSWER_MS = 4_000;
const SLACK_MS = 300;
// What half an answer may cost beside a whole one.
const EXTRA_MS = 1_000;
const STARTS = 3;

const NAMES = ['m0.test', 'm1.test', 'm2.test'];
const NO_RECORDS = /srv_domain "cluster\.test" has no SRV records .*; correct it, or set hosts instead/;
const NO_SRV_ANSWER =
  /no answer from DNS about the SRV records of .*; check DNS, or set hosts instead of srv_domain/;
const NO_ANSWER = /no answer from DNS about this host.*; check the name servers in \/etc\/resolv\.conf/;

testWithOwnNames(import.meta.url, () => {
  void describe('a name server', () => {
    let dns: DnsServer;
    let caFile: string;
    let four: EtcdCluster;
    let six: EtcdCluster;
    let base: HelperBase | undefined;
    let count = 0;

    before(async () => {
      dns = await DnsServer.start('127.0.0.1', 53);
      const authority = await Authority.make(await temporaryDirectory('name-servers'), 'authority');
      caFile = authority.certFile;
      const names = [...[...NAMES, 'm5.test'].map((name) => `DNS:${name}`), 'IP:127.0.0.1', 'IP:::1'];
      const tls = { caFile, ...(await authority.issue({ names })) };
      const release = LATEST_RELEASE;
      [four, six] = await Promise.all([
        EtcdCluster.start({ members: 3, release, tls }),
        EtcdCluster.start({ members: 3, release, tls, address: () => '[::1]' }),
      ]);
    });
    after(async () => {
      await Promise.all([four.stop(), six.stop()]);
      await dns[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      dns.drops.clear();
      dns.dropsNames.clear();
      dns.mood = 'answers';
      for (const name of NAMES) dns.zones.set(name, { addresses: ['127.0.0.1'] });
    });
    afterEach(async () => {
      await base?.[Symbol.asyncDispose]();
      base = undefined;
    });

    const hostsOf = (cluster: EtcdCluster, members = NAMES.length): string =>
      NAMES.slice(0, members)
        .map((name, index) => `https://${name}:${cluster.member(index).clientPort}`)
        .join();

    // Without the options with which the other tests save their time.
    const ownFiles = [
      withOwnFile('/etc/resolv.conf', 'search search.test\\nnameserver 127.0.0.1'),
      withOwnFile('/etc/hosts', '127.0.0.1 localhost m5.test'),
    ];
    const wrap = inOwnMounts(ownFiles.join(' && '));

    /** `check` finds no problem where the helper took the lock, and one where it did not. */
    const checkAgrees = async (answer: '0' | '3'): Promise<void> => {
      assert.ok(base !== undefined);
      const { findings } = await checkLock(base, wrap);
      const problems = findings.filter(({ verdict }) => verdict === 'problem');
      assert.equal(problems.length > 0, answer === '3', JSON.stringify(findings, undefined, 2));
    };

    /** One start, answered. */
    const start = async (hosts: string, settings: Settings = {}): Promise<Helper> => {
      await base?.[Symbol.asyncDispose]();
      count += 1;
      base = await HelperBase.make({ hosts, ca_cert: caFile, netbios_name: `NS${count}`, ...settings }, wrap);
      const helper = await base.run({ autoTerm: false });
      await helper.answer();
      return helper;
    };

    /** The slowest of some takes, all of which have to be answered `0` without a word. */
    const slowestTake = async (hosts: string): Promise<number> => {
      let slowestMs = 0;
      for (let one = 0; one < STARTS; one += 1) {
        const helper = await start(hosts);
        const { tookMs } = helper;
        await helper.release();
        assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
        slowestMs = Math.max(slowestMs, tookMs);
      }
      return slowestMs;
    };

    for (const [type, members] of [
      ['aaaa', 1],
      ['aaaa', 3],
      ['a', 1],
      ['a', 3],
    ] as const) {
      test(`that drops ${type.toUpperCase()}, ${members} endpoints over TLS: 0, less than a second later`, async (t) => {
        const cluster = type === 'a' ? six : four;
        for (const name of NAMES) dns.zones.set(name, { addresses: [type === 'a' ? '::1' : '127.0.0.1'] });
        const hosts = hostsOf(cluster, members);
        const normalMs = await slowestTake(hosts);
        dns.drops.add(type);
        const tookMs = await slowestTake(hosts);
        t.diagnostic(`${normalMs.toFixed(0)} ms with whole answers, ${tookMs.toFixed(0)} ms with half`);
        assert.ok(tookMs < normalMs + EXTRA_MS, `${tookMs} ms, normally ${normalMs} ms`);
      });
    }

    test('that is silent about two of three names: the third does not queue behind them', async (t) => {
      for (const name of NAMES.slice(0, 2)) dns.dropsNames.add(name);
      // The member that has a name is asked after two hedges of 250 ms.
      const tookMs = await slowestTake(hostsOf(four));
      t.diagnostic(`${tookMs.toFixed(0)} ms`);
      assert.ok(tookMs < 2 * EXTRA_MS, `${tookMs} ms`);
    });

    for (const [mood, said] of [
      ['denies', /host name not found.*; correct hosts or DNS/],
      ['fails', NO_ANSWER],
      ['silent', NO_ANSWER],
      ['otherId', NO_ANSWER],
      ['otherName', NO_ANSWER],
    ] as const satisfies readonly (readonly [DnsMood, RegExp])[]) {
      for (const members of [1, 3]) {
        test(`whose mood is "${mood}", ${members} endpoints: 3, in time, in one line that names it`, async (t) => {
          dns.mood = mood;
          const helper = await start(hostsOf(four, members));
          t.diagnostic(`${helper.tookMs.toFixed(0)} ms: ${helper.stderr.trimEnd()}`);
          assert.equal(helper.bytes, '3');
          assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS, `${helper.tookMs} ms`);
          assert.equal((await helper.exited()).status, 3);
          assert.equal(helper.stderrLines.length, 1, helper.stderr);
          assert.match(helper.stderr, said);
        });
      }
    }

    for (const mood of ['late', 'truncates'] as const) {
      test(`whose mood is "${mood}": 0`, async (t) => {
        dns.mood = mood;
        t.diagnostic(`${(await slowestTake(hostsOf(four))).toFixed(0)} ms`);
      });
    }

    for (const [how, hosts] of [
      ['through DNS', (port: number) => `https://m0.test.:${port}`],
      ['through /etc/hosts', (port: number) => `https://m5.test.:${port}`],
    ] as const) {
      test(`a name with a dot at its end over TLS, ${how}: 0, and check agrees`, async () => {
        const helper = await start(hosts(four.member(0).clientPort));
        await helper.release();
        assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
        await checkAgrees('0');
      });
    }

    void describe('asked for SRV records', () => {
      const services = ['_etcd-client-ssl._tcp.cluster.test'];
      beforeEach(() => {
        const srv = NAMES.map((host, index) => ({ host, port: four.member(index).clientPort }));
        for (const name of services) dns.zones.set(name, { srv });
      });
      const fromRecords = { hosts: undefined, srv_domain: 'cluster.test' };

      for (const [mood, said] of [
        ['denies', NO_RECORDS],
        ['aliasLoop', NO_RECORDS],
        ['fails', NO_SRV_ANSWER],
        ['silent', NO_SRV_ANSWER],
        ['otherId', NO_SRV_ANSWER],
        ['otherName', NO_SRV_ANSWER],
        // Each of two tries waits for its own answer, 0.5 s and 1 s.
        ['late', NO_SRV_ANSWER],
      ] as const satisfies readonly (readonly [DnsMood, RegExp])[]) {
        test(`and its mood is "${mood}": 3, in time, in one line that names it, as check does`, async (t) => {
          dns.mood = mood;
          const helper = await start('', fromRecords);
          assert.equal((await helper.exited()).status, 3);
          t.diagnostic(`${helper.tookMs.toFixed(0)} ms: ${helper.stderr.trimEnd()}`);
          assert.equal(helper.bytes, '3');
          assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS, `${helper.tookMs} ms`);
          assert.equal(helper.stderrLines.length, 1, helper.stderr);
          assert.match(helper.stderr, said);
          await checkAgrees('3');
        });
      }

      for (const mood of ['answers', 'truncates'] as const) {
        test(`and its mood is "${mood}": 0`, async (t) => {
          dns.mood = mood;
          const helper = await start('', fromRecords);
          await helper.release();
          t.diagnostic(`${helper.tookMs.toFixed(0)} ms`);
          assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
          await checkAgrees('0');
        });
      }
    });
  });
});
