import { createInterface } from 'node:readline/promises';
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { writeText, type WriteFailure } from '../base/write-text.ts';
import type { Output } from './output.ts';

const STDIN = 0;

/** Undefined for a terminal that does not say how wide it is, such as a serial line. */
function columnsOf(fd: number): number | undefined {
  try {
    const { columns } = new WriteStream(fd);
    return columns > 0 ? columns : undefined;
  } catch {
    return undefined; // ioctl(2) failed
  }
}

/** An output on a descriptor. */
export function makeOutput(fd: number, env: Readonly<Record<string, string | undefined>>): Output {
  const isTerminal = isatty(fd);
  const noColor = env['NO_COLOR'];
  let failure: WriteFailure | undefined;
  return {
    write: (text) => {
      failure ??= writeText(fd, text);
    },
    get failure() {
      return failure;
    },
    isTerminal,
    columns: isTerminal ? columnsOf(fd) : undefined,
    hasColor: isTerminal && (noColor === undefined || noColor === '') && env['TERM'] !== 'dumb',
  };
}

/**
 * Asks a question on `output` and reads a line. Undefined when input or output is not a terminal, at the end of the
 * input, or when aborted.
 */
export async function askOnTerminal(
  question: string,
  output: Output,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!isatty(STDIN) || !output.isTerminal) return undefined;
  output.write(question);
  const input = new ReadStream(STDIN);
  const lines = createInterface({ input, terminal: false });
  try {
    const closed = new Promise<undefined>((resolve) => {
      lines.once('close', () => {
        resolve(undefined);
      });
    });
    return await Promise.race([lines.question('', { signal }), closed]);
  } catch {
    return undefined;
  } finally {
    lines.close();
    input.destroy();
  }
}
