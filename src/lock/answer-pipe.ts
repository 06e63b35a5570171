/** What CTDB reads from our stdout (samba, ctdb/server/ctdb_cluster_mutex.c). */
export const ANSWER = { held: '0', contended: '1', timeout: '2', error: '3' } as const;

export type StatusByte = (typeof ANSWER)[keyof typeof ANSWER];

/** Our stdout: one byte, at most once. End of file on it tells CTDB that a lock that was held is lost. */
export interface AnswerPipe {
  /** Writes the byte synchronously. Returns false when one was written before, or when nobody can read it any more. */
  answer(byte: StatusByte): boolean;
  readonly answered: boolean;
  readonly closed: boolean;
  /** Ends the claim that a `0` made: CTDB reads end of file from here on. Never throws. */
  close(): void;
}

/** @param write writes all of its argument synchronously, or throws. */
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
        // It was closed before we were started.
      }
    },
  };
}
