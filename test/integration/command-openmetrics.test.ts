// `status --openmetrics`, read by what reads it in the field: promtool, Prometheus' own reader of OpenMetrics, node_exporter.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runAdmin } from '../support/admin-command.ts';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { ALERTS, type Family, prometheusProgram, promtool, readOpenMetrics } from '../support/monitoring.ts';
import { freePort } from '../support/ports.ts';
import { spawnTied, temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const PREFIX = 'ctdb_etcd_lock_';

interface Read {
  readonly status: number | null;
  readonly text: string;
  readonly stderr: string;
  readonly families: ReadonlyMap<string, Family>;
}

/** Runs it; every text must be one that all readers take. */
async function metrics(bench: LockBench): Promise<Read> {
  const { status, stdout, stderr } = await runAdmin(['status', '--openmetrics'], bench.environment);
  const linted = await promtool(['check', 'metrics'], stdout);
  assert.equal(`${linted.stdout}${linted.stderr}`, '', stdout);
  assert.equal(linted.status, 0);
  return { status, text: stdout, stderr, families: await readOpenMetrics(stdout) };
}

/** The one value of a metric, or the one whose labels are those. */
function valueOf(
  { families }: Read,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = (families.get(PREFIX + name)?.samples ?? []).filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  assert.ok(found.length <= 1, `${found.length} samples of ${name}`);
  return found[0]?.value;
}

void describe('status --openmetrics, on three members with TLS', () => {
  let cluster: EtcdCluster;
  let settings: Readonly<Record<string, string>>;
  let endsAtS: number;
  before(async () => {
    const directory = await temporaryDirectory('metrics');
    const authority = await Authority.make(directory, 'ca');
    const server = await authority.issue({ commonName: 'etcd "one"' });
    const client = await authority.issue({ commonName: 'client', validFromDays: -9, validToDays: 5 });
    endsAtS = Date.now() / 1_000 + 5 * 86_400;
    cluster = await EtcdCluster.start({
      release: '3.5-trixie',
      members: 3,
      tls: { caFile: authority.certFile, ...server },
    });
    settings = { protocol: 'https', ca_cert: authority.certFile, cert: client.certFile, key: client.keyFile };
  });
  after(() => cluster.stop());

  test('tells of a lock that is held, and of one that is free', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const bin = await bench.script('ctdb', 'echo 5');
    const free = await metrics(bench);
    assert.equal(free.status, 1);
    assert.deepEqual([valueOf(free, 'up'), valueOf(free, 'held')], [1, 0]);
    assert.equal(valueOf(free, 'lease_remaining_seconds'), undefined);
    const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
    await waitFor('the value names the node', async () => (await bench.key())?.value['pnn'] === 5);
    const [key] = await cluster.keys(bench.directory);
    const held = await metrics(bench);
    assert.equal(held.status, 0);
    assert.equal(held.stderr, '');
    assert.equal(valueOf(held, 'held'), 1);
    assert.equal(valueOf(held, 'held_by_this_node'), 1);
    assert.equal(valueOf(held, 'lease_ttl_seconds'), 9);
    const left = valueOf(held, 'lease_remaining_seconds') ?? NaN;
    assert.ok(left >= 5 && left <= 9, `${left} s left`);
    assert.equal(valueOf(held, 'last_renewal_age_seconds'), 9 - left);
    assert.equal(valueOf(held, 'fencing_revision'), Number(key?.createRevision));
    assert.ok((valueOf(held, 'store_revision') ?? 0) >= Number(key?.createRevision));
    const labels = { host: hostname(), pnn: '5', lease: key?.leaseHex ?? '' };
    assert.equal(valueOf(held, 'holder_info', labels), 1);
    const since = valueOf(held, 'held_since_timestamp_seconds') ?? 0;
    assert.ok(Math.abs(Date.now() / 1_000 - since) < 30);
    await holder.release();
  });

  test('tells of each member, and of one that is down', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const [, , third] = cluster.members;
    assert.ok(third !== undefined);
    await third.stop();
    const read = await metrics(bench);
    assert.equal(read.status, 1);
    for (const { endpoint } of cluster.members) {
      assert.equal(valueOf(read, 'member_reachable', { endpoint }), endpoint === third.endpoint ? 0 : 1);
      const size = valueOf(read, 'member_database_bytes', { endpoint });
      assert.equal(size === undefined, endpoint === third.endpoint);
    }
    third.start();
    await third.healthy();
  });

  test('tells when each certificate ends', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const read = await metrics(bench);
    const name = 'certificate_expiry_timestamp_seconds';
    const ours = valueOf(read, name, { kind: 'cert', where: settings['cert'] ?? '', subject: 'client' });
    assert.ok(Math.abs((ours ?? 0) - endsAtS) < 86_400, String(ours));
    assert.ok((valueOf(read, name, { kind: 'ca_cert' }) ?? 0) > endsAtS);
    for (const { endpoint } of cluster.members) {
      assert.ok(
        (valueOf(read, name, { kind: 'member', where: endpoint, subject: 'etcd "one"' }) ?? 0) > endsAtS,
      );
    }
    assert.equal(read.families.get(PREFIX + name)?.unit, 'seconds');
  });

  test('is not fooled by what others put into the directory', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const record = {
      host: 'evil" 1\n# EOF\\',
      version: '\u001b]0;x\u0007',
      since: 'never',
      ...{ pid: 1, start_ticks: 1, ttl: 9, refresh: 2, boot_id: 'x', namespaces: 'x' },
    };
    await cluster.etcdctl(['put', `${bench.directory}abc`, JSON.stringify(record)]);
    const read = await metrics(bench);
    assert.equal(valueOf(read, 'holder_info', { host: 'evil" 1\\u000a# EOF\\' }), 1);
    assert.equal(valueOf(read, 'held_by_this_node'), 0);
    assert.ok(!read.text.includes('\u001b'));
  });

  test('is read by node_exporter', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const holder = await bench.hold();
    const { text } = await metrics(bench);
    const directory = await temporaryDirectory('textfile');
    await writeFile(join(directory, 'ctdb_etcd_lock.prom'), text);
    const port = await freePort();
    const exporter = spawnTied(
      prometheusProgram('prometheus-node-exporter'),
      [
        `--web.listen-address=127.0.0.1:${port}`,
        '--collector.disable-defaults',
        '--collector.textfile',
        `--collector.textfile.directory=${directory}`,
      ],
      { stdio: 'ignore' },
    );
    const scraped = await waitFor('node_exporter answers', async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
      return answer?.text();
    });
    exporter.kill();
    assert.match(scraped, /^node_textfile_scrape_error 0$/m);
    assert.match(scraped, /^ctdb_etcd_lock_held 1$/m);
    const samples = text.split('\n').filter((line) => line.startsWith(PREFIX)).length;
    assert.equal(scraped.split('\n').filter((line) => line.startsWith(PREFIX)).length, samples);
    await holder.release();
  });

  test('docs/monitoring.md lists every metric with its meaning, and no other', async () => {
    await using bench = await LockBench.make(cluster, settings);
    const bin = await bench.script('ctdb', 'echo 5');
    const env = { ...bench.environment, PATH: `${bin}:/usr/bin:/bin` };
    const holder = await bench.hold({ env });
    await waitFor('the value names the node', async () => (await bench.key())?.value['pnn'] === 5);
    const { stdout } = await runAdmin(['status', '--openmetrics'], env);
    await holder.release();
    const told = new Map(
      [...stdout.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [name, help]),
    );
    const page = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8');
    const listed = new Map(
      [...page.matchAll(/^\| `(ctdb_etcd_lock_\w+)`[^|]*\| (.+?) +\|$/gm)].map(([, name = '', help = '']) => [
        name,
        help,
      ]),
    );
    // Only etcd 3.6 and later say their quota.
    const quota = 'ctdb_etcd_lock_member_database_quota_bytes';
    assert.match(listed.get(quota) ?? '', /3\.6 and later/);
    if (!told.has(quota)) listed.delete(quota);
    assert.deepEqual(listed, told);
  });
});

