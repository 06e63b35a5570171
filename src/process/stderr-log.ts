import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Log, Verbosity } from '../base/log.ts';

// CTDB reads stderr line by line through a buffer of 1,024 bytes (ctdb-facts: whole lines, under 1,000 bytes).
const LONGEST_LINE_BYTES = 998;

/** One printable line of at most LONGEST_LINE_BYTES bytes and a line feed. */
export function formatLine(text: string): Buffer {
  // eslint-disable-next-line no-control-regex -- control characters are what must not reach the log
  const printable = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  const whole = Buffer.from(printable);
  if (whole.length <= LONGEST_LINE_BYTES) return Buffer.concat([whole, Buffer.from('\n')]);
  let end = LONGEST_LINE_BYTES - 3;
  while (end > 0 && ((whole[end] ?? 0) & 0xc0) === 0x80) end -= 1; // do not cut a character in two
  return Buffer.concat([whole.subarray(0, end), Buffer.from('...\n')]);
}

/** A descriptor for our stderr whose writes never block; the descriptor that we inherited shares its flags with others. */
export function openStderr(): number {
  try {
    // O_NONBLOCK means nothing to a file, and one that is opened anew has a position of its own: what others write to the same
    // file would come to stand over our lines.
    if (fstatSync(2).isFile()) return 2;
    // Opening a pipe anew through /proc gives it flags of its own.
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return 2; // a socket, which cannot be opened anew, or closed
  }
}

/**
 * Writes each event as one line in one write. When the pipe is full the line is dropped and counted, and the count stands
 * before the next line that finds room.
 */
export function makeStderrLog(verbosity: Verbosity, fd: number): Log {
  let dropped = 0;
  const write = (text: string): void => {
    try {
      if (dropped > 0) {
        writeSync(fd, formatLine(`(${dropped} lines dropped: nobody read them)`));
        dropped = 0;
      }
      writeSync(fd, formatLine(text));
    } catch {
      dropped += 1;
    }
  };
  const at = (level: Verbosity) =>
    verbosity >= level
      ? (message: string | (() => string)): void => {
          write(typeof message === 'string' ? message : message());
        }
      : (): void => undefined;
  return {
    error: at(0),
    warning: (message) => {
      write(`Warning: ${message}`);
    },
    info: at(1),
    detail: at(2),
    trace: at(3),
  };
}
