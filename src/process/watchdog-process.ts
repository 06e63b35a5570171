import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { startFailure } from './start-failure.ts';
import type { WatchdogProcess } from '../lock/watchdog.ts';
import { WATCHDOG_SCRIPT } from '../lock/watchdog-script.ts';
import type { ProcessIdentity } from '../lock/local-host.ts';

/** The shell of the watchdog. */
export const BASH = '/bin/bash';

// The name in `ps`, instead of bash's own.
const TITLE = 'ctdb_etcd_lock-watchdog';

/**
 * Starts bash as the watchdog of the process `us`. It gets a pipe as standard input, and a second pipe that wakes it
 * and that ends with the helper. It does not get stdout, which would hide the end of the helper from CTDB, and its
 * environment contains no BASH_ENV that could make it run other code. It has a process group of its own, so that a signal
 * to the group of the helper, such as Ctrl-Z, does not stop both.
 * @param hasProc false when /proc belongs to another pid namespace; the watchdog then reads nothing there
 * @param line the first line of its input; undefined when it is written later
 * @param onEnd called once, when the process has ended or could not be started; `hasRun` says which
 * @throws {Error} when Node throws a failed fork instead of passing it to `onEnd` (ENOMEM, EPERM)
 */
export function spawnWatchdogProcess(
  us: ProcessIdentity,
  hasProc: boolean,
  line: string | undefined,
  onEnd: (reason: string, hasRun: boolean) => void,
): WatchdogProcess {
  const args = [
    '--noprofile',
    '--norc',
    '-c',
    'eval "$SCRIPT"',
    TITLE,
    String(us.pid),
    hasProc ? String(us.startTicks) : '',
    line ?? '',
  ];
  // The type says that the pipes may be missing: there are none when no descriptor was left (EMFILE, ENFILE).
  const child: ChildProcess = spawn(BASH, args, {
    argv0: TITLE,
    cwd: '/',
    detached: true,
    env: { SCRIPT: WATCHDOG_SCRIPT }, // not an argument: `ps` shows those
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  child.on('error', (error) => {
    onEnd(startFailure(error), false);
  });
  child.on('exit', (code, signal) => {
    onEnd(signal === null ? `it ended with status ${String(code)}` : `it was ended by ${signal}`, true);
  });
  // Ignored: a broken pipe is followed by the end of the process.
  child.stdin?.on('error', () => undefined);
  // Node's type says that this end is for reading only. It is a socket, used like `stdin`.
  const lifeline = (child.stdio as ChildProcess['stdio'] | undefined)?.[3] as Socket | undefined;
  lifeline?.on('error', () => undefined);
  return {
    write: (line) => {
      child.stdin?.write(line);
    },
    wake: () => {
      lifeline?.write('\n');
    },
    isStopped: () => hasProc && child.pid !== undefined && isStopped(child.pid),
    end: () => {
      child.stdin?.destroy();
      lifeline?.destroy();
    },
  };
}

/**
 * True in state T (stopped by a signal) of /proc/PID/stat, proc(5). Under strace a process is in state t for a moment
 * with each call.
 */
function isStopped(pid: number): boolean {
  try {
    return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
