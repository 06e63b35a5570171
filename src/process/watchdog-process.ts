import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { WATCHDOG_SCRIPT, type WatchdogProcess } from '../lock/watchdog.ts';
import type { ProcessIdentity } from '../lock/local-host.ts';

const BASH = '/bin/bash';

// What `ps` shows in place of bash's own name.
const TITLE = 'ctdb_etcd_lock-watchdog';

/**
 * Starts bash as the watchdog of the process `us`. It gets a pipe for its input, and another one by which it is woken and
 * which ends with the helper. It gets nothing else: no stdout, which would hide the helper's end from CTDB, and an environment in
 * which no BASH_ENV makes it run anything else.
 *
 * @param hasProc false where /proc belongs to another pid namespace: then nothing there is looked at
 * @param onEnd called once, when it has ended or could not be started.
 * @throws {Error} where Node does not keep a failure to fork for `onEnd` (ENOMEM, EPERM)
 */
export function spawnWatchdogProcess(
  us: ProcessIdentity,
  hasProc: boolean,
  onEnd: (reason: string) => void,
): WatchdogProcess {
  const args = [
    '--noprofile',
    '--norc',
    '-c',
    'eval "$SCRIPT"',
    TITLE,
    String(us.pid),
    hasProc ? String(us.startTicks) : '',
  ];
  // Typed like this because it has no pipes when there was no descriptor left for one (EMFILE, ENFILE).
  const child: ChildProcess = spawn(BASH, args, {
    argv0: TITLE,
    cwd: '/',
    env: { SCRIPT: WATCHDOG_SCRIPT }, // not an argument: `ps` shows those
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  child.on('error', (error) => {
    onEnd(error.message);
  });
  child.on('exit', (code, signal) => {
    onEnd(signal === null ? `it ended with status ${String(code)}` : `it was ended by ${signal}`);
  });
  // A broken pipe is told by its end.
  child.stdin?.on('error', () => undefined);
  // A socket, typed as for reading alone; and like `stdin`.
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

/** State T (stopped by a signal) in /proc/PID/stat, proc(5). Under strace a process shows t for an instant with each call. */
function isStopped(pid: number): boolean {
  try {
    return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
