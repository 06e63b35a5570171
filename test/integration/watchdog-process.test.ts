// The watchdog process as bash makes it, with a process of the test in the helper's place.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { spawnWatchdogProcess } from '../../src/process/watchdog-process.ts';
import type { WatchdogProcess } from '../../src/lock/watchdog.ts';
import { childrenOf, isRunning, processState } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const uptimeS = (): number => Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
const startTicksOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ')[19]);

class Watched implements AsyncDisposable {
  readonly #sleeper: ChildProcess = spawn('sleep', ['1000'], { stdio: 'ignore' });
  readonly watchdog: WatchdogProcess;
  /** How the watchdog has ended. */
  end: string | undefined;

  constructor(startTicksOff = 0, hasProc = true, line?: string) {
    const identity = {
      bootId: '',
      namespaces: '',
      pid: this.pid,
      startTicks: startTicksOf(this.pid) + startTicksOff,
    };
    this.watchdog = spawnWatchdogProcess(identity, hasProc, line, (end) => {
      this.end = end;
    });
  }

  get pid(): number {
    return this.#sleeper.pid ?? NaN;
  }

  get watchdogPid(): number {
    return childrenOf(process.pid).find((pid) => pid !== this.pid) ?? NaN;
  }

  get isKilled(): boolean {
    return processState(this.pid) === undefined || !isRunning(this.pid);
  }

  /** It is to kill so many seconds from now; returns that instant. */
  feed(inS: number): number {
    const atS = uptimeS() + inS;
    this.watchdog.write(`${Math.ceil(atS * 100)}\n`);
    return atS;
  }

  /** The same without an uptime: hundredths of a second from now. */
  feedLeft(hundredths: number): void {
    this.watchdog.write(`+${hundredths}\n`);
    this.watchdog.wake();
  }

  /** It can open no further file. */
  takeDescriptors(): void {
    execFileSync('prlimit', ['--pid', String(this.watchdogPid), '--nofile=4:4']);
  }

  ended(): Promise<string> {
    return waitFor('the end of the watchdog', () => this.end);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watchdog.end();
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

test('with its first line from the start, it needs no other', async () => {
  for (const left of [false, true]) {
    const atS = uptimeS() + 0.5;
    await using watched = new Watched(0, true, left ? '+50' : String(Math.ceil(atS * 100)));
    await waitFor('the kill', () => watched.isKilled);
    assert.ok(uptimeS() >= atS);
    assert.equal(await watched.ended(), 'it ended with status 0');
  }
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
    /poll|select/.test(readFileSync(`/proc/${watched.watchdogPid}/wchan`, 'latin1')),
  );
  const atS = watched.feed(0.2);
  watched.watchdog.wake();
  await waitFor('the kill', () => watched.isKilled);
  assert.ok(uptimeS() >= atS);
});

test('it ends at once with whom it watches, and kills nobody', async () => {
  await using watched = new Watched();
  watched.feed(1_000);
  watched.watchdog.end();
  assert.equal(await watched.ended(), 'it ended with status 0');
  assert.equal(watched.isKilled, false);
});

test('a later process with the same pid is left alone', async () => {
  await using watched = new Watched(1);
  watched.feed(0.1);
  assert.equal(await watched.ended(), 'it ended with status 0');
  assert.equal(watched.isKilled, false);
});

test('without an uptime it counts from each line by itself', async () => {
  await using watched = new Watched();
  watched.feedLeft(100);
  const firstS = uptimeS();
  await waitFor('a moment before it is up', () => uptimeS() > firstS + 0.7);
  watched.feedLeft(150);
  const secondS = uptimeS();
  await waitFor('a moment after the first', () => uptimeS() > firstS + 1.2);
  assert.equal(watched.isKilled, false);
  await waitFor('the kill', () => watched.isKilled);
  assert.ok(uptimeS() >= secondS + 1.4);
});

test('without an uptime a shorter time counts at once', async () => {
  await using watched = new Watched();
  watched.feedLeft(100_000);
  watched.feedLeft(20);
  await waitFor('the kill', () => watched.isKilled);
});

test('without an uptime it kills at once when no time is left', async () => {
  await using watched = new Watched();
  watched.feedLeft(0);
  await waitFor('the kill', () => watched.isKilled);
});

test('without an uptime it ends with the process that it watches', async () => {
  await using watched = new Watched();
  watched.feedLeft(100_000);
  watched.watchdog.end();
  assert.equal(await watched.ended(), 'it ended with status 0');
  assert.equal(watched.isKilled, false);
});

test('it kills when it can open neither the uptime nor the stat file at the decisive moment', async () => {
  await using watched = new Watched();
  watched.feed(3);
  await waitFor('it waits', () =>
    /poll|select/.test(readFileSync(`/proc/${watched.watchdogPid}/wchan`, 'latin1')),
  );
  watched.takeDescriptors();
  await waitFor('the kill', () => watched.isKilled);
  assert.equal(await watched.ended(), 'it ended with status 0');
});

test('where /proc is not its own it kills by the pid alone', async () => {
  await using watched = new Watched(1, false);
  watched.feed(0.2);
  await waitFor('the kill', () => watched.isKilled);
});

test('that it is stopped can be seen', async () => {
  await using watched = new Watched();
  watched.feed(1_000);
  assert.equal(watched.watchdog.isStopped(), false);
  process.kill(watched.watchdogPid, 'SIGSTOP');
  await waitFor('it is stopped', () => watched.watchdog.isStopped());
  process.kill(watched.watchdogPid, 'SIGCONT');
  await waitFor('it runs', () => !watched.watchdog.isStopped());
});
