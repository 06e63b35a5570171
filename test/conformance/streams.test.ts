import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { type Helper, helperProgram } from '../support/mutex-parent.ts';
import {
  childrenOf,
  isRunning,
  removeTemporaryDirectory,
  runChecked,
  temporaryDirectory,
} from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** What the descriptors of a process stand for, by number; none for a process that has ended. */
function descriptors(pid: number): Map<number, string> {
  const directory = `/proc/${pid}/fd`;
  let numbers: string[];
  try {
    numbers = readdirSync(directory);
  } catch {
    return new Map();
  }
  return new Map(
    numbers.flatMap((fd) => {
      try {
        return [[Number(fd), readlinkSync(join(directory, fd))] as const];
      } catch {
        return []; // closed in the meantime
      }
    }),
  );
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** The program that a process runs; undefined when it is gone. */
function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

/** The helper's children, all of which run a program of their own: one between fork and exec is still the helper itself. */
async function childrenThatRun(helper: Helper): Promise<number[]> {
  const own = programOf(helper.pid);
  return waitFor('each child runs a program of its own', () => {
    const children = descendantsOf(helper.pid);
    return children.every((child) => programOf(child) !== own) && children;
  });
}

/** Nothing but descriptor 1 of the helper is the answer's pipe, and nothing above 2 was inherited. */
async function assertStreamsAreItsOwn(helper: Helper): Promise<void> {
  const own = descriptors(helper.pid);
  assert.equal(own.get(1), helper.answerPipe);
  assert.equal(own.get(0), '/dev/null');
  for (const [fd, what] of own) {
    if (fd === 1) continue;
    assert.notEqual(what, helper.answerPipe, `descriptor ${fd} is stdout too`);
    // The first leaked one is the other end of its own stderr, which it may well have opened anew for writing.
    if (fd > 2) assert.ok(!helper.leaked.slice(1).includes(what), `descriptor ${fd}, ${what}, was inherited`);
  }
  const stderrReaders = [...own].filter(
    ([fd, what]) => what === helper.leaked[0] && isReadable(helper.pid, fd),
  );
  assert.deepEqual(stderrReaders, [], 'it reads its own stderr');
  let looked = 0;
  for (const child of await childrenThatRun(helper)) {
    const open = descriptors(child);
    if (open.size > 0) looked += 1;
    for (const [fd, what] of open) {
      assert.notEqual(what, helper.answerPipe, `child ${child} has stdout as ${fd}`);
      if (fd > 2) assert.ok(!helper.leaked.includes(what), `child ${child} inherited ${fd}, ${what}`);
    }
  }
  // A command such as `ctdb pnn` can end before its descriptors are listed. The watchdog stays.
  assert.ok(looked > 0, 'no child was looked at');
}

function isReadable(pid: number, fd: number): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
  const accessMode = Number.parseInt(flags, 8) & 3;
  return accessMode !== 1; // O_WRONLY
}