test('status --openmetrics without any member that answers, or any configuration, still prints a whole text', async () => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  await bench.configure({ hosts: '127.0.0.1:1' });
  const silent = await metrics(bench);
  assert.equal(silent.status, 2);
  assert.match(
    silent.stderr,
    /^Cannot find the holder of the lock: etcd at 127\.0\.0\.1:1: connection refused/,
  );
  assert.equal(valueOf(silent, 'up'), 0);
  assert.equal(valueOf(silent, 'held'), undefined);
  assert.equal(valueOf(silent, 'member_reachable', { endpoint: '127.0.0.1:1' }), 0);
  await bench.configure({ lock_ttl: 'soon' });
  const refused = await metrics(bench);
  assert.equal(refused.status, 2);
  assert.equal(valueOf(refused, 'up'), 0);
  assert.match(refused.stderr, /lock_ttl is "soon"/);
});

void describe('the alerts', () => {
  test('are rules, about metrics that there are', async () => {
    const { status, stdout, stderr } = await promtool(['check', 'rules', ALERTS]);
    assert.equal(status, 0, stdout + stderr);
    const source = readFileSync(new URL('../../src/commands/lock-metrics.ts', import.meta.url), 'utf8');
    const names = [...readFileSync(ALERTS, 'utf8').matchAll(/ctdb_etcd_lock_(\w+)/g)].map(
      ([, name = '']) => name,
    );
    assert.ok(names.length > 10);
    for (const name of names) assert.ok(source.includes(`'${name}'`) || source.includes(`_${name}\``), name);
  });

  test('fire when they should, and are silent about a healthy lock', async () => {
    const cases = new URL('../support/alerts.test.yml', import.meta.url).pathname;
    const { status, stdout, stderr } = await promtool(['test', 'rules', cases]);
    assert.equal(status, 0, stdout + stderr);
  });
});
