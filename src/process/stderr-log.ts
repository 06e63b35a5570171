import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Log, Text, Verbosity } from '../base/log.ts';

// CTDB reads stderr line by line through a buffer of 1,024 bytes and takes whole lines under 1,000 bytes.
const LONGEST_LINE_BYTES = 998;

// Enough for the messages of all members. The limit bounds the memory.
const MOST_ATTEMPTS = 64;

const ELLIPSIS = Buffer.from('...');

/**
 * One printable line of at most LONGEST_LINE_BYTES bytes. The text is cut where needed, and the line always ends with
 * `[id]` and a line feed.
 */
export function formatLine(id: string, text: string): Buffer {
  // eslint-disable-next-line no-control-regex -- control characters are what must not reach the log
  const printable = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  const whole = Buffer.from(printable);
  const end = Buffer.from(` [${id}]\n`);
  const room = LONGEST_LINE_BYTES + 1 - end.length;
  if (whole.length <= room) return Buffer.concat([whole, end]);
  let cut = room - ELLIPSIS.length;
  while (cut > 0 && ((whole[cut] ?? 0) & 0xc0) === 0x80) cut -= 1; // do not cut a character in two
  return Buffer.concat([whole.subarray(0, cut), ELLIPSIS, end]);
}

/** A descriptor for stderr whose writes never block. The inherited descriptor shares its flags with other processes. */
export function openStderr(): number {
  try {
    // O_NONBLOCK has no effect on a file. A file that is opened again has its own position, so other writers would
    // overwrite the helper's lines.
    if (fstatSync(2).isFile()) return 2;
    // A pipe that is opened again through /proc has its own flags.
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return 2; // a socket, which cannot be opened anew, or closed
  }
}

/** The failed attempts of an acquire: each distinct line, and how often it came. */
class Attempts {
  readonly #counts = new Map<string, { readonly id: string; readonly text: string; count: number }>();

  /** Returns false when there is no room for another line. */
  add(id: string, text: string): boolean {
    const known = this.#counts.get(text);
    if (known !== undefined) known.count += 1;
    else if (this.#counts.size < MOST_ATTEMPTS) this.#counts.set(text, { id, text, count: 1 });
    else return false;
    return true;
  }

  /** Passes each line to `write`, in the order in which the lines first came. */
  tell(write: (id: string, text: string) => void): void {
    for (const { id, text, count } of this.#counts.values())
      write(id, count === 1 ? text : `${text} (${count} times)`);
    this.#counts.clear();
  }
}

/**
 * Writes each event as one line, with one write. When the pipe is full, the line is dropped and counted. The count is
 * written before the next line that has room.
 */
export function makeStderrLog(verbosity: Verbosity, fd: number): Log {
  let dropped = 0;
  const write = (id: string, text: string): void => {
    try {
      if (dropped > 0) {
        writeSync(fd, formatLine('warn-dropped', `(${dropped} lines dropped: the log was not read)`));
        dropped = 0;
      }
      writeSync(fd, formatLine(id, text));
    } catch {
      dropped += 1;
    }
  };
  const at = (level: Verbosity) =>
    verbosity >= level
      ? (id: string, message: Text): void => {
          write(id, typeof message === 'string' ? message : message());
        }
      : (): void => undefined;
  const [error, info, detail, trace] = [at(0), at(1), at(2), at(3)];
  // Attempts are counted only while the lock is being taken. A line of `error` or `info` ends that.
  let attempts = verbosity >= 2 ? new Attempts() : undefined;
  const ended = (): void => {
    attempts?.tell(write);
    attempts = undefined;
  };
  return {
    error: (id, message) => {
      ended();
      error(id, message);
    },
    warning: (id, message) => {
      write(id, `Warning: ${message}`);
    },
    info: (id, message) => {
      ended();
      info(id, message);
    },
    detail,
    attempt: (id, message) => {
      if (attempts?.add(id, message) !== true) detail(id, message);
    },
    trace,
  };
}
