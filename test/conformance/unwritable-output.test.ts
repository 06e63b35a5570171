// A standard output that cannot be written: a full disk, a reader that has gone, a pipe that is full.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { type Finished, run, runChecked } from '../support/processes.ts';

const NO_SPACE = 'no space left on device (ENOSPC)';
const LOST = `Cannot write to standard output: ${NO_SPACE}; check the file or device that it leads to\n`;
const UNANSWERED = `Cannot answer on standard output: ${NO_SPACE}; let CTDB run this program [take-answer]\n`;

/** The commands that print, and their exit status when all of it can be read. The lock is free. */
const PRINTING: readonly (readonly [words: string, status: number])[] = [
  ['--help', 0],
  ['--version', 0],
  ['check --help', 0],
  ['check', 1],
  ['check --json', 1],
  ['check --plugin', 1],
  ['check --plugin --timeout soon', 3],
  ['status', 1],
  ['status --json', 1],
  ['status --openmetrics', 1],
  ['release --force', 1],
];

/** Runs the packed binary with /dev/full as its standard output. */
async function intoFull(words: string, { environment }: LockBench): Promise<Finished> {
  const full = openSync('/dev/full', 'w');
  try {
    const args = words.split(' ').filter((word) => word !== '');
    return await run(helperProgram(), args, { env: environment, stdio: ['ignore', full, 'pipe'] });
  } finally {
    closeSync(full);
  }
}

/** Runs it with a pipe whose reader has gone. */
async function unread(
  words: string,
  { environment }: LockBench,
): Promise<{ readonly status: number | null; readonly stderr: string }> {
  const child = spawn(helperProgram(), words.split(' '), {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  child.stdout.destroy();
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stderr, status] = await Promise.all([text(child.stderr), closed]);
  return { status, stderr };
}

// Standard output is a non-blocking pipe that is full. A command is read from once it runs; a helper never is.
const FULL_PIPE = `
import fcntl, os, subprocess, sys
reads, *command = sys.argv[1:]
r, w = os.pipe()
fcntl.fcntl(w, 1031, 4096)  # F_SETPIPE_SZ
os.set_blocking(w, False)
filled = os.write(w, b"x" * 4096)
child = subprocess.Popen(command, stdout=w)
os.close(w)
if reads == "read":
    got = b""
    while part := os.read(r, 512):
        got += part
    sys.stdout.write(got[filled:].decode())
sys.exit(child.wait())
`;

void describe('a standard output that cannot be written', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  test('a command says so in one line, with status 3, which is none of a result', async () => {
    await using bench = await LockBench.make(cluster);
    for (const [words] of [...PRINTING, ['status --watch']] as const) {
      const { status, stderr } = await intoFull(words, bench);
      assert.deepEqual([words, status, stderr], [words, 3, LOST]);
    }
  });

  test('a reader that wants no more is no failure: nothing is said, and the status is that of the result', async () => {
    await using bench = await LockBench.make(cluster);
    for (const [words, wanted] of [...PRINTING, ['status --watch', 1]] as const) {
      const { status, stderr } = await unread(words, bench);
      assert.deepEqual([words, status, stderr], [words, wanted, '']);
    }
  });

  test('a release that cannot show the holder releases nothing', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold();
    const { status, stderr } = await intoFull('release --force', bench);
    assert.deepEqual([status, stderr], [3, `Nothing released\n${LOST}`]);
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    await holder.release();
  });

  test('a helper says that it cannot answer, and lets the lock go', async () => {
    await using bench = await LockBench.make(cluster);
    const free = await intoFull('', bench);
    assert.deepEqual([free.status, free.stderr], [3, UNANSWERED]);
    assert.deepEqual(await bench.leftovers(), []);
    const holder = await bench.hold();
    const contender = await intoFull('', bench);
    assert.deepEqual([contender.status, contender.stderr], [3, UNANSWERED]);
    await holder.release();
  });

  test('a full pipe that does not block is no answer either, and a command waits for its reader', async () => {
    await using bench = await LockBench.make(cluster);
    const helper = await run('python3', ['-c', FULL_PIPE, 'keep', helperProgram()], {
      env: bench.environment,
    });
    assert.equal(helper.status, 3);
    assert.match(
      helper.stderr,
      /^Cannot answer on standard output: .+ \(EAGAIN\); let CTDB .+ \[take-answer\]\n$/,
    );
    assert.deepEqual(await bench.leftovers(), []);
    const read = await runChecked('python3', ['-c', FULL_PIPE, 'read', helperProgram(), '--help']);
    assert.equal(read, await runChecked(helperProgram(), ['--help']));
  });
});
