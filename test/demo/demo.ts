// The main job, narrated: three nodes contend for one lock in a cluster of three etcd members. Everything shown is what
// the packed binary and etcd really do; a step that does not happen as told ends the demo with an error.
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { EtcdCluster, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { DEFAULT_RELEASE } from '../support/etcd-programs.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram, MutexParent } from '../support/mutex-parent.ts';
import type { Helper } from '../support/mutex-parent.ts';
import { inPidNamespace } from '../support/namespaces.ts';
import { childrenOf, isRunning, runChecked } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

// Samba's own pause: after a "1", recoverd tries again when the leader broadcast has timed out again.
const CTDB_LEADER_TIMEOUT_MS = 5_000;

const startedAtMs = performance.now();

function title(text: string): void {
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1).padStart(5);
  console.log(`\n[${seconds} s] ${text}`);
}

function say(text: string): void {
  console.log(`  ${text.trimEnd().split('\n').join('\n  ')}`);
}

/** Shows a command and what it printed. */
function show(command: string, output: string): void {
  say(`$ ${command}`);
  for (const line of output.trimEnd().split('\n')) say(`    ${line}`);
}

/** How long the helper took from its fork to its byte. */
function answerTime(helper: Helper): string {
  return `${Math.round((helper.answeredAtMs ?? NaN) - helper.startedAtMs)} ms`;
}

interface Node {
  readonly name: string;
  readonly parent: MutexParent;
}

async function attempt(node: Node, bench: LockBench): Promise<Helper> {
  const helper = await node.parent.run({ env: bench.environment });
  const byte = await helper.answer();
  const meaning = { '0': 'held', '1': 'another node holds it', '3': 'error' }[byte];
  say(
    `node ${node.name}: helper ${helper.pid} answered "${byte}" (${meaning ?? 'no such answer'}) after ${answerTime(helper)}`,
  );
  if (helper.stderr !== '') say(`node ${node.name}: its stderr: ${helper.stderr}`);
  return helper;
}

async function showLock(cluster: EtcdCluster): Promise<void> {
  show(
    'etcdctl get --prefix /_locks',
    (await cluster.etcdctl(['get', '--prefix', '/_locks'])) || '(nothing)',
  );
}

async function showProcesses(...helpers: Helper[]): Promise<void> {
  const pids = helpers.flatMap(({ pid }) => [pid, ...childrenOf(pid)]);
  show(
    `ps -o pid,ppid,stat,rss,args -p ${pids.join(',')}`,
    await runChecked('ps', ['-ww', '-o', 'pid,ppid,stat,rss,args', '-p', pids.join(',')]),
  );
}

