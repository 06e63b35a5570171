import { accessSync, constants, openSync } from 'node:fs';
import { describeFault } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { ANSWER, type AnswerPipe } from '../lock/answer-pipe.ts';

const SHELL = '/bin/sh';

// The activities that keep a thread busy: a look-up, a stat of a file.
const BUSY_THREADS = ['GetAddrInfoReqWrap', 'FSReqCallback'];

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

/**
 * Ends the process with `status` when an error was caught nowhere. Stdout is closed before the exit, because a holder
 * would go on claiming the lock while the exit waits for a thread.
 */
export function endAtFaults(
  self: NodeJS.Process,
  log: Pick<Log, 'error'>,
  answerPipe: AnswerPipe,
  status: number,
): void {
  const onFault = (error: unknown): void => {
    log.error('internal', `Internal error, please report it: ${describeFault(error)}`);
    answerPipe.answer(ANSWER.error);
    answerPipe.close();
    endProcess(self, status);
  };
  self.on('uncaughtException', onFault);
  self.on('unhandledRejection', onFault);
}
