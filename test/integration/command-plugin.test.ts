// `check --plugin` and what it costs, by the packed binary on real members.
import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runAdmin } from '../support/admin-command.ts';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { counterOf } from '../support/live-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { run, temporaryDirectory } from '../support/processes.ts';

/** `label=value[unit];warning;critical;lowest;highest` (Monitoring Plugins Development Guidelines). */
const NUMBER = /^[a-z_]+=-?\d+(\.\d+)?(s|B)?(;-?\d*(\.\d+)?:?){0,4}$/;

interface Said {
  readonly status: number | null;
  readonly text: string;
  readonly numbers: ReadonlyMap<string, string>;
}

/** Runs it, and takes the line apart as Icinga does. */
async function plugin(bench: LockBench, ...args: readonly string[]): Promise<Said> {
  const { status, stdout, stderr } = await runAdmin(['check', '--plugin', ...args], bench.environment);
  assert.equal(stderr, '');
  assert.match(stdout, /^CTDB LOCK (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]*( \| [^|\n]+)?\n$/);
  assert.ok(stdout.length < 1_000, `${stdout.length} bytes`);
  const word = /^CTDB LOCK (\w+)/.exec(stdout)?.[1] ?? '';
  assert.equal(['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'].indexOf(word), status);
  const [text = '', data = ''] = stdout.trimEnd().split(' | ');
  const numbers = data.split(' ').filter((one) => one !== '');
  for (const one of numbers) assert.match(one, NUMBER);
  return { status, text, numbers: new Map(numbers.map((one) => one.split('=', 2) as [string, string])) };
}

