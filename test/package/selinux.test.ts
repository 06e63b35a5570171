import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compilePolicy } from '../../packaging/release/selinux.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { type Helper, helperProgram } from '../support/mutex-parent.ts';
import { run, temporaryDirectory } from '../support/processes.ts';
import { CHECKOUT } from './root.ts';

describe('the policy module', () => {
  test('compiles, and asks for nothing that makes memory executable', () => {
    assert.ok(compilePolicy().length > 1_000);
    const source = readFileSync(join(CHECKOUT, 'packaging/selinux/ctdb_etcd_lock.te'), 'utf8');
    const rules = source.replaceAll(/#.*$/gm, '');
    assert.doesNotMatch(rules, /\bexec(mem|mod|stack|heap)\b/);
  });
});

/** The helper under strace, which ends with the helper. */
function traced(...options: readonly string[]): { program: string; args: readonly string[] } {
  return { program: '/usr/bin/strace', args: ['-qq', '-f', '-I', '4', ...options, helperProgram()] };
}

/** Ends the helper under strace. */
async function endTraced(strace: Helper): Promise<void> {
  const { stdout } = await run('pgrep', ['--parent', String(strace.pid)]);
  process.kill(Number(stdout.trim().split('\n')[0]), 'SIGTERM');
  await strace.exited();
}

describe('the helper', () => {
  test('maps no memory executable but that of files while it takes, holds and releases the lock', async () => {
    const directory = await temporaryDirectory('strace');
    try {
      await using cluster = await EtcdCluster.start();
      await using bench = await LockBench.make(cluster);
      const trace = join(directory, 'trace');
      const holder = await bench.hold(traced('-o', trace, '-e', 'trace=mmap,mprotect,pkey_mprotect'));
      await endTraced(holder);
      const lines = readFileSync(trace, 'utf8').split('\n');
      const executable = lines.filter((line) => line.includes('PROT_EXEC'));
      assert.ok(executable.length > 3, 'libraries are mapped executable');
      const anonymous = executable.filter(
        (line) => line.includes('MAP_ANONYMOUS') || !line.includes('mmap('),
      );
      assert.deepEqual(anonymous, []);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('does without io_uring where it is refused', async () => {
    await using cluster = await EtcdCluster.start();
    await using bench = await LockBench.make(cluster);
    const refusal = '--inject=io_uring_setup:error=EACCES';
    const holder = await bench.hold(traced('-o', '/dev/null', '-e', 'trace=io_uring_setup', refusal));
    assert.equal((await cluster.keys(bench.directory)).length, 1);
    await endTraced(holder);
    assert.deepEqual(await cluster.keys(bench.directory), []);
    assert.equal(holder.stderr, '');
  });
});
