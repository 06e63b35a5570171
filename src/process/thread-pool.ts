import { readFileSync } from 'node:fs';
import { taskRoom } from './task-room.ts';

// resolv.conf(5): seconds that one name server is waited for, and how often all of them are asked. The default of 5 s
// is longer than the whole time for an answer. One dead name server before a good one would then be an error.
const RESOLVER_OPTIONS = 'timeout:1 attempts:2';

// A name needs up to three threads at once (connect/look-up.ts). With silent name servers each of them is busy for
// seconds, and the other names must not wait for them. libuv uses half of its threads for look-ups, rounded up.
const THREADS_OF_A_NAME = 3;

// libuv's default of four is too few for a silent name (two look-ups at a time) beside files that hang: three
// of TLS, and one of the login.
const FEWEST_THREADS = 8;

// Fifteen look-ups serve five silent names.
const MOST_THREADS = 30;

// Tasks that stay free when the cgroup has a limit: the watchdog, a command that is run, and the next helper, which
// CTDB starts beside the holder. One helper without threads of its own has three.
const SPARE_TASKS = 8;

// The limit of processes (`ulimit -u`) is not looked at. It does not apply to root (fork(2)), as which CTDB runs. In a user
// namespace it counts all processes of the user, of which this process sees only those in its pid namespace.

// A thread reserves 8 MB of address space. When address space is limited, the runtime may fail to start a thread, and
// then aborts.
const HAS_FREE_ADDRESS_SPACE = /^Max address space +unlimited/m;

function mayHaveThreads(): boolean {
  try {
    return HAS_FREE_ADDRESS_SPACE.test(readFileSync('/proc/self/limits', 'latin1'));
  } catch {
    return false;
  }
}

/**
 * The number of libuv's threads. They are all started at the first look-up, and the runtime aborts when one of them
 * cannot be started.
 * @param names how many host names may be looked up
 * @param room how many more tasks the cgroup allows; see `taskRoom`
 */
export function poolSizeFor(names: number, room: number): number {
  const wanted = Math.min(Math.max(2 * THREADS_OF_A_NAME * names - 1, FEWEST_THREADS), MOST_THREADS);
  return Math.max(1, Math.min(wanted, room - SPARE_TASKS));
}

/**
 * Gives the runtime enough threads for look-ups that are slow and files that hang. Must be called before its first
 * thread starts; later it has no effect. Where address space is limited, the runtime keeps its own number.
 * @param names how many host names may be looked up; Infinity when that is not known yet
 */
export function sizeThreadPool(env: NodeJS.ProcessEnv, names: number): void {
  if (mayHaveThreads()) env['UV_THREADPOOL_SIZE'] = String(poolSizeFor(names, taskRoom()));
}

/**
 * Makes the system's resolver give up in time, and keeps the look-ups of several names independent of each other. The C
 * library reads its variable at each look-up. The runtime starts its threads at the first look-up, so this must be
 * called before it.
 * @param names see `sizeThreadPool`; 0 when no name is looked up, so that no threads are needed for it
 */
export function boundLookUps(env: NodeJS.ProcessEnv, names: number): void {
  if (names > 0) sizeThreadPool(env, names);
  const set = env['RES_OPTIONS'];
  env['RES_OPTIONS'] = set === undefined ? RESOLVER_OPTIONS : `${set} ${RESOLVER_OPTIONS}`;
}
