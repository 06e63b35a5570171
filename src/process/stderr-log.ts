import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Log, Text, Verbosity } from '../base/log.ts';

// CTDB reads stderr line by line through a buffer of 1,024 bytes (ctdb-facts: whole lines, under 1,000 bytes).
const LONGEST_LINE_BYTES = 998;

// Enough for every member and what each can say; more would only take memory.
const MOST_ATTEMPTS = 64;

const ELLIPSIS = Buffer.from('...');

/** One printable line of at most LONGEST_LINE_BYTES bytes, with `[id]` at its end whatever is cut, and a line feed. */
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

/** The failed attempts of a take, each distinct line with how often it came. */
class Attempts {
  readonly #counts = new Map<string, { readonly id: string; readonly text: string; count: number }>();

  /** False when there is no room for another line. */
  add(id: string, text: string): boolean {
    const known = this.#counts.get(text);
    if (known !== undefined) known.count += 1;
    else if (this.#counts.size < MOST_ATTEMPTS) this.#counts.set(text, { id, text, count: 1 });
    else return false;
    return true;
  }

  /** Hands each line to `write`, in the order of their first coming. */
  tell(write: (id: string, text: string) => void): void {
    for (const { id, text, count } of this.#counts.values())
      write(id, count === 1 ? text : `${text} (${count} times)`);
    this.#counts.clear();
  }
}

/**
 * Writes each event as one line in one write. When the pipe is full the line is dropped and counted, and the count stands
 * before the next line that finds room.
 */
export function makeStderrLog(verbosity: Verbosity, fd: number): Log {
  let dropped = 0;
  const write = (id: string, text: string): void => {
    try {
      if (dropped > 0) {
        writeSync(fd, formatLine('warn-dropped', `(${dropped} lines dropped: nobody read them)`));
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
  // Only while the lock is being taken: an error or an `info` says how that ended.
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
