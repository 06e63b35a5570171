/** The answers that CTDB reads from the helper's stdout (samba, ctdb/server/ctdb_cluster_mutex.c). */
export const ANSWER = { held: '0', contended: '1', timeout: '2', error: '3' } as const;

export type AnswerByte = (typeof ANSWER)[keyof typeof ANSWER];

/** The helper's stdout. It carries one byte at most. End of file after a `0` tells CTDB that the lock is lost. */
export interface AnswerPipe {
  /**
   * Writes the byte synchronously. Returns false when a byte was written before, or when it cannot be written: the pipe
   * has no reader any more.
   */
  answer(byte: AnswerByte): boolean;
  readonly answered: boolean;
  readonly closed: boolean;
  /** Closes stdout. CTDB reads end of file, which ends the claim that a `0` began. Never throws. */
  close(): void;
}

/** @param write writes all of its argument synchronously, or throws */
export function makeAnswerPipe(write: (text: string) => void, close: () => void): AnswerPipe {
  let answered = false;
  let closed = false;
  return {
    get answered() {
      return answered;
    },
    get closed() {
      return closed;
    },
    answer(byte) {
      if (answered || closed) return false;
      answered = true;
      try {
        write(byte);
        return true;
      } catch {
        return false; // EPIPE: the parent is gone
      }
    },
    close() {
      if (closed) return;
      closed = true;
      try {
        close();
      } catch {
        // Ignored: stdout was already closed when this process started.
      }
    },
  };
}
