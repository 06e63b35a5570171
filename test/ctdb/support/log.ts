import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { waitFor } from '../../support/wait.ts';
import type { WaitOptions } from '../../support/wait.ts';

/** One line of CTDB's log. */
export interface LogLine {
  /** Unix time in milliseconds, with microseconds as fraction. */
  readonly atMs: number;
  /** `ctdbd`, `ctdb-recoverd`, `ctdb-recovery`… */
  readonly program: string;
  readonly text: string;
}

// Milliseconds are all that Date knows of a fraction, so that is taken apart.
const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)(\S+) \S+ ([^[ ]+)\[\d+\]: ?(.*)$/;

function parse(line: string): LogLine | undefined {
  const [, second = '', fraction = '', zone = '', program = '', text = ''] = LINE.exec(line) ?? [];
  if (second === '') return undefined; // a text of several lines has only one time
  return { atMs: Date.parse(second + zone) + Number(fraction) * 1000, program, text };
}

/** CTDB's log file of one node, read as it grows. */
export class CtdbLog {
  readonly file: string;
  readonly #lines: LogLine[] = [];
  #offset = 0;
  #rest = '';

  constructor(file: string) {
    this.file = file;
  }

  /** All lines until now. */
  get lines(): readonly LogLine[] {
    this.#read();
    return this.#lines;
  }

  /** A place in the log: what comes after it is new. */
  get end(): number {
    return this.lines.length;
  }

  /** The lines from place `from` on that match. */
  grep(pattern: RegExp, from = 0): LogLine[] {
    return this.lines.slice(from).filter(({ text }) => pattern.test(text));
  }

  /** Resolves to the first line from place `from` on that matches. */
  awaitLine(pattern: RegExp, from: number, options: WaitOptions = {}): Promise<LogLine> {
    return waitFor(`${this.file} has a line ${String(pattern)}`, () => this.grep(pattern, from)[0], {
      withinMs: 60_000,
      everyMs: 50,
      ...options,
    });
  }

  #read(): void {
    if (!existsSync(this.file)) return;
    const file = openSync(this.file, 'r');
    try {
      const size = fstatSync(file).size;
      if (size === this.#offset) return;
      const chunk = Buffer.alloc(size - this.#offset);
      this.#offset += readSync(file, chunk, 0, chunk.length, this.#offset);
      const lines = (this.#rest + chunk.toString('utf8')).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const parsed = parse(line);
        if (parsed !== undefined) this.#lines.push(parsed);
      }
    } finally {
      closeSync(file);
    }
  }
}
