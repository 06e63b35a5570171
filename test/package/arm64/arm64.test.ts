import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { LockBench } from '../../support/lock-bench.ts';
import type { Helper } from '../../support/mutex-parent.ts';
import { runChecked, temporaryDirectory } from '../../support/processes.ts';
import { built } from '../built.ts';
import { HELPER } from '../root.ts';

const DEB = /^ctdb-etcd-lock_.*_arm64\.deb$/;
const RPM = /^ctdb-etcd-lock-\d.*\.aarch64\.rpm$/;
const QEMU = '/usr/bin/qemu-aarch64-static';
/** Debian's libraries for arm64, of bookworm. */
const LIBRARIES = '/usr/aarch64-linux-gnu';
// Emulation makes everything slow, and none of it is a measurement.
const LIMIT_MS = 60_000;
/** The helper's own limit of 4 s does not know of the emulation, and on a busy machine a try can miss it. */
const TRIES = 10;

let directory = '';
let helper = '';

before(async () => {
  directory = await temporaryDirectory('arm64');
  await runChecked('dpkg-deb', ['--extract', built(DEB), directory]);
  helper = join(directory, HELPER);
});

after(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Starts helpers until one answers `wanted`. */
async function helperThatAnswers(wanted: string, bench: LockBench): Promise<Helper> {
  for (let tried = 1; ; tried += 1) {
    const started = await bench.run({ program: QEMU, args: ['-L', LIBRARIES, helper] });
    const answer = await started.answer(LIMIT_MS);
    if (answer === wanted) return started;
    assert.ok(answer === '3' && tried < TRIES, `${answer}, try ${tried}: ${started.stderr}`);
  }
}

describe('the packages for arm64', () => {
  test('are for that machine, small enough, and carry the same binary', async () => {
    const about = await runChecked('dpkg-deb', ['--field', built(DEB), 'Architecture', 'Depends']);
    assert.match(about, /^Architecture: arm64$/m);
    assert.match(about, /libc6 \(>= 2\.28\)/);
    assert.equal(
      await runChecked('rpm', ['--query', '--package', '--queryformat', '%{arch}', built(RPM)]),
      'aarch64',
    );
    assert.ok(lstatSync(built(DEB)).size <= 34_000_000);
    assert.ok(lstatSync(helper).size <= 110_000_000);
    const payload = execFileSync(
      'sh',
      ['-c', `rpm2cpio "$1" | cpio --quiet --extract --to-stdout .${HELPER}`, 'sh', built(RPM)],
      { maxBuffer: 200_000_000 },
    );
    assert.ok(payload.equals(readFileSync(helper)));
  });
});

describe('the binary for arm64', () => {
  test('says what it is', async () => {
    // Without the test runner's own variables, which the binary rids itself of by starting anew: that leaves the emulator.
    const command = ['-i', QEMU, '-L', LIBRARIES, helper, '--version'];
    const version = await runChecked('env', command, { limitMs: LIMIT_MS });
    assert.match(version, /^ctdb_etcd_lock \d/);
  });

  test('takes the lock, is refused while it is held, and lets go', async () => {
    await using cluster = await EtcdCluster.start();
    await using bench = await LockBench.make(cluster);
    const holder = await helperThatAnswers('0', bench);
    await helperThatAnswers('1', bench);
    assert.equal((await cluster.keys(bench.directory)).length, 1);
    await holder.release(LIMIT_MS);
    assert.deepEqual(await cluster.keys(bench.directory), []);
  });
});
