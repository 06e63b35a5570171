import { isIP } from 'node:net';
import { CTDB_OPTIONS, type OptionType } from './ctdb-options.ts';

/** A place in ctdb.conf and what is the matter there. */
export interface Place {
  /** Counted from 1; where a line is continued, the first of its lines. */
  readonly line: number;
  /** A clause that follows the line's number. */
  readonly problem: string;
}

/** What CTDB makes of its configuration file. */
export interface CtdbConf {
  /** Values by `section/option`, to the letter as CTDB takes them; what is not there has its default. */
  readonly values: ReadonlyMap<string, string>;
  /** CTDB does not start with this file; undefined when it does. */
  readonly refused: Place | undefined;
  /** CTDB stops to read here, and starts as if the whole file were empty; undefined when it reads to the end. */
  readonly dropped: Place | undefined;
  /** What CTDB passes over in silence, and nobody means to write. */
  readonly ignored: readonly Place[];
}

const LARGEST_INT = 2 ** 31 - 1;

/** C's `isspace` in the locale that CTDB runs in. */
const isSpace = (character: string | undefined): boolean =>
  character !== undefined && ' \t\n\v\f\r'.includes(character);

interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * Lines as samba's `lib/util/tini.c` reads them: comments (`#` or `;` in front) and blank lines are left out, white space in
 * front is dropped and runs of it become their first character, a backslash at the end continues a line.
 */
function* linesOf(text: string): Generator<Line> {
  let at = 0;
  let number = 1;
  for (;;) {
    while (at < text.length && isSpace(text[at])) {
      if (text[at] === '\n') number += 1;
      at += 1;
    }
    if (at >= text.length) return;
    if (text[at] === '#' || text[at] === ';') {
      const end = text.indexOf('\n', at);
      if (end < 0) return;
      at = end;
      continue;
    }
    const first = number;
    let line = '';
    for (; at < text.length; at += 1) {
      const character = text[at] ?? '';
      if (character === '\n') {
        number += 1;
        const isContinued = line.endsWith('\\') || (line.at(-2) === '\\' && isSpace(line.at(-1)));
        if (!isContinued) {
          at += 1;
          break;
        }
        line = line.slice(0, line.endsWith('\\') ? -1 : -2);
      } else if (!isSpace(character) || !isSpace(line.at(-1))) line += character;
    }
    // It is a string of C from here on.
    const [whole = ''] = line.split('\0', 1);
    if (whole !== '') yield { number: first, text: whole };
  }
}

/** Drops one character of white space at each end. */
function trimOne(text: string): string {
  const start = isSpace(text[0]) ? 1 : 0;
  return text.slice(start, text.length > start && isSpace(text.at(-1)) ? -1 : undefined);
}

/** C's `strtol` with base 0: what follows the digits is passed over. */
export function integerOf(text: string): number {
  const [, sign = '', hex, octal, decimal] =
    /^[ \t\n\v\f\r]*([+-]?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))/i.exec(text) ?? [];
  const size =
    hex !== undefined ? parseInt(hex, 16) : octal !== undefined ? parseInt(octal, 8) : Number(decimal ?? 0);
  return sign === '-' ? -size : size;
}

/** Why CTDB refuses that value, as a clause; undefined when it takes it. */
function refusalOf(section: string, option: string, type: OptionType, value: string): string | undefined {
  const refused = `CTDB refuses ${option} = ${value}`;
  if (value === '') return `CTDB refuses ${option} without a value`;
  if (type === 'flag') return /^(true|yes|false|no)$/i.test(value) ? undefined : refused;
  if (type === 'number') {
    const size = integerOf(value);
    return size > 0 && size <= LARGEST_INT ? undefined : refused;
  }
  if (section !== 'cluster') return undefined;
  if (option === 'transport') return value === 'tcp' ? undefined : refused;
  if (option === 'node address') return isIP(value) === 0 ? refused : undefined;
  return undefined;
}

/**
 * Reads ctdb.conf as CTDB does: samba's `ctdb/common/conf.c` upon `lib/util/tini.c`, with what ctdbd is told to pass over.
 * Pure, never throws. Not looked at: whether files and directories that the values name are there.
 */
export function parseCtdbConf(bytes: Uint8Array): CtdbConf {
  const values = new Map<string, string>();
  const ignored: Place[] = [];
  let refused: Place | undefined;
  let section: string | undefined;
  // One character for each byte, as C has it; a value becomes text again at the end.
  for (const { number: line, text } of linesOf(Buffer.from(bytes).toString('latin1'))) {
    const shown = (part: string): string => Buffer.from(part, 'latin1').toString();
    const drop = (problem: string): CtdbConf => ({
      values: new Map(),
      refused,
      dropped: refused === undefined ? { line, problem } : undefined,
      ignored,
    });
    if (text.startsWith('[')) {
      const end = text.indexOf(']');
      if (end < 0) return drop('a section without its "]"');
      const name = text.slice(1, end);
      section = Object.hasOwn(CTDB_OPTIONS, name.toLowerCase()) ? name.toLowerCase() : undefined;
      if (section === undefined) ignored.push({ line, problem: `there is no section [${shown(name)}]` });
      continue;
    }
    const equals = text.indexOf('=');
    if (equals < 0) {
      ignored.push({ line, problem: `no "=" in "${shown(text)}"` });
      continue;
    }
    const option = trimOne(text.slice(0, equals));
    if (equals === 0) return drop('nothing before the "="');
    const value = trimOne(text.slice(equals + 1));
    const type = section === undefined ? undefined : CTDB_OPTIONS[section]?.[option];
    if (section === undefined || type === undefined || !Object.hasOwn(CTDB_OPTIONS[section] ?? {}, option)) {
      const where =
        section === undefined ? 'outside of any section of CTDB' : `not an option of [${section}]`;
      ignored.push({ line, problem: `${shown(option)} is ${where}` });
      continue;
    }
    const problem = refusalOf(section, option, type, shown(value));
    if (problem === undefined) values.set(`${section}/${option}`, shown(value));
    else refused ??= { line, problem };
  }
  return { values: refused === undefined ? values : new Map(), refused, dropped: undefined, ignored };
}