async function demo(
  cluster: EtcdCluster,
  bench: LockBench,
  nodes: readonly [Node, Node, Node],
): Promise<void> {
  const [a, b, c] = nodes;

  title('Three etcd members run, and nobody holds the lock.');
  show('etcdctl endpoint status', await cluster.etcdctl(['endpoint', 'status', '--write-out=table']));
  await showLock(cluster);

  title('Node A’s CTDB runs its helper: the lock is free.');
  const first = await attempt(a, bench);
  assert.equal(first.bytes, '0');
  await showLock(cluster);
  await showProcesses(first);

  title('Node B’s CTDB tries too: contention, and its helper leaves nothing behind.');
  const contender = await attempt(b, bench);
  assert.equal(contender.bytes, '1');
  await contender.exited();
  const leases = await cluster.leases();
  assert.equal(leases.length, 1);
  show('etcdctl lease list', await cluster.etcdctl(['lease', 'list']));

  title('The raft leader among the members is killed: the lock is kept.');
  const leader = cluster.member(await cluster.leaderIndex());
  say(`kill -KILL ${leader.pid}   # ${leader.name}, ${leader.endpoint}`);
  await leader.stop('SIGKILL');
  const survivors = cluster.members.filter((member) => member !== leader).map((member) => member.endpoint);
  const options = { endpoints: survivors.join(',') };
  let before = Infinity;
  await waitFor(
    'the lease is renewed through the members that are left',
    async () => {
      const { status, stdout } = await cluster.tryEtcdctl(['lease', 'timetolive', leases[0] ?? ''], options);
      if (status !== 0) return false;
      const ttl = Number(/remaining\((-?\d+)s\)/.exec(stdout)?.[1] ?? NaN);
      if (ttl === before) return false;
      say(`lease ${leases[0] ?? ''}: ${ttl} s remain${ttl > before ? ', renewed' : ''}`);
      const renewed = ttl > before;
      before = ttl;
      return renewed;
    },
    { withinMs: 20_000, everyMs: 200 },
  );
  assert.equal(first.exit, undefined);
  const second = await attempt(b, bench);
  assert.equal(second.bytes, '1');
  leader.start();
  await leader.healthy();
  say(`${leader.name} is back`);

  title('Node A’s CTDB lets go (SIGTERM), and node B takes over.');
  const exit = await first.release();
  assert.equal(exit.status, 0);
  say(`node A: helper ${first.pid} exited with status ${exit.status}`);
  await showLock(cluster);
  const third = await attempt(b, bench);
  assert.equal(third.bytes, '0');

  title(
    'Node B’s helper is killed (SIGKILL): on the same host its death is certain, and the lock is free at once.',
  );
  say(`kill -KILL ${third.pid}`);
  process.kill(third.pid, 'SIGKILL');
  await third.exited();
  const fourth = await attempt(a, bench);
  assert.equal(fourth.bytes, '0');

  title(
    'Node A’s helper is killed too; node C cannot see A’s processes, as from another host, and waits for the lease.',
  );
  say(`kill -KILL ${fourth.pid}`);
  const killedAtMs = performance.now();
  process.kill(fourth.pid, 'SIGKILL');
  await fourth.exited();
  let last = await attempt(c, bench);
  while (last.bytes !== '0') {
    assert.equal(last.bytes, '1');
    assert.ok(performance.now() - killedAtMs < 30_000, 'the lease ended long ago');
    const againAtMs = performance.now() + CTDB_LEADER_TIMEOUT_MS;
    await waitFor('CTDB’s leader time-out', () => performance.now() >= againAtMs);
    last = await attempt(c, bench);
  }
  say(
    `node C holds the lock ${((performance.now() - killedAtMs) / 1_000).toFixed(1)} s after the kill; the lease is 9 s`,
  );
  await showLock(cluster);

  title(
    'Node C’s CTDB lets go; node A holds, and its CTDB is killed: no signal reaches the helper, which notices itself.',
  );
  await last.release();
  const orphan = await attempt(a, bench);
  assert.equal(orphan.bytes, '0');
  say(`kill -KILL ${a.parent.pid}   # the parent of helper ${orphan.pid}`);
  const diedAtMs = performance.now();
  await a.parent.kill();
  await waitFor('the helper is gone', () => !isRunning(orphan.pid));
  const tookS = (performance.now() - diedAtMs) / 1_000;
  assert.ok(tookS < 3);
  say(`helper ${orphan.pid} is gone ${tookS.toFixed(1)} s later`);
  await showLock(cluster);
  show('etcdctl lease list', await cluster.etcdctl(['lease', 'list']));
  assert.deepEqual(await bench.leftovers(), []);
}

const etcdVersion = etcdPackageVersion(DEFAULT_RELEASE);
console.log(`CTDB’s cluster lock in etcd, on ${hostname()}`);
say((await runChecked(helperProgram(), ['--version'])) + `etcd ${etcdVersion}`);

const pids: number[] = [];
{
  await using cluster = await EtcdCluster.start({ members: 3 });
  pids.push(...cluster.members.map((member) => member.pid));
  await using bench = await LockBench.make(cluster);
  await using nodeA = MutexParent.start();
  await using nodeB = MutexParent.start();
  await using nodeC = MutexParent.start(inPidNamespace('asChild'));
  await demo(cluster, bench, [
    { name: 'A', parent: nodeA },
    { name: 'B', parent: nodeB },
    { name: 'C', parent: nodeC },
  ]);
  pids.push(...cluster.members.map((member) => member.pid), nodeA.pid, nodeB.pid);
}

title('Cleaned up.');
assert.deepEqual(pids.filter(isRunning), []);
say('No etcd and no helper is left running, and the members’ data is removed.');
