// The watchdog's script in bash, with a wall clock that the test sets, and a process of the test in the helper's place.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { WATCHDOG_SCRIPT } from '../../src/lock/watchdog-script.ts';
import { isRunning, processState } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

/** bash reads the wall clock with printf: this one adds $AHEAD seconds from SIGWINCH on. */
const OWN_WALL_CLOCK = `
printf() {
  if [[ $1 == -v && $3 == '%(%s)T' ]]; then
    local seconds
    builtin printf -v seconds '%(%s)T' -1
    builtin printf -v "$2" %d $((seconds + ahead_s))
  else builtin printf "$@"; fi
}
trap 'ahead_s=$AHEAD' WINCH
ahead_s=0
`;

class Watched implements AsyncDisposable {
  readonly #sleeper: ChildProcess = spawn('sleep', ['1000'], { stdio: 'ignore' });
  readonly watchdog: ChildProcess;

  constructor(aheadS: number) {
    const args = ['--noprofile', '--norc', '-c', 'eval "$SCRIPT"', 'watchdog', String(this.#sleeper.pid), ''];
    this.watchdog = spawn('/bin/bash', args, {
      env: { SCRIPT: OWN_WALL_CLOCK + WATCHDOG_SCRIPT, AHEAD: String(aheadS) },
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
  }

  get isKilled(): boolean {
    const pid = this.#sleeper.pid ?? NaN;
    return processState(pid) === undefined || !isRunning(pid);
  }

  tell(line: string): void {
    this.watchdog.stdin?.write(`${line}\n`);
    (this.watchdog.stdio[3] as Socket).write('\n');
  }

  /** Resolves when it waits for the next line or the end of a time. */
  async waits(): Promise<void> {
    const wchan = (): string => readFileSync(`/proc/${String(this.watchdog.pid)}/wchan`, 'latin1');
    await waitFor('it waits', () => /poll|select/.test(wchan()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.watchdog.kill('SIGKILL');
    this.#sleeper.kill('SIGKILL');
    return Promise.resolve();
  }
}

const secondsSince = (fromMs: number): number => (performance.now() - fromMs) / 1_000;

test('without an uptime, a wall clock that is set ahead leaves the helper 3.5 s to prove the lock anew', async () => {
  await using watched = new Watched(3_600);
  watched.tell('+100000');
  await watched.waits();
  const setAtMs = performance.now();
  watched.watchdog.kill('SIGWINCH');
  await waitFor('the kill', () => watched.isKilled, { withinMs: 20_000 });
  assert.ok(secondsSince(setAtMs) >= 3, `${secondsSince(setAtMs)} s`);
});

test('without descriptors, a wall clock that is set back does not make the kill late', async () => {
  await using watched = new Watched(-3_600);
  const uptimeS = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
  watched.tell(String(Math.ceil((uptimeS + 3) * 100)));
  await watched.waits();
  const fromMs = performance.now();
  execFileSync('prlimit', ['--pid', String(watched.watchdog.pid), '--nofile=4:4']);
  watched.watchdog.kill('SIGWINCH');
  await waitFor('the kill', () => watched.isKilled, { withinMs: 20_000 });
  assert.ok(secondsSince(fromMs) < 10, `${secondsSince(fromMs)} s`);
});
