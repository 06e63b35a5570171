// The companion as bash makes it, with a process of ours in the helper's place.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { spawnCompanion } from '../../src/process/watchdog-process.ts';
import type { Companion } from '../../src/lock/watchdog.ts';
import { childrenOf, isRunning, processState } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const uptimeS = (): number => Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
const startTicksOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ')[19]);

class Watched implements AsyncDisposable {
  readonly #sleeper: ChildProcess = spawn('sleep', ['1000'], { stdio: 'ignore' });
  readonly companion: Companion;
  /** How the companion has ended. */
  end: string | undefined;

  constructor(startTicksOff = 0) {
    const identity = {
      bootId: '',
      namespaces: '',
      pid: this.pid,
      startTicks: startTicksOf(this.pid) + startTicksOff,
    };
    this.companion = spawnCompanion(identity, (end) => {
      this.end = end;
    });
  }

  get pid(): number {
    return this.#sleeper.pid ?? NaN;
  }

  get companionPid(): number {
    return childrenOf(process.pid).find((pid) => pid !== this.pid) ?? NaN;
  }

  get isKilled(): boolean {
    return processState(this.pid) === undefined || !isRunning(this.pid);
  }

  /** It is to kill so many seconds from now; returns that instant. */
  feed(inS: number): number {
    const atS = uptimeS() + inS;
    this.companion.write(`${Math.ceil(atS * 100)}\n`);
    return atS;
  }

  ended(): Promise<string> {
    return waitFor('the end of the companion', () => this.end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.companion.end();
    await this.ended();
    this.#sleeper.kill('SIGKILL');
  }
}

test('it kills at the instant that it was told', async () => {
  await using watched = new Watched();
  const atS = watched.feed(0.5);
  await waitFor('the kill', () => watched.isKilled);
  assert.ok(uptimeS() >= atS);
  assert.equal(await watched.ended(), 'it ended with status 0');
});

test('the last word counts, whenever it comes', async () => {
  await using watched = new Watched();
  const firstS = watched.feed(0.5);
  for (let line = 0; line < 50; line += 1) watched.feed(0.6);
  await waitFor('a moment before the first instant', () => uptimeS() > firstS - 0.2);
  const lastS = watched.feed(1.5);
  await waitFor('a moment after the first instants', () => uptimeS() > firstS + 0.5);
  assert.equal(watched.isKilled, false);
  await waitFor('the kill', () => watched.isKilled);
  assert.ok(uptimeS() >= lastS);
});

test('an earlier instant counts at once when it is woken', async () => {
  await using watched = new Watched();
  watched.feed(1_000);
  // What it waits in then; the first line it reads in another call.
  await waitFor('it waits', () =>
    /poll|select/.test(readFileSync(`/proc/${watched.companionPid}/wchan`, 'latin1')),
  );
  const atS = watched.feed(0.2);
  watched.companion.wake();
  await waitFor('the kill', () => watched.isKilled);
  assert.ok(uptimeS() >= atS);
});

test('it ends at once with whom it watches, and kills nobody', async () => {
  await using watched = new Watched();
  watched.feed(1_000);
  watched.companion.end();
  assert.equal(await watched.ended(), 'it ended with status 0');
  assert.equal(watched.isKilled, false);
});

test('a later process with the same pid is left alone', async () => {
  await using watched = new Watched(1);
  watched.feed(0.1);
  assert.equal(await watched.ended(), 'it ended with status 0');
  assert.equal(watched.isKilled, false);
});
