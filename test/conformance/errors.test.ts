import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import type { HelperOptions } from '../support/mutex-parent.ts';
import { freePort } from '../support/ports.ts';
import { run } from '../support/processes.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { inPidNamespace } from '../support/namespaces.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

// src/config/timing.ts: the first byte, whatever happens, and what a busy machine may add to it.
const ANSWER_MS = 4_000;
const SLACK_MS = 300;

/** The helper, run without CTDB's SIGTERM, answered 3 in time, said one line and exited with 3. Returns the line. */
async function failed(bench: LockBench, options: Partial<HelperOptions> = {}): Promise<string> {
  const helper = await bench.run({ ...options, autoTerm: false });
  const answer = await helper.answer();
  assert.equal(answer, '3', helper.stderr);
  assert.ok(helper.tookMs < ANSWER_MS + SLACK_MS);
  const exit = await helper.exited();
  assert.equal(exit.status, 3, JSON.stringify(exit));
  assert.equal(helper.bytes, '3');
  const [line, ...more] = helper.stderrLines;
  assert.deepEqual(more, [], 'one line and no more');
  assert.ok(line !== undefined && line !== '' && Buffer.byteLength(line) < 1_000, line);
  return line;
}

void describe('an error', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  for (const args of [['--no-such-option'], ['-x'], ['surplus'], ['-c'], ['--config']]) {
    test(`${args.join(' ')}: usage on stderr, byte 3, status 2`, async () => {
      await using bench = await LockBench.make(cluster);
      const helper = await bench.run({ args, autoTerm: false });
      assert.equal(await helper.answer(), '3');
      assert.equal((await helper.exited()).status, 2);
      assert.equal(helper.bytes, '3');
      assert.match(helper.stderr, /usage: ctdb_etcd_lock/i);
      for (const line of helper.stderrLines) assert.ok(Buffer.byteLength(line) < 1_000);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  test('--help and --version answer a person and not CTDB', async () => {
    const help = await run(helperProgram(), ['--help']);
    assert.deepEqual([help.status, help.stderr], [0, '']);
    assert.match(help.stdout, /--config/);
    const version = await run(helperProgram(), ['--version']);
    assert.deepEqual([version.status, version.stderr], [0, '']);
    assert.match(version.stdout, /ctdb_etcd_lock \d+\.\d+\.\d+/);
  });

  const mistakes: [what: string, file: string, line: number, said: RegExp][] = [
    ['a line without =', '# comment\nhosts 127.0.0.1\n', 2, /want "key = value"/],
    ['a TTL that is no number', '\n\nlock_ttl = soon\n', 3, /lock_ttl.*soon/],
    ['a TTL of nothing', 'lock_ttl = 0\n', 1, /lock_ttl.*0/],
    ['a refresh that cannot keep the lease', 'lock_ttl = 5\nrefresh = 5\n', 2, /refresh.*5/],
    ['a port out of range', 'port = 65536\n', 1, /port.*65536/],
    ['an empty host', 'hosts = 127.0.0.1,,127.0.0.2:x\n', 1, /hosts/],
    ['an unknown protocol', 'protocol = gopher\n', 1, /protocol.*gopher/],
  ];
  for (const [what, file, line, said] of mistakes) {
    test(`in the config: ${what}`, async () => {
      await using bench = await LockBench.make(cluster);
      const path = join(bench.base, 'etcd');
      await writeFile(path, file);
      const text = await failed(bench);
      assert.ok(text.includes(path), text);
      assert.match(text, new RegExp(`:${line}\\b|\\bline ${line}\\b`));
      assert.match(text, said);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  test('in the config: the file that -c names is missing', async () => {
    await using bench = await LockBench.make(cluster);
    const text = await failed(bench, { args: ['-c', '/nonexistent/etcd'] });
    assert.ok(text.includes('/nonexistent/etcd'), text);
  });

  test('the line is there although CTDB’s SIGTERM follows the byte at once', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: 'soon' });
    for (let round = 0; round < 10; round += 1) {
      const helper = await bench.run();
      assert.equal(await helper.answer(), '3');
      const exit = await helper.exited();
      assert.ok(exit.status === 3 || exit.signal === 'SIGTERM', JSON.stringify(exit));
      assert.equal(helper.stderrLines.length, 1, `round ${round}`);
      assert.match(helper.stderr, /lock_ttl/);
    }
  });

  test('an unknown key is a warning that names the nearest known one, and the lock is taken', async () => {
    await using bench = await LockBench.make(cluster, { lock_tll: 9 });
    const helper = await bench.hold();
    await helper.release();
    assert.equal(helper.stderrLines.length, 1);
    assert.match(helper.stderrLines[0] ?? '', /lock_tll.*lock_ttl/);
  });

  test('no lock name: neither netbios_name nor testparm', async () => {
    await using bench = await LockBench.make(cluster, { netbios_name: undefined });
    const text = await failed(bench, { env: { PATH: '/nonexistent' } });
    assert.match(text, /netbios_name/);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('no lock name: testparm hangs', async () => {
    await using bench = await LockBench.make(cluster, { netbios_name: undefined });
    const bin = await bench.script('testparm', 'exec sleep 60');
    const text = await failed(bench, { env: { PATH: `${bin}:/usr/bin:/bin` } });
    assert.match(text, /netbios_name/);
  });

  test('nobody listens on any endpoint', async () => {
    const hosts = `127.0.0.1:${await freePort()},127.0.0.1:${await freePort()}`;
    await using bench = await LockBench.make(cluster, { hosts });
    const text = await failed(bench);
    for (const host of hosts.split(',')) assert.ok(text.includes(host), text);
  });

  test('an endpoint that accepts connections and never says a word', async () => {
    await using proxy = await TcpProxy.start(cluster.member(0).endpoint);
    proxy.blackHole();
    await using bench = await LockBench.make(cluster, { hosts: proxy.endpoint });
    const text = await failed(bench);
    assert.ok(text.includes(proxy.endpoint), text);
    proxy.resume();
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('etcd is frozen', async () => {
    await using frozen = await EtcdCluster.start({ members: 3 });
    await using bench = await LockBench.make(frozen);
    for (const member of frozen.members) member.freeze();
    await failed(bench);
    for (const member of frozen.members) member.thaw();
  });

  test('a host name that does not resolve', async () => {
    await using bench = await LockBench.make(cluster, { hosts: 'no-such-host.invalid' });
    const text = await failed(bench);
    assert.match(text, /no-such-host\.invalid/);
  });

  test('the parent has died before the helper looks, and PID 1 has adopted it', async () => {
    await using bench = await LockBench.make(cluster);
    const [command = '', ...args] = inPidNamespace('asInit');
    // PID 1 is the outer shell; the one that starts the helper ends at once, and cat reads the answer.
    const script = '( ( sleep 0.3; exec "$0" -c "$1" ) & ) | cat';
    const words = [...args, 'sh', '-c', `${script}; wait`, helperProgram(), join(bench.base, 'etcd')];
    const { stdout, stderr } = await run(command, words);
    assert.equal(stdout, '3');
    assert.match(stderr, /parent process is PID 1, which does not read the answer.* \[take-pid1\]$/m);
    assert.deepEqual(await bench.leftovers(), []);
  });
});
