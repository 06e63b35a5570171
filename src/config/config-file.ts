import { isUtf8 } from 'node:buffer';
import { escapeUnseen, nameOfCharacter } from '../base/character.ts';
import { ConfigError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import { keyNamed } from './config-keys.ts';
import { meantKey } from './meant-key.ts';

/** One `key = value` line. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** What is wrong with one line: its entry in docs/failure-guide.md, and a clause. */
export interface Problem {
  readonly id: string;
  readonly text: string;
}

/** The error for one place in the configuration file: `Cannot read config "FILE": line N: PROBLEM`. */
export function configError(
  id: string,
  file: string,
  line: number | undefined,
  problem: string,
): ConfigError {
  const place = line === undefined ? '' : `line ${line}: `;
  return new ConfigError(id, `Cannot read config ${quote(file)}: ${place}${problem}`);
}

const BYTE_ORDER_MARK = '\u{feff}';

// A tab is the only control character that a line may contain.
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * Returns the value in the text after `=`, as a string, or an object that says what is wrong. With an opening quote,
 * the value reaches to the next quote of the same kind. Without one, it ends before white space followed by `#`.
 */
function valueOf(text: string): string | { readonly problem: string } {
  const start = text.trimStart();
  const mark = start[0];
  if (mark === '"' || mark === "'") {
    const end = start.indexOf(mark, 1);
    if (end < 0) return { problem: `has an opening ${mark} without its end` };
    const rest = start.slice(end + 1).trimStart();
    if (rest !== '' && !rest.startsWith('#')) return { problem: `has text after its closing ${mark}` };
    return start.slice(1, end);
  }
  if (CURLY_QUOTE.test(start)) return { problem: `begins with ${nameOfCharacter(start)}` };
  const comment = text.search(/\s#/);
  return (comment < 0 ? text : text.slice(0, comment)).trim();
}

// Quotes that word processors and web pages write instead of " and '. A value that begins with one is refused, because
// it is most likely a mistake. A password that begins with one needs straight quotes around it.
const CURLY_QUOTE = /^[\u00ab\u00bb\u2018-\u201f\u2039\u203a\u300c-\u300f\uff02\uff07]/;

// In characters: longer than every key of the helper and of gRPC. A longer word in front of `=` may be a secret, so it
// is not shown.
const LONGEST_KEY = 64;
const KEY = /^[\w.-]{1,64}$/;

/**
 * What is wrong with the text in front of an equals sign that is not a key. It shows at most the known key that may
 * have been meant.
 */
function noKey(text: string): string {
  const exported = /^(?:export|set|declare)\s+([\w.-]{1,64})$/.exec(text)?.[1];
  if (exported !== undefined && keyNamed(exported) !== undefined)
    return `a line of a shell, want ${exported} without a word in front`;
  const stranger = /[^\x20-\x7e]/u.exec(text)?.[0];
  // The character is named only when it is invisible, because the text may be a secret that lost its key.
  const strange = stranger === undefined || escapeUnseen(stranger) === stranger ? undefined : stranger;
  const words = strange === undefined ? text : text.replaceAll(strange, '');
  const meant = words.length <= LONGEST_KEY && /^[\w. -]+$/.test(words) ? meantKey(words)?.name : undefined;
  const hint = meant === undefined ? '' : `, did you mean ${meant}`;
  if (strange !== undefined) return `a key with ${nameOfCharacter(strange)}, want plain letters${hint}`;
  return `no key before the "=", want "key = value" with letters, digits, "_", "." or "-" as key${hint}`;
}

/** Reads one line. Returns an entry, undefined for a line without one, or what is wrong with the line. */
function entryOf(content: string, line: number): Entry | Problem | undefined {
  if (CONTROL_CHARACTER.test(content))
    return { id: 'conf-bytes', text: 'a control character, want plain text' };
  const trimmed = content.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return undefined;
  const problem = (text: string): Problem => ({ id: 'conf-line', text });
  if (trimmed.startsWith(';')) return problem('a line that starts with ";", want "#" in front of a comment');
  if (/^\[[^\]=]*\]$/.test(trimmed))
    return problem('a section in brackets, want only lines of "key = value"');
  const equals = content.indexOf('=');
  if (equals < 0) return problem('no "=" in it, want "key = value" or a comment that starts with "#"');
  const key = content.slice(0, equals).trim();
  if (!KEY.test(key)) return problem(noKey(key));
  const value = valueOf(content.slice(equals + 1));
  if (typeof value === 'string') return { key, value, line };
  return { id: 'conf-quotes', text: `the value of ${key} ${value.problem}, want "value" or 'value'` };
}

/**
 * Reads lines of `key = value`. Blank lines, comments (`#` at the start of a line or after white space), a byte order
 * mark and CR before LF are skipped. The meaning of the keys is checked elsewhere.
 * @throws {ConfigError} when the bytes are not text, or a line is not `key = value`; the message shows no value,
 * because it may be a password
 */
export function readEntries(bytes: Uint8Array, file: string): Entry[] {
  // A TextDecoder would load the converters of ICU, which takes as long as reading the whole configuration.
  if (!isUtf8(bytes)) {
    throw configError(
      'conf-bytes',
      file,
      firstBrokenLine(bytes),
      'bytes that are not UTF-8, want plain text',
    );
  }
  let text = Buffer.from(bytes).toString('utf8');
  if (text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
  const entries: Entry[] = [];
  for (const [index, content] of text.split(/\r\n|\n|\r/).entries()) {
    const entry = entryOf(content, index + 1);
    if (entry === undefined) continue;
    if ('key' in entry) entries.push(entry);
    else throw configError(entry.id, file, index + 1, entry.text);
  }
  return entries;
}

/** The number of the first line whose bytes are not UTF-8. */
function firstBrokenLine(bytes: Uint8Array): number {
  let line = 1;
  let start = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    if (newline < 0 || !isUtf8(bytes.subarray(start, end))) return line;
    start = newline + 1;
    line += 1;
  }
}
