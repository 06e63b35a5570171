import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { COMPANION_SCRIPT, type Companion } from '../lock/watchdog.ts';
import type { ProcessIdentity } from '../lock/local-host.ts';

const BASH = '/bin/bash';

// What `ps` shows in place of bash's own name.
const TITLE = 'ctdb_etcd_lock-watchdog';

/**
 * Starts bash as the companion of process `us`. It gets a pipe for its input, one to be woken by, whose
 * end tells of ours, and nothing else: no stdout, which would hide our end from CTDB, and an environment in which no BASH_ENV can make it
 * run anything else.
 *
 * @param onEnd called once, when it has ended or could not be started.
 * @throws {Error} where Node does not keep a failure to fork for `onEnd` (ENOMEM, EPERM)
 */
export function spawnCompanion(us: ProcessIdentity, onEnd: (reason: string) => void): Companion {
  const args = [
    '--noprofile',
    '--norc',
    '-c',
    'eval "$SCRIPT"',
    TITLE,
    String(us.pid),
    String(us.startTicks),
  ];
  // Typed like this because it has no pipes when there was no descriptor left for one (EMFILE, ENFILE).
  const child: ChildProcess = spawn(BASH, args, {
    argv0: TITLE,
    cwd: '/',
    env: { SCRIPT: COMPANION_SCRIPT }, // not an argument: `ps` shows those
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
    end: () => {
      child.stdin?.destroy();
      lifeline?.destroy();
    },
  };
}
