// What `status` says, by the packed binary on real members.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { runAdmin, runOnTerminal } from '../support/admin-command.ts';
import { EtcdCluster, etcdProgram } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { spawnTied } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

interface StatusJson {
  readonly state: string;
  readonly holder: Readonly<Record<string, unknown>> | null;
  readonly holder_is_dead: boolean;
  readonly waiting: readonly Readonly<Record<string, unknown>>[];
  readonly ctdb: { readonly leader: number | null; readonly agrees: boolean | null };
}

void describe('status, on three members', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start({ release: '3.5-trixie', members: 3 });
  });
  after(() => cluster.stop());

  test('a lock that nobody holds is free, with status 1', async () => {
    await using bench = await LockBench.make(cluster);
    const { status, stdout, stderr } = await runAdmin(['status'], bench.environment);
    assert.equal(stderr, '');
    assert.match(stdout, new RegExp(`^Lock   /_locks/_ctdb/${bench.name}\nState  free\n`));
    assert.equal(status, 1);
  });

  test('a lock that is held shows holder, lease and fencing number, with status 0', async () => {
    await using bench = await LockBench.make(cluster);
    const bin = await bench.script('ctdb', 'echo 5');
    const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
    const [key] = await cluster.keys(bench.directory);
    const { status, stdout, stderr } = await runAdmin(['status'], bench.environment);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.match(stdout, new RegExp(`^Holder    \\S+ \\(PNN 5\\), pid ${holder.pid}$`, 'm'));
    assert.match(stdout, new RegExp(`^Lease     ${key?.leaseHex ?? ''}, [5-9] of 9 s left, renewed `, 'm'));
    assert.match(stdout, new RegExp(`^Revision  ${String(key?.createRevision)} `, 'm'));
    assert.match(stdout, /^Since +\S+Z \(\d+ s ago\)$/m);
    assert.ok(!stdout.includes('\u001b'));
    await holder.release();
  });

  test('the same as JSON names every contender, also one of etcdctl', async () => {
    await using bench = await LockBench.make(cluster);
    const bin = await bench.script('ctdb', 'echo 3');
    const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
    const other = spawnTied(
      etcdProgram(cluster.release, 'etcdctl'),
      [...cluster.etcdctlArguments(), 'lock', bench.directory.slice(0, -1)],
      { stdio: 'ignore', env: { ...process.env, ETCDCTL_API: '3' } },
    );
    await waitFor('etcdctl waits', async () => (await cluster.keys(bench.directory)).length === 2, {
      withinMs: 10_000,
    });
    const env = { ...bench.environment, PATH: `${bin}:/usr/bin:/bin` };
    const { status, stdout } = await runAdmin(['status', '--json'], env);
    const json = JSON.parse(stdout) as StatusJson;
    assert.equal(status, 0);
    assert.equal(json.state, 'held');
    assert.equal(json.holder?.['pid'], holder.pid);
    assert.equal(json.holder['pnn'], 3);
    assert.deepEqual(json.ctdb, { leader: 3, runs: true, agrees: true });
    assert.deepEqual(
      json.waiting.map(({ helper }) => helper),
      [false],
    );
    const text = await runAdmin(['status'], env);
    assert.match(
      text.stdout,
      /^Waiting\n {2}etcdctl lock, or another client of etcd's own lock +revision \d+/m,
    );
    assert.match(text.stdout, /^CTDB +leader is node 3, which agrees$/m);
    const gone = once(other, 'exit');
    other.kill('SIGINT');
    await gone;
    await holder.release();
  });

  test('a leader that does not hold the lock is pointed out', async () => {
    await using bench = await LockBench.make(cluster);
    const bin = await bench.script('ctdb', 'echo 1');
    const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
    await waitFor('the value names the node', async () => (await bench.key())?.value['pnn'] === 1);
    await bench.script('ctdb', 'echo 2');
    const env = { ...bench.environment, PATH: `${bin}:/usr/bin:/bin` };
    const { stdout } = await runAdmin(['status'], env);
    assert.match(stdout, /^CTDB +leader is node 2, which does not agree;/m);
    await holder.release();
  });

  test('a holder that was killed on this host is shown as dead', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: 30 });
    const holder = await bench.hold();
    holder.signal('SIGKILL');
    await holder.exited();
    const { stdout } = await runAdmin(['status', '--json'], bench.environment);
    assert.equal((JSON.parse(stdout) as StatusJson).holder_is_dead, true);
  });

  test('a holder record of a stranger cannot colour or clear the terminal', async () => {
    await using bench = await LockBench.make(cluster);
    const record = {
      host: 'evil\u001b[2J',
      version: '\u001b]0;x\u0007',
      since: '2026 (\u001b[31m)',
      ...{ pid: 1, start_ticks: 1, ttl: 9, refresh: 2, boot_id: 'x', namespaces: 'x' },
    };
    await cluster.etcdctl(['put', `${bench.directory}abc`, JSON.stringify(record)]);
    const { status, shown } = await runOnTerminal(['status'], { ...bench.environment, NO_COLOR: '1' }, '');
    assert.equal(status, 0);
    assert.match(shown, /evil\\u001b\[2J/);
    assert.ok(!shown.includes('\u001b'), shown);
    assert.match(shown, /Lease +none: this key stays until it is deleted/);
  });

  test('--watch prints one line for each change and ends with SIGINT', async () => {
    await using bench = await LockBench.make(cluster);
    const watcher = spawn(helperProgram(), ['status', '--watch'], {
      env: bench.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    watcher.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const lines = (): string[] => said.split('\n').slice(0, -1);
    const linesAre = (count: number): Promise<true> =>
      waitFor(`${count} lines`, () => lines().length === count, { withinMs: 10_000 });
    await linesAre(1);
    const holder = await bench.hold();
    await linesAre(2);
    await holder.release();
    await linesAre(3);
    const gone = once(watcher, 'exit');
    watcher.kill('SIGINT');
    assert.deepEqual(await gone, [1, null]);
    const [first, second, third] = lines();
    assert.match(first ?? '', /^\S+Z {2}free$/);
    assert.match(second ?? '', new RegExp(`^\\S+Z {2}held by \\S+, pid ${holder.pid}, revision \\d+$`));
    assert.match(third ?? '', /^\S+Z {2}free$/);
  });
});

test('status without any member that answers cannot tell, and says why', async () => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  await bench.configure({ hosts: '127.0.0.1:1' });
  const { status, stdout, stderr } = await runAdmin(['status'], bench.environment);
  assert.equal(status, 2);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    /^Cannot find the holder of the lock: etcd at 127\.0\.0\.1:1: connection refused; .+\n$/,
  );
});

test('status with a config that cannot be read shows its one line', async () => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster, { lock_ttl: 'soon' });
  const { status, stderr } = await runAdmin(['status'], bench.environment);
  assert.equal(status, 2);
  assert.match(stderr, /^Cannot read config ".+": line \d+: lock_ttl is "soon", want .+\n$/);
});
