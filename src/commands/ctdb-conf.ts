import { isIP } from 'node:net';
import { CTDB_OPTIONS, type OptionType } from './ctdb-options.ts';

/** A line of ctdb.conf, and what is wrong with it. */
export interface Place {
  /** Counted from 1. For a continued line, the number of its first line. */
  readonly line: number;
  /** A clause that follows the number of the line. */
  readonly problem: string;
}

/** What CTDB reads from its configuration file. */
export interface CtdbConf {
  /** The values by `section/option`, exactly as CTDB reads them. An option that is missing has its default. */
  readonly values: ReadonlyMap<string, string>;
  /** CTDB does not start because of this line; undefined when it starts. */
  readonly refused: Place | undefined;
  /** CTDB stops reading at this line and starts as if the whole file were empty; undefined when it reads to the end. */
  readonly dropped: Place | undefined;
  /** Lines that CTDB ignores without a message, and that are probably mistakes. */
  readonly ignored: readonly Place[];
}

const LARGEST_INT = 2 ** 31 - 1;

/** C's `isspace` in the locale of CTDB. */
const isSpace = (character: string | undefined): boolean =>
  character !== undefined && ' \t\n\v\f\r'.includes(character);

interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * The lines as samba's `lib/util/tini.c` reads them. Comments (`#` or `;` in front) and blank lines are skipped. White
 * space in front is removed, and a run of white space becomes its first character. A backslash at the end continues a
 * line.
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
    // In CTDB, the line is a C string, which ends at the first zero byte.
    const [whole = ''] = line.split('\0', 1);
    if (whole !== '') yield { number: first, text: whole };
  }
}

/** Removes one character of white space at each end. */
function trimOne(text: string): string {
  const start = isSpace(text[0]) ? 1 : 0;
  return text.slice(start, text.length > start && isSpace(text.at(-1)) ? -1 : undefined);
}

/** C's `strtol` with base 0: text after the digits is ignored. */
export function integerOf(text: string): number {
  const [, sign = '', hex, octal, decimal] =
    /^[ \t\n\v\f\r]*([+-]?)(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))/i.exec(text) ?? [];
  const size =
    hex !== undefined ? parseInt(hex, 16) : octal !== undefined ? parseInt(octal, 8) : Number(decimal ?? 0);
  return sign === '-' ? -size : size;
}

/** Why CTDB refuses the value, as a clause; undefined when CTDB takes it. */
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
 * Reads ctdb.conf as CTDB does: samba's `ctdb/common/conf.c` and `lib/util/tini.c`, with the settings that ctdbd
 * ignores. Pure, never throws. It does not check that files named by the values exist.
 */
export function parseCtdbConf(bytes: Uint8Array): CtdbConf {
  const values = new Map<string, string>();
  const ignored: Place[] = [];
  let refused: Place | undefined;
  let section: string | undefined;
  // Latin-1 gives one character for each byte, as in C. The values are decoded at the end.
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
