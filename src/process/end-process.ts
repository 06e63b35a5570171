import { accessSync, constants, openSync, readFileSync } from 'node:fs';

// resolv.conf(5): seconds that one name server is waited for, and how often all of them are asked. The default of 5 s
// is longer than the whole time for an answer. One dead name server before a good one would then be an error.
const RESOLVER_OPTIONS = 'timeout:1 attempts:2';

// The number of libuv's threads. libuv uses half of its threads for look-ups, which is two of the default four. Two
// names with silent name servers would then block all other look-ups. A name needs up to three threads
// (connect/look-up.ts), so fifteen serve five silent names. Thirty threads take 0.2 MB more than four (Private_Dirty,
// Node 24.21).
const POOL_THREADS = '30';

// A thread reserves 8 MB of address space. When address space is limited, the runtime may fail to start a thread, and
// then aborts.
const HAS_FREE_ADDRESS_SPACE = /^Max address space +unlimited/m;

const SHELL = '/bin/sh';

// The activities that keep a thread busy: a look-up, a stat of a file.
const BUSY_THREADS = ['GetAddrInfoReqWrap', 'FSReqCallback'];

function mayHaveThreads(): boolean {
  try {
    return HAS_FREE_ADDRESS_SPACE.test(readFileSync('/proc/self/limits', 'latin1'));
  } catch {
    return false;
  }
}

/**
 * Gives the runtime enough threads for look-ups that are slow and files that hang. Must be called before its first
 * thread starts. Has no effect where address space is limited.
 */
export function allowManyThreads(env: NodeJS.ProcessEnv): void {
  if (mayHaveThreads()) env['UV_THREADPOOL_SIZE'] = POOL_THREADS;
}

/**
 * Makes the system's resolver give up in time, and keeps the look-ups of several names independent of each other. The C
 * library reads its variable at each look-up. The runtime starts its threads at the first look-up, so this must be
 * called before it.
 * @param hasNames false when no name is looked up; more threads are then not needed
 */
export function boundLookUps(env: NodeJS.ProcessEnv, hasNames: boolean): void {
  if (hasNames) allowManyThreads(env);
  const set = env['RES_OPTIONS'];
  env['RES_OPTIONS'] = set === undefined ? RESOLVER_OPTIONS : `${set} ${RESOLVER_OPTIONS}`;
}

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends the process at once. `exit` waits for the runtime's threads. A look-up that DNS does not answer keeps a thread
 * busy until all name servers have been tried, and a file system that hangs keeps one until it answers. Both can take
 * longer than the helper may take to end. Executing another program instead waits for no thread.
 */
export function endProcess(self: NodeJS.Process, status: number): never {
  if (
    self.execve !== undefined &&
    self.getActiveResourcesInfo().some((resource) => BUSY_THREADS.includes(resource)) &&
    mayExecute(SHELL)
  ) {
    self.emit('exit', status);
    try {
      // Stdout is closed by now. The new program needs three open descriptors.
      while (openSync('/dev/null', constants.O_RDWR) <= 2);
      self.execve(SHELL, [SHELL, '-c', `exit ${status}`], {});
    } catch {
      // Ignored: the process then ends in the slow way.
    }
  }
  self.exit(status);
}