void describe('stdout and stderr', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  test('a whole life, held and released, is one byte on stdout and not one on stderr', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    const contender = await bench.run({ autoTerm: false });
    await contender.exited();
    await holder.release();
    assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
    assert.deepEqual([contender.bytes, contender.stderr], ['1', '']);
  });

  test('a holder keeps no inherited descriptor above 2, and none of its children has its stdout', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    await assertStreamsAreItsOwn(holder);
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    await assertStreamsAreItsOwn(holder);
  });

  test('nor does one whose descriptors somebody has listed before it was the program', async () => {
    await using bench = await LockBench.make(cluster);
    await assertStreamsAreItsOwn(await bench.hold({ lookedAt: true }));
  });

  test('testparm and ctdb are run without the stdout and stderr of the helper, and without CTDB’s descriptors', async () => {
    await using bench = await LockBench.make(cluster, { netbios_name: undefined });
    const seen = join(bench.base, 'seen');
    const record = (name: string): string => `ls -l /proc/$$/fd >${seen}.${name} 2>&1; echo noise >&2`;
    await bench.script('testparm', `${record('testparm')}; echo ${bench.name}`);
    const bin = await bench.script('ctdb', `${record('ctdb')}; echo 7`);
    const holder = await bench.hold({ env: { PATH: `${bin}:/usr/bin:/bin` } });
    assert.equal((await bench.key())?.key.startsWith(bench.directory), true);
    for (const name of ['testparm', 'ctdb']) {
      const listing = await waitFor(`${name} ran`, () => {
        try {
          return readFileSync(`${seen}.${name}`, 'utf8');
        } catch {
          return undefined;
        }
      });
      assert.ok(!listing.includes(holder.answerPipe), `${name} has stdout:\n${listing}`);
      for (const leaked of holder.leaked)
        assert.ok(!listing.includes(leaked), `${name} has ${leaked}:\n${listing}`);
    }
    await holder.release();
    assert.equal(holder.stderr, '');
  });

  test('a ctdb that hangs is not waited for, and is ended', async () => {
    await using bench = await LockBench.make(cluster);
    const pids = join(bench.base, 'pid');
    const hanging = await bench.script('ctdb', `echo $$ >${pids}; exec sleep 600`);
    const holder = await bench.hold({ env: { PATH: `${hanging}:/usr/bin:/bin` } });
    const pid = Number(
      await waitFor('ctdb runs', () => existsSync(pids) && readFileSync(pids, 'utf8').trim()),
    );
    await waitFor('the hanging ctdb is gone', () => !isRunning(pid));
    await holder.release();
    assert.equal(holder.stderr, '');
  });

  test('a full stderr that nobody reads does not hold up -vvv: answer, renewals and release go on', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold({ args: ['-vvv'], stderr: 'full' });
    const lease = (await bench.key())?.leaseHex ?? '';
    for (let renewals = 0; renewals < 3; renewals += 1) await bench.renewed(lease);
    const contender = await bench.run({ args: ['-vvv'], stderr: 'full' });
    assert.equal(await contender.answer(), '1');
    assert.equal((await contender.exited()).status, 1);
    const exit = await holder.release(2_500);
    assert.equal(exit.status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('with a full stderr an error is answered all the same', async () => {
    await using bench = await LockBench.make(cluster, { lock_ttl: 'soon' });
    const helper = await bench.run({ stderr: 'full', autoTerm: false });
    assert.equal(await helper.answer(), '3');
    assert.equal((await helper.exited()).status, 3);
  });

  test('without a stderr the lock is taken and released', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold({ stderr: 'closed', args: ['-vvv'] });
    assert.equal((await holder.release()).status, 0);
    assert.equal(holder.bytes, '0');
  });

  test('when nobody reads the answer any more, the lock is let go', async () => {
    await using bench = await LockBench.make(cluster);
    const helper = await bench.run({ closeAnswer: true });
    await helper.exited();
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('-vvv says whole lines under 1,000 bytes, also about a config value of 5,000', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold({ args: ['-vvv'] });
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    await holder.release();
    assert.ok(holder.stderrLines.length >= 3, holder.stderr);
    for (const line of holder.stderrLines) assert.ok(Buffer.byteLength(line) < 1_000 && line !== '', line);

    await bench.configure({ lock_ttl: 'ü'.repeat(2_500) });
    const failed = await bench.run({ args: ['-vvv'], autoTerm: false });
    assert.equal(await failed.answer(), '3');
    await failed.exited();
    for (const line of failed.stderrLines) assert.ok(Buffer.byteLength(line) < 1_000 && line !== '', line);
    assert.match(failed.stderr, /lock_ttl/);
  });

  test('an error and what others write to the same file stand one after the other', async () => {
    const directory = await temporaryDirectory('log');
    const file = join(directory, 'log');
    const script = '{ echo before; "$1" -c "$2"; echo; echo after; } >"$3" 2>&1';
    await runChecked('sh', ['-c', script, 'sh', helperProgram(), join(directory, 'missing'), file]);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    assert.match(lines[1] ?? '', /^Cannot read config .*missing/);
    assert.deepEqual([lines[0], ...lines.slice(2)], ['before', '3', 'after']);
    removeTemporaryDirectory(directory);
  });
});
