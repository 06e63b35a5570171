import { writeSync } from 'node:fs';
import { systemReason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

/** The standard output of a helper, for `makeAnswerPipe`. */
export class AnswerOutput {
  readonly #fd: number;
  readonly #log: Pick<Log, 'error'>;
  #isLost = false;

  constructor(fd: number, log: Pick<Log, 'error'>) {
    this.#fd = fd;
    this.#log = log;
  }

  /** True when an answer was not written, for another reason than that its reader is gone. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /**
   * Writes synchronously.
   * @throws {Error} when it cannot. A line of the log says so, unless the parent has closed its end (EPIPE) and wants no
   * answer any more.
   */
  write(answer: string): void {
    try {
      writeSync(this.#fd, answer);
    } catch (error) {
      const { code, reason } = systemReason(error);
      if (code !== 'EPIPE') {
        this.#isLost = true;
        this.#log.error(
          'take-answer',
          `Cannot answer on standard output: ${reason}; let CTDB run this program`,
        );
      }
      throw error;
    }
  }
}
