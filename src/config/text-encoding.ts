import { shellWord } from './named-files.ts';

/** An encoding with two or four bytes to a character, as `iconv` names it. */
export type WideEncoding = 'UTF-16' | 'UTF-16LE' | 'UTF-16BE' | 'UTF-32' | 'UTF-32LE' | 'UTF-32BE';

/**
 * The encoding of text with two or four bytes to a character; undefined for all other text. Editors and shells of
 * Windows write it. Without a byte order mark, the zero bytes beside ASCII letters show it.
 */
export function wideEncodingOf(bytes: Uint8Array): WideEncoding | undefined {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return 'UTF-32';
  }
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return 'UTF-16';
  if (a === undefined || b === undefined) return undefined;
  if (a !== 0 && b === 0 && c === 0 && d === 0) return 'UTF-32LE';
  if (a === 0 && b === 0 && c === 0 && d !== undefined && d !== 0) return 'UTF-32BE';
  if (a !== 0 && b === 0 && c !== 0 && (d === undefined || d === 0)) return 'UTF-16LE';
  if (a === 0 && b !== 0 && (c === undefined || c === 0) && d !== 0) return 'UTF-16BE';
  return undefined;
}

/** A shell command that converts a file to UTF-8. The file keeps its owner and mode. */
export function convertCommand(encoding: string, path: string): string {
  const file = shellWord(path);
  return `t=$(iconv -f ${encoding} -t UTF-8 ${file}) && printf '%s\\n' "$t" > ${file}`;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** UTF-8 text without the byte order mark that some editors put in front. */
export function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? bytes.subarray(3) : bytes;
}
