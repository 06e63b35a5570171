import { accessSync, constants, openSync } from 'node:fs';

// resolv.conf(5): how long one name server is waited for, and how often all of them are asked. The system's own 5 s are
// more than all the time there is for an answer, so that one dead name server before a good one would be an error.
const RESOLVER_OPTIONS = 'timeout:1 attempts:2';

const SHELL = '/bin/sh';

/** Makes the system's resolver give up in time; the C library reads this at each look-up. */
export function boundLookUps(env: NodeJS.ProcessEnv): void {
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
 * Ends the process at once. `exit` waits for the threads of the runtime, and a look-up that DNS does not answer keeps one of
 * them for as long as all name servers take to be given up, which can be longer than we may linger. Becoming another
 * program waits for nobody.
 */
export function endProcess(self: NodeJS.Process, status: number): never {
  if (
    self.execve !== undefined &&
    self.getActiveResourcesInfo().includes('GetAddrInfoReqWrap') &&
    mayExecute(SHELL)
  ) {
    self.emit('exit', status);
    try {
      // Stdout is closed by now, and a program starts with three descriptors or not at all.
      while (openSync('/dev/null', constants.O_RDWR) <= 2);
      self.execve(SHELL, [SHELL, '-c', `exit ${status}`], {});
    } catch {
      // The long way, then.
    }
  }
  self.exit(status);
}
