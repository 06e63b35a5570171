import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RUNTIME_FLAGS } from '../../packaging/build/flags.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { runChecked } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** What a start may cost, in figures that are the same on a busy machine. A commit that needs more says so there. */
const BUDGET_FILE = fileURLToPath(new URL('../../packaging/build/budget.json', import.meta.url));

// A saving of more than this is to be written down, or it will be spent unseen.
const SLACK = 0.1;

const budget = JSON.parse(readFileSync(BUDGET_FILE, 'utf8')) as Record<string, number>;

function built(name: string): string {
  return fileURLToPath(new URL(`../../dist/build/${name}`, import.meta.url));
}

const NO_LONGER_NEW_MS = 400;

// How often it waits for what others do is their doing, and differs from run to run. The rest differs by one in a hundred.
const WAITING = /^(epoll_|futex)/;

/** System calls of the main thread in an attempt on a lock that is held, from the start of the process to its end. */
async function systemCalls(): Promise<number> {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  await bench.hold();
  const heldSinceMs = performance.now();
  // A lock that was only just taken is looked at again a few times (src/lock/contention.ts), by the clock.
  await waitFor('a lock that is not new', () => performance.now() - heldSinceMs > NO_LONGER_NEW_MS);
  const trace = join(bench.base, 'trace');
  const strace = (await runChecked('sh', ['-c', 'command -v strace'])).trim();
  const helper = await bench.run({ program: strace, args: ['-o', trace, helperProgram()] });
  assert.equal(await helper.answer(), '1', helper.stderr);
  await helper.exited();
  const lines = readFileSync(trace, 'latin1').split('\n');
  return lines.filter((line) => /^\w+\(/.test(line) && !WAITING.test(line)).length;
}

const spent: Readonly<Record<string, () => number | Promise<number>>> = {
  bundleBytes: () => statSync(built('program.cjs')).size,
  codeCacheBytes: () => statSync(built('program.cache')).size,
  modulesLoaded: () => readFileSync(built('program.cache.held.modules'), 'utf8').split('\n').length,
  systemCalls,
  binaryBytes: () => statSync(helperProgram()).size,
};

test('the budget has a figure for each thing that is measured', () => {
  assert.deepEqual(Object.keys(budget).sort(), Object.keys(spent).sort());
});

for (const [name, measure] of Object.entries(spent)) {
  test(`${name} stays within its budget, and the budget close to it`, async () => {
    const limit = budget[name] ?? 0;
    const value = await measure();
    assert.ok(value <= limit, `${name} is ${value}, want at most ${limit} (packaging/build/budget.json)`);
    const least = limit * (1 - SLACK);
    assert.ok(
      value >= least,
      `${name} is ${value}: lower its budget of ${limit} (packaging/build/budget.json)`,
    );
  });
}

test('the packed binary accepts its code cache, and runs with the options of the build and no others', () => {
  const report = JSON.parse(
    execFileSync(helperProgram(), ['--boot-report'], { encoding: 'utf8', env: {} }),
  ) as {
    cachedDataRejected: unknown;
    execArgv: unknown;
  };
  assert.deepEqual([report.cachedDataRejected, report.execArgv], [false, RUNTIME_FLAGS]);
});

// Of the 4 MB that were measured.
const GIVEN_BACK_KB = 2_000;

/** Memory that a process shares with no other. */
function privateDirtyKb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Private_Dirty: +(\d+) kB$/m.exec(rollup)?.[1]);
}

test('a holder gives back the memory of the take, and holds on', async () => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  const holder = await bench.hold();
  let mostKb = 0;
  await waitFor(
    'memory that was given back',
    () => {
      const nowKb = privateDirtyKb(holder.pid);
      mostKb = Math.max(mostKb, nowKb);
      return nowKb <= mostKb - GIVEN_BACK_KB;
    },
    { withinMs: 60_000 },
  );
  const key = await bench.key();
  await bench.renewed(key?.leaseHex ?? '');
  assert.deepEqual([holder.bytes, holder.stderr, holder.exit], ['0', '', undefined]);
});
