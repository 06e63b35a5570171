import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../base/clock.ts';
import type { CommandOutcome, RunCommand } from '../base/command.ts';

// Where Samba's and CTDB's programs are when PATH does not say so: ctdbd's PATH is whatever started it.
const USUAL_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

// A NetBIOS name has 15 characters and a PNN five digits; a program that says more is not the one we think.
const MOST_OUTPUT_BYTES = 4_096;

/** The absolute directories of a PATH, then the usual ones; a relative one would depend on where we stand. */
function searchPath(path: string | undefined): string[] {
  const directories = (path ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...directories, ...USUAL_DIRECTORIES])];
}

// Looks the program up along PATH and becomes it. To do that in this process would stop it for as long as a directory of PATH
// hangs (a network file system), and a holder that is stopped loses its lock; the shell can be killed.
const SHELL = '/bin/sh';
const BECOME = 'exec "$0" "$@"';
/** What a shell exits with when it does not find the program, and when it may not run what it finds. */
const NOT_FOUND = 127;
const NOT_RUN = 126;

/** Collects what comes out of a pipe, up to the limit; what follows is read and thrown away, so that nobody blocks. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (length < MOST_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MOST_OUTPUT_BYTES - length));
    length += chunk.length;
  });
  // A broken pipe ends the output; the exit status tells the rest.
  stream?.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}

/** The commands that we run. */
export interface Commands {
  readonly run: RunCommand;
  /** Kills those that are still running, for whoever exits before they do. */
  readonly stopAll: () => void;
}

/** Makes what runs commands in the environment `env`, looked up in its PATH and then in the usual places. */
export function makeCommands(clock: Clock, env: Readonly<Record<string, string | undefined>>): Commands {
  const directories = searchPath(env['PATH']);
  const childEnv = { ...env, PATH: directories.join(':') };
  const running = new Set<ChildProcess>();

  const run: RunCommand = (command, args, limitMs) => {
    const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
    let child: ChildProcess;
    try {
      child = spawn(SHELL, ['-c', BECOME, command, ...args], {
        env: childEnv,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      return Promise.resolve({
        kind: 'failed',
        reason: error instanceof Error ? error.message : String(error),
      });
    }
    running.add(child);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);

    const finish = (outcome: CommandOutcome): void => {
      stopTimer();
      running.delete(child);
      // A grandchild may hold the pipes open; nobody reads them any more, and they must not keep us alive.
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
      finish({ kind: 'failed', reason: error.message });
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
