import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeRealClock } from '../../../src/process/real-clock.ts';
import type { CommandOutcome } from '../../../src/base/command.ts';
import { makeCommands, WATCHDOG_SHELL } from '../../../src/process/run-command.ts';

const LONG_MS = 20_000;
const clock = makeRealClock();

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'run-command-'));
});
after(() => {
  rmSync(directory, { recursive: true });
});

/** Puts a shell script into the directory that the commands of this test are looked up in. */
function script(name: string, text: string): void {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

const run = (name: string, args: readonly string[] = [], limitMs = LONG_MS): Promise<CommandOutcome> =>
  makeCommands(clock, { PATH: directory, LANG: 'C', SECRET_OF_THE_TEST: 'kept' }).run(name, args, limitMs);

/** The standard output of a command that ended by itself. */
function stdoutOf(outcome: CommandOutcome): string {
  if (outcome.kind !== 'exited') assert.fail(`The command did not end by itself: ${outcome.kind}`);
  return outcome.stdout;
}

test('a command answers with its status and both outputs, its arguments taken literally', async () => {
  script('say', 'printf "%s|" "$@"; echo oops >&2; exit 3');
  assert.deepEqual(await run('say', ['a b', "$(c)';", '']), {
    kind: 'exited',
    code: 3,
    stdout: "a b|$(c)';||",
    stderr: 'oops\n',
  });
});

test('a command reads nothing, keeps the environment and stands in /', async () => {
  script('look', 'cat; pwd; echo "$LANG $SECRET_OF_THE_TEST"');
  assert.deepEqual(await run('look'), { kind: 'exited', code: 0, stdout: '/\nC kept\n', stderr: '' });
});

test('a command inherits no open descriptor, and an empty standard input', async () => {
  script('descriptors', 'exec ls -l /proc/self/fd');
  const path = join(directory, 'open-in-the-parent');
  const fd = openSync(path, 'w');
  const stdout = stdoutOf(await run('descriptors'));
  closeSync(fd);
  assert.match(stdout, / 0 -> \/dev\/null\n/);
  assert.match(stdout, / 1 -> (socket|pipe):/);
  assert.ok(!stdout.includes(path), stdout);
});

test('a command is found in the usual directories when PATH is unset, empty or relative', async () => {
  for (const PATH of [undefined, '', '.', 'bin:.']) {
    const outcome = await makeCommands(clock, { PATH }).run('env', [], LONG_MS);
    assert.match(stdoutOf(outcome), /^PATH=.*\/usr\/sbin:\/usr\/bin/m);
  }
});

test('a command in a relative directory of PATH is not run', async () => {
  script('only-here', 'echo no');
  const outcome = await makeCommands(clock, { PATH: '.' }).run('only-here', [], LONG_MS);
  assert.deepEqual(outcome, { kind: 'missing' });
});

test('a command that is nowhere is missing, and one that cannot be executed did not start', async () => {
  writeFileSync(join(directory, 'not-executable'), 'x', { mode: 0o644 });
  assert.deepEqual(await run('no-such-command'), { kind: 'missing' });
  const outcome = await run('not-executable');
  assert.match(
    outcome.kind === 'failed' ? outcome.reason : outcome.kind,
    /not-executable.*[Pp]ermission denied/,
  );
});

test('a file that is no program is a failure in words', async () => {
  const path = join(directory, 'garbage');
  writeFileSync(path, '\u007fELF garbage');
  chmodSync(path, 0o755);
  const outcome = await run('garbage');
  assert.ok(outcome.kind === 'failed' || (outcome.kind === 'exited' && outcome.code !== 0), outcome.kind);
});

test('a command that does not end is killed at its limit', async () => {
  script('hang', 'echo $$ > "$1"; trap "" TERM; exec sleep 600');
  const pidFile = join(directory, 'pid');
  const startedAtMs = clock.now();
  assert.deepEqual(await run('hang', [pidFile], 300), { kind: 'timeout' });
  const tookMs = clock.now() - startedAtMs;
  assert.ok(tookMs >= 300 && tookMs < 5_000, `${tookMs} ms`);
  const pid = readFileSync(pidFile, 'latin1').trim();
  await waitUntilDead(pid);
});

/** Resolves once the process is gone or a zombie. */
async function waitUntilDead(pid: string): Promise<void> {
  const byMs = clock.now() + 5_000;
  const isAlive = (): boolean => {
    try {
      return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
      return false;
    }
  };
  while (isAlive()) {
    assert.ok(clock.now() < byMs, `process ${pid} is still there`);
    await new Promise((resolve) => {
      clock.at(clock.now() + 10, () => {
        resolve(undefined);
      });
    });
  }
}

test('a grandchild that keeps the pipes open does not delay the limit', async () => {
  script('parent', 'sleep 2 & exit 0');
  assert.deepEqual(await run('parent', [], 300), { kind: 'timeout' });
});

test('a command that a signal ends is reported so', async () => {
  script('suicide', 'kill -9 $$');
  assert.deepEqual(await run('suicide'), { kind: 'killed', signal: 'SIGKILL' });
});

test('of a flood of output only the first 4 KiB are kept', async () => {
  script('flood', 'head -c 10000000 /dev/zero | tr "\\0" x');
  const outcome = await run('flood');
  assert.equal(stdoutOf(outcome).length, 4_096);
});

test("the watchdog's shell runs commands as the other one does, and nothing that BASH_ENV names", async () => {
  script('say', 'printf "%s|" "$@"; exit 3');
  writeFileSync(join(directory, 'bash-env'), 'echo from BASH_ENV\n');
  writeFileSync(join(directory, 'not-executable'), 'x', { mode: 0o644 });
  const env = { PATH: directory, BASH_ENV: join(directory, 'bash-env') };
  const runs = makeCommands(clock, env, WATCHDOG_SHELL).run;
  const outcome = await runs('say', ['a b', "$(c)';", ''], LONG_MS);
  assert.deepEqual(outcome, { kind: 'exited', code: 3, stdout: "a b|$(c)';||", stderr: '' });
  assert.deepEqual(await runs('no-such-command', [], LONG_MS), { kind: 'missing' });
  assert.equal((await runs('not-executable', [], LONG_MS)).kind, 'failed');
});