void describe('check --plugin, on three members', () => {
  let cluster: EtcdCluster;
  before(async () => {
    // One without a known bug that is worth a warning.
    cluster = await EtcdCluster.start({ release: LATEST_RELEASE, members: 3 });
  });
  after(() => cluster.stop());

  test('is OK, says who holds the lock, and gives the numbers', async () => {
    await using bench = await LockBench.make(cluster);
    const free = await plugin(bench);
    assert.equal(free.status, 0, free.text);
    assert.equal(free.text, 'CTDB LOCK OK - nobody holds the lock; 3 of 3 members answer');
    assert.equal(free.numbers.get('members'), '3;3:;2:;0;3');
    assert.match(free.numbers.get('round_trip') ?? '', /^0\.?\d*s;;;0$/);
    assert.match(free.numbers.get('database') ?? '', /^\d{5,}B;;;0$/);
    assert.equal(free.numbers.get('lease_left'), undefined);
    const holder = await bench.hold();
    const held = await plugin(bench);
    assert.match(
      held.text,
      new RegExp(`^CTDB LOCK OK - held by \\S+, pid ${holder.pid}; 3 of 3 members answer$`),
    );
    assert.match(held.numbers.get('lease_left') ?? '', /^[5-9]s;;;0;9$/);
    await holder.release();
  });

  test('writes no entry into the raft log, and takes no lease, where check does both', async (t) => {
    await using bench = await LockBench.make(cluster);
    const applied = (): Promise<number> => counterOf(cluster, 'etcd_server_proposals_applied_total');
    const cost = async (
      args: readonly string[],
    ): Promise<{ entries: number; requests: number; leases: number }> => {
      const look = async (): Promise<number[]> => [
        (await applied()) / cluster.members.length,
        await counterOf(cluster, 'grpc_server_started_total'),
        await counterOf(cluster, 'etcd_debugging_lease_granted_total'),
      ];
      const before = await look();
      await runAdmin(args, bench.environment);
      const after = await look();
      const [entries = 0, requests = 0, leases = 0] = after.map(
        (count, index) => count - (before[index] ?? 0),
      );
      return { entries, requests, leases };
    };
    const asPlugin = await cost(['check', '--plugin']);
    assert.deepEqual({ ...asPlugin, requests: 0 }, { entries: 0, requests: 0, leases: 0 });
    // Of each a status twice, the member list and the directory; once more the member list and the directory.
    t.diagnostic(`plugin: ${JSON.stringify(asPlugin)}`);
    assert.ok(asPlugin.requests <= 14, `${asPlugin.requests} requests`);
    const metrics = await cost(['status', '--openmetrics']);
    assert.deepEqual({ ...metrics, requests: 0 }, { entries: 0, requests: 0, leases: 0 });
    t.diagnostic(`openmetrics: ${JSON.stringify(metrics)}`);
    assert.ok(metrics.requests <= 7, `${metrics.requests} requests`);
    // What is counted is seen where there is some.
    assert.ok((await cost(['check'])).entries >= 3);
  });

  test('is WARNING with the member that is down, and CRITICAL below the majority', async () => {
    await using bench = await LockBench.make(cluster);
    const [first, second, third] = cluster.members;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    await third.stop();
    const warning = await plugin(bench);
    assert.equal(warning.status, 1);
    assert.ok(warning.text.includes(`${third.endpoint}: connection refused; `), warning.text);
    assert.match(warning.text, /\[net-refused\]/);
    assert.equal(warning.numbers.get('members'), '2;3:;2:;0;3');
    await second.stop();
    const critical = await plugin(bench, '--timeout', '30');
    assert.equal(critical.status, 2, critical.text);
    assert.equal(critical.numbers.get('members'), '1;3:;2:;0;3');
    for (const member of [second, third]) member.start();
    await Promise.all([second, third].map((member) => member.healthy()));
  });

  test('is CRITICAL where the configuration is refused, and a bar in a value stays out of the numbers', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: 'so|on' });
    const said = await plugin(bench);
    assert.equal(said.status, 2);
    assert.match(said.text, /lock_ttl is "so\/on"/);
  });

  test('is UNKNOWN for a user who may not read the configuration', async () => {
    await using bench = await LockBench.make(cluster);
    await chmod(bench.base, 0o755);
    await chmod(join(bench.base, 'etcd'), 0o600);
    const { status, stdout } = await run(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', helperProgram(), 'check', '--plugin'],
      { env: { ...bench.environment } },
    );
    assert.match(stdout, /^CTDB LOCK UNKNOWN - may not read ".*\/etcd"; run the plugin as root, .*\n$/);
    assert.equal(status, 3);
  });

  test('is UNKNOWN for a mistake on its command line, on standard output, where Icinga looks', async () => {
    await using bench = await LockBench.make(cluster);
    for (const args of [['--timeout', 'soon'], ['--timeout'], ['--verbos'], ['--json']]) {
      const said = await plugin(bench, ...args);
      assert.equal(said.status, 3, args.join(' '));
    }
  });

  test('keeps its time limit, and says that it did not get to an end', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    await using bench = await LockBench.make(cluster, { hosts: `127.0.0.1:${port}` });
    const startedAtMs = performance.now();
    const said = await plugin(bench, '--timeout', '1');
    const tookMs = performance.now() - startedAtMs;
    silent.close();
    assert.equal(said.status, 3);
    assert.match(said.text, /^CTDB LOCK UNKNOWN - no result within 1 s/);
    assert.ok(tookMs < 3_000, `${tookMs} ms`);
  });
});

void test('check --plugin counts the days of the certificate that ends first', async () => {
  const directory = await temporaryDirectory('plugin');
  const authority = await Authority.make(directory, 'ca');
  const server = await authority.issue({ commonName: 'etcd' });
  const client = await authority.issue({ commonName: 'client', validFromDays: -9, validToDays: 5 });
  await using cluster = await EtcdCluster.start({
    release: LATEST_RELEASE,
    tls: { caFile: authority.certFile, ...server },
  });
  await using bench = await LockBench.make(cluster, {
    protocol: 'https',
    ca_cert: authority.certFile,
    cert: client.certFile,
    key: client.keyFile,
  });
  const said = await plugin(bench);
  assert.equal(said.status, 1);
  assert.match(said.text, /\bcert .*client.*, [45] days left; renew /);
  assert.match(said.numbers.get('tls_days') ?? '', /^[45];14:;0:$/);
});
