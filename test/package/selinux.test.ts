import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compilePolicy } from '../../packaging/release/selinux.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
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

describe('the helper', () => {
  test('maps no memory executable but that of files while it takes, holds and releases the lock', async () => {
    const directory = await temporaryDirectory('strace');
    try {
      await using cluster = await EtcdCluster.start();
      await using bench = await LockBench.make(cluster);
      const trace = join(directory, 'trace');
      // The wrapper ends with the helper, and hands its signals on.
      const holder = await bench.hold({
        program: '/usr/bin/strace',
        args: [
          '-qq',
          '-f',
          '-I',
          '4',
          '-o',
          trace,
          '-e',
          'trace=mmap,mprotect,pkey_mprotect',
          helperProgram(),
        ],
      });
      const { stdout } = await run('pgrep', ['--parent', String(holder.pid)]);
      process.kill(Number(stdout.trim().split('\n')[0]), 'SIGTERM');
      await holder.exited();
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
    const holder = await bench.hold({
      program: '/usr/bin/strace',
      args: [
        '-qq',
        '-f',
        '-I',
        '4',
        '-o',
        '/dev/null',
        '-e',
        'trace=io_uring_setup',
        refusal,
        helperProgram(),
      ],
    });
    assert.equal((await cluster.keys(bench.directory)).length, 1);
    const { stdout } = await run('pgrep', ['--parent', String(holder.pid)]);
    process.kill(Number(stdout.trim().split('\n')[0]), 'SIGTERM');
    await holder.exited();
    assert.deepEqual(await cluster.keys(bench.directory), []);
    assert.equal(holder.stderr, '');
  });
});
