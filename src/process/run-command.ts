import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import type { CommandOutcome, RunCommand } from '../base/command.ts';
import { startFailure } from './start-failure.ts';

// Where Samba's and CTDB's programs are when PATH does not name the directory. ctdbd's PATH depends on what started it.
const USUAL_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

// A NetBIOS name has 15 characters, a PNN five digits. A longer output comes from another program.
const MOST_OUTPUT_BYTES = 4_096;

/**
 * The absolute directories of a PATH, then the usual ones. A relative directory would depend on the working directory.
 */
function searchPath(path: string | undefined): string[] {
  const directories = (path ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...directories, ...USUAL_DIRECTORIES])];
}

// The shell finds the program in PATH and executes it. If this process searched PATH, a directory that hangs (a network
// file system) would stop it, and a holder that is stopped loses its lock. The shell can be killed.
const SHELL: readonly string[] = ['/bin/sh'];
/** The shell that already runs as the watchdog, so that no disk is needed to start it. With -p it ignores BASH_ENV. */
export const WATCHDOG_SHELL: readonly string[] = ['/bin/bash', '-p'];
const BECOME = 'exec "$0" "$@"';
/** The exit status of a shell that does not find the program, and of one that may not execute it. */
const NOT_FOUND = 127;
const NOT_RUN = 126;

/** Collects the output of a pipe up to the limit. The rest is read and dropped, so that the command does not block. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (length < MOST_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MOST_OUTPUT_BYTES - length));
    length += chunk.length;
  });
  // A broken pipe ends the output. The exit status shows what happened.
  stream?.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}

/** Runs commands. */
export interface Commands {
  readonly run: RunCommand;
  /** Kills the commands that still run, before this process exits. */
  readonly stopAll: () => void;
}

/**
 * Makes an object that runs commands in the environment `env`. They are searched in its PATH, then in the usual
 * directories.
 *
 * Node waits until the kernel has loaded the shell (libuv, uv_spawn), and a disk that hangs stops this process then.
 * A holder therefore uses `WATCHDOG_SHELL`.
 */
export function makeCommands(
  clock: Clock,
  env: Readonly<Record<string, string | undefined>>,
  [shell = '', ...options] = SHELL,
): Commands {
  const directories = searchPath(env['PATH']);
  const childEnv = { ...env, PATH: directories.join(':') };
  const running = new Set<ChildProcess>();

  const run: RunCommand = (command, args, limitMs) => {
    const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
    let child: ChildProcess;
    try {
      child = spawn(shell, [...options, '-c', BECOME, command, ...args], {
        env: childEnv,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      return Promise.resolve({ kind: 'failed', reason: startFailure(error) });
    }
    running.add(child);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);

    const finish = (outcome: CommandOutcome): void => {
      stopTimer();
      running.delete(child);
      // A child of the command may still hold the pipes open. They must not keep this process alive.
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(outcome);
    };
    const stopTimer = clock.at(clock.now() + limitMs, () => {
      child.kill('SIGKILL');
      child.unref();
      finish({ kind: 'timeout' });
    });
    child.on('error', (error) => {
      finish({ kind: 'failed', reason: startFailure(error) });
    });
    child.on('close', (code, signal) => {
      if (code === null) finish({ kind: 'killed', signal: signal ?? 'unknown' });
      else if (code === NOT_FOUND) finish({ kind: 'missing' });
      else if (code === NOT_RUN) finish({ kind: 'failed', reason: stderr().trim() });
      else finish({ kind: 'exited', code, stdout: stdout(), stderr: stderr() });
    });
    return promise;
  };
  return {
    run,
    stopAll: () => {
      for (const child of running) child.kill('SIGKILL');
    },
  };
}
