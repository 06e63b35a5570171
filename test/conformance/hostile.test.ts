// The packed helper against endpoints that mean harm: an answer in time, never `0`, and no memory to speak of. The seed of
// each round is its number; HOSTILE_ROUNDS=50 (npm run fuzz:hostile) is for a longer look.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { HOSTILITIES, HostileEndpoint, type Hostility } from '../support/hostile.ts';
import { LockBench } from '../support/lock-bench.ts';
import type { Helper } from '../support/mutex-parent.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const ROUNDS = Number(process.env['HOSTILE_ROUNDS'] ?? '1');

// src/config/timing.ts, and what a busy machine may add to it.
const ANSWER_MS = 4_000;
const SLACK_MS = 500;
const LOOK_EVERY_MS = 10;

test('an etcd that ends connections because of pings: the lock is held on', async () => {
  // Renewals are so far apart that etcd sends nothing between the pings. It counts them then.
  await using strict = await EtcdCluster.start({ args: ['--grpc-keepalive-min-time=1h'] });
  await using bench = await LockBench.make(strict, {
    lock_ttl: 90,
    refresh: 60,
    'grpc.keepalive_time_ms': 5_000,
  });
  const holder = await bench.hold({ args: ['-vv'] });
  const isOver = (): boolean => holder.exit !== undefined || /Watch on .* ended/.test(holder.stderr);
  await waitFor('etcd has ended a connection', isOver, { withinMs: 90_000 });
  assert.notEqual(await bench.key(), undefined);
  assert.equal((await holder.release()).status, 0);
  assert.deepEqual([holder.bytes, await bench.leftovers()], ['0', []]);
});

/** Follows the peak of a process's memory, VmHWM in kB, until it is gone. */
function peakOf(helper: Helper): () => number {
  let peak = 0;
  const look = (): void => {
    try {
      const kB = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${helper.pid}/status`, 'latin1'))?.[1];
      peak = Math.max(peak, Number(kB ?? 0));
    } catch {
      clearInterval(timer);
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  look();
  return () => {
    clearInterval(timer);
    return peak;
  };
}

void describe('a hostile endpoint', { concurrency: 4 }, () => {
  let cluster: EtcdCluster;
  let caFile: string;
  let tls: { cert: Buffer; key: Buffer };
  let normal = 0;
  const count = { runs: 0, connections: 0 };
  const worst = { ms: 0, kB: 0 };

  const settingsOf = (hostility: Hostility, hosts: string): Record<string, string> => ({
    hosts,
    netbios_name: 'HOSTILE',
    ...(hostility.secure === true ? { protocol: 'https', ca_cert: caFile } : {}),
  });

  before(async () => {
    const directory = await temporaryDirectory('hostile');
    const authority = await Authority.make(directory, 'authority');
    const { certFile, keyFile } = await authority.issue();
    caFile = authority.certFile;
    tls = { cert: await readFile(certFile), key: await readFile(keyFile) };
    cluster = await EtcdCluster.start({
      members: 3,
      release: LATEST_RELEASE,
      tls: { caFile, certFile, keyFile },
    });
    // What is normal: one that takes the lock over TLS, and lets go.
    await using base = await HelperBase.make({
      hosts: cluster.member(0).endpoint,
      netbios_name: 'NORMAL',
      protocol: 'https',
      ca_cert: caFile,
    });
    const helper = await base.run();
    const peak = peakOf(helper);
    assert.equal(await helper.answer(), '0', helper.stderr);
    await helper.release();
    normal = peak();
    assert.ok(normal > 10_000, `a peak of ${normal} kB is no peak`);
  });

  for (const [index, hostility] of HOSTILITIES.entries()) {
    test(`${hostility.kind}, before a good one: the lock is taken, and nothing said`, async () => {
      await using endpoint = await HostileEndpoint.start(hostility, 1, tls);
      const scheme = hostility.secure === true ? 'https' : 'http';
      // Several good ones: with one alone, a silent stranger could be another store, and the lock would be refused.
      const good = cluster.members.map((member) => `https://${member.endpoint}`);
      await using base = await HelperBase.make({
        hosts: [`${scheme}://${endpoint.endpoint}`, ...good].join(','),
        ca_cert: caFile,
        netbios_name: `BEFORE${index}`,
      });
      const helper = await base.run();
      const peak = peakOf(helper);
      assert.equal(await helper.answer(), '0', helper.stderr);
      assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS);
      assert.equal((await helper.release()).status, 0);
      assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
      assert.ok(peak() < 2 * normal);
      assert.ok(endpoint.met() > 0);
    });

    test(`${hostility.kind}: 3, in time, in one line, in little memory`, async (t) => {
      for (let seed = 1; seed <= ROUNDS; seed += 1) {
        await using endpoint = await HostileEndpoint.start(hostility, seed, tls);
        await using base = await HelperBase.make(settingsOf(hostility, endpoint.endpoint));
        const helper = await base.run({ autoTerm: false });
        const peak = peakOf(helper);
        const answer = await helper.answer();
        const exit = await helper.exited();
        const { tookMs } = helper;
        const kB = peak();
        const facts = `seed ${seed}: ${tookMs.toFixed(0)} ms, ${kB} kB: ${helper.stderr}`;
        t.diagnostic(facts.trimEnd().slice(0, 300));
        assert.equal(answer, '3', facts);
        assert.deepEqual([helper.bytes, exit.status], ['3', 3], facts);
        assert.ok(tookMs < ANSWER_MS + SLACK_MS, facts);
        assert.ok(kB < 2 * normal, `twice the normal peak of ${normal} kB: ${facts}`);
        const [line = '', ...more] = helper.stderrLines;
        assert.deepEqual(more, []);
        assert.ok(line.startsWith(`Cannot take the cluster lock: etcd at ${endpoint.endpoint}: `), facts);
        assert.doesNotMatch(line, /\p{C}/u);
        assert.ok(endpoint.met() > 0);
        count.runs += 1;
        count.connections += endpoint.met();
        worst.ms = Math.max(worst.ms, tookMs);
        worst.kB = Math.max(worst.kB, kB);
      }
    });
  }

  after(async () => {
    await cluster.stop();
    const rounds = `${count.runs} runs of ${HOSTILITIES.length} kinds, ${count.connections} connections`;
    console.log(
      `${rounds}; slowest answer ${worst.ms.toFixed(0)} ms, highest peak ${worst.kB} kB, normal ${normal} kB`,
    );
  });
});
