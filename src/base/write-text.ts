import { writeSync } from 'node:fs';
import { systemReason } from './errors.ts';

/** Why a text was not written. */
export interface WriteFailure {
  /** True when the reader has closed its end of the pipe, as `head` does. It wants no more text, so nothing is said. */
  readonly isUnread: boolean;
  /** The line for standard error. */
  readonly line: string;
}

// Between two tries to write into a non-blocking pipe that is full, in milliseconds.
const FULL_PIPE_PAUSE_MS = 5;

/**
 * Writes all of a text to standard output or standard error. Waits for the reader when a non-blocking pipe is full.
 * Never throws.
 * @returns why the text, or its end, was not written; undefined when all of it was
 */
export function writeText(fd: number, text: string): WriteFailure | undefined {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const { code, reason } = systemReason(error);
      if (code === 'EAGAIN') {
        pause(FULL_PIPE_PAUSE_MS);
        continue;
      }
      return {
        isUnread: code === 'EPIPE',
        line: `Cannot write to standard output: ${reason}; check the file or device that it leads to`,
      };
    }
  }
  return undefined;
}

/** Stops this thread. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, ms);
}
