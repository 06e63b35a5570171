// The watchdog of the packed binary: the process that kills a helper which is frozen past its deadline.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import type { Helper } from '../support/mutex-parent.ts';
import { inOwnMounts } from '../support/namespaces.ts';
import { childrenOf, isRunning, processState, runChecked } from '../support/processes.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const TTL_S = 3;
const WARNING =
  /^Warning: No watchdog \(.+\): a frozen helper is not killed; install bash, or set watchdog = no \[warn-watchdog\]$/;

/** The watchdog of a helper, once it runs. */
function watchdogOf(helper: Helper): Promise<number> {
  return waitFor('the watchdog', () => childrenOf(helper.pid).find((pid) => isRunning(pid)));
}

/** A holder that renews its lease, and lets go when it is told to. */
async function livesOn(bench: LockBench, holder: Helper): Promise<void> {
  const lease = (await bench.key())?.leaseHex ?? '';
  await bench.renewed(lease);
  assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
  assert.equal((await holder.release()).status, 0);
  assert.equal(holder.bytes, '0');
  assert.deepEqual(await bench.leftovers(), []);
}

void describe('the watchdog', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  test('a helper that is frozen for three TTL is killed before its lease ends, and the next one holds after that', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S });
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    const watchdog = await watchdogOf(holder);
    const frozenAtMs = performance.now();
    holder.signal('SIGSTOP');
    await holder.endOfFile(TTL_S * 1_000);
    assert.ok((await cluster.leases()).includes(lease), 'the lease lives on when CTDB sees end of file');
    assert.equal((await holder.exited()).signal, 'SIGKILL');
    await waitFor('the watchdog is gone', () => processState(watchdog) === undefined);
    // The parent is not there to tell of the freeze: CTDB would elect, and the dead neighbor is found out.
    const next = await bench.hold();
    assert.ok((next.answeredAtMs ?? 0) > (holder.endOfFileAtMs ?? Infinity));
    await waitFor('three TTL are over', () => performance.now() - frozenAtMs > 3_000 * TTL_S, {
      withinMs: 4_000 * TTL_S,
    });
    assert.deepEqual([holder.bytes, next.endOfFileAtMs], ['0', undefined]);
    await next.release();
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('it goes with the helper, whichever way that ends, and leaves no zombie', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S });
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const holder = await bench.hold();
      const watchdog = await watchdogOf(holder);
      holder.signal(signal);
      await holder.exited();
      await waitFor('the watchdog is gone', () => processState(watchdog) === undefined);
    }
  });

  test('killed, it is no zombie, and no reason to let go', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    const watchdog = await watchdogOf(holder);
    process.kill(watchdog, 'SIGKILL');
    await waitFor('the watchdog was reaped', () => processState(watchdog) === undefined);
    await livesOn(bench, holder);
    assert.deepEqual(holder.stderrLines, [
      'Warning: The watchdog is started again (it was ended by SIGKILL) [warn-watchdog]',
    ]);
  });

  test('killed, there is another one at once: a helper that is frozen after that is killed too', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S });
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    const first = await watchdogOf(holder);
    process.kill(first, 'SIGKILL');
    const another = (pid: number): boolean => pid !== first && isRunning(pid);
    await waitFor('another watchdog', () => childrenOf(holder.pid).find(another));
    holder.signal('SIGSTOP');
    await holder.endOfFile(TTL_S * 1_000);
    assert.ok((await cluster.leases()).includes(lease), 'the lease lives on when CTDB sees end of file');
    assert.equal((await holder.exited()).signal, 'SIGKILL');
  });

  test('a signal to all processes of a cgroup, or to the group of the helper, does not end it', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S });
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    const watchdog = await watchdogOf(holder);
    // It ignores signals once bash has read its script, which is before it waits for the next line.
    const ignored = (): string =>
      /^SigIgn:\s*(.*)$/m.exec(readFileSync(`/proc/${watchdog}/status`, 'latin1'))?.[1] ?? '';
    await waitFor('the signals are ignored', () => (BigInt(`0x${ignored()}`) & 1n) === 1n);
    for (const signal of [
      'SIGHUP',
      'SIGINT',
      'SIGQUIT',
      'SIGTERM',
      'SIGUSR1',
      'SIGUSR2',
      'SIGPIPE',
      'SIGTSTP',
    ])
      process.kill(watchdog, signal);
    const groupOf = async (pid: number): Promise<string> =>
      (await runChecked('ps', ['-o', 'pgid=', '-p', String(pid)])).trim();
    assert.notEqual(await groupOf(watchdog), await groupOf(holder.pid));
    holder.signal('SIGSTOP');
    await holder.endOfFile(TTL_S * 1_000);
    assert.ok((await cluster.leases()).includes(lease), 'the lease lives on when CTDB sees end of file');
    assert.equal((await holder.exited()).signal, 'SIGKILL');
    assert.equal(holder.stderr, '');
  });

  test('no bash: one warning, and the lock is held', async () => {
    // Whatever else in a PATH is written in bash is not what this is about.
    const withoutBash = inOwnMounts('mount --bind /dev/null /bin/bash && PATH=/usr/bin:/bin');
    await using bench = await LockBench.make(cluster, {}, withoutBash);
    const holder = await bench.hold();
    // The shell that looks for ctdb ends by itself.
    await waitFor('no child is left', () => !childrenOf(holder.pid).some(isRunning));
    await livesOn(bench, holder);
    assert.equal(holder.stderrLines.length, 1, holder.stderr);
    assert.match(holder.stderr.trimEnd(), WARNING);
  });

  test('no descriptor left for its pipe: one warning, and the lock is held', async () => {
    await using proxy = await TcpProxy.start(cluster.hosts);
    await using bench = await LockBench.make(cluster, { hosts: proxy.endpoint });
    const holder = await waitFor(
      'the limit is set before the first attempt is given up',
      async () => {
        // Once the connection is there, all is open that is needed. Answers are held back until the limit is set.
        const { toServer } = proxy.relayed;
        const startedAtMs = performance.now();
        proxy.pause('fromServer');
        const helper = await bench.run();
        while (proxy.relayed.toServer === toServer) await new Promise((resolve) => setTimeout(resolve, 5));
        const taken = new Set(readdirSync(`/proc/${helper.pid}/fd`).map(Number));
        const firstFree = Array.from(taken, (_, fd) => fd).find((fd) => !taken.has(fd)) ?? taken.size;
        await runChecked('prlimit', [`--pid=${helper.pid}`, `--nofile=${firstFree}`]);
        // After 1.5 s without an answer the helper needs another connection, and has no descriptor for it.
        const isInTime = performance.now() - startedAtMs < 1_200;
        if (!isInTime) {
          helper.signal('SIGKILL');
          await helper.exited();
        }
        proxy.resume();
        return isInTime && helper;
      },
      { withinMs: 60_000 },
    );
    assert.equal(await holder.answer(), '0', holder.stderr);
    await livesOn(bench, holder);
    assert.equal(holder.stderrLines.length, 1, holder.stderr);
    assert.match(holder.stderr.trimEnd(), WARNING);
  });

  test('watchdog = no: there is none, and nothing is said about it', async () => {
    await using bench = await LockBench.make(cluster, { watchdog: 'no' });
    const holder = await bench.hold();
    assert.deepEqual(childrenOf(holder.pid).filter(isRunning), []);
    await livesOn(bench, holder);
    assert.equal(holder.stderr, '');
  });
});
