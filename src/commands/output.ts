import { escapeUnseen } from '../base/character.ts';
import type { WriteFailure } from '../base/write-text.ts';

/** Where a command writes its text: a terminal, or a buffer in tests. */
export interface Output {
  /** Never throws. After a failure, all further text is dropped. */
  write(text: string): void;
  /** Why text was not written; undefined while all of it was. */
  readonly failure?: WriteFailure | undefined;
  readonly isTerminal: boolean;
  /** True on a terminal, unless NO_COLOR (no-color.org) is set or TERM is `dumb`. */
  readonly hasColor: boolean;
  /** Characters in a line of the terminal; undefined where that is not known, and where the output is not a terminal. */
  readonly columns?: number | undefined;
}

const CODES = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;
export type Style = keyof typeof CODES;

/** `text` in a color or weight, if the output shows it. */
export function paint(output: Pick<Output, 'hasColor'>, style: Style, text: string): string {
  return output.hasColor ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
}

/**
 * Escapes text that comes from etcd, so that it cannot move the cursor or change colors on the administrator's
 * terminal.
 */
export const printable = escapeUnseen;

/**
 * Lines of cells. Each column is as wide as its widest cell, two spaces separate columns, and no line ends with a
 * space.
 */
export function formatColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** One line for each label and value, with the values below each other. */
export function formatFields(fields: readonly (readonly [label: string, value: string])[]): string {
  return formatColumns(fields)
    .map((line) => `${line}\n`)
    .join('');
}

/** Puts words, with a space between two of them, into lines of at most `width` characters. A longer word has a line of its own. */
export function fillLines(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** A duration in its two largest units: `1 h 5 min`, `3 min 20 s`, `12 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
