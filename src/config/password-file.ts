import { isUtf8 } from 'node:buffer';
import { nameOfCharacter } from '../base/character.ts';
import { readSmallFile } from '../base/small-file.ts';
import { convertCommand, wideEncodingOf, withoutByteOrderMark } from './text-encoding.ts';

/** The password in a file, or why there is none: a clause that follows the file's name, and a remedy. */
export type PasswordFile =
  | { readonly kind: 'password'; readonly bytes: Buffer }
  | { readonly kind: 'problem'; readonly problem: string; readonly remedy: string | undefined };

// etcd takes passwords of at most 72 bytes (bcrypt). The rest is room for further lines.
const LARGEST_BYTES = 4_096;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

// The bytes below it are control characters. UTF-16 and UTF-32 without a byte order mark have them in each character.
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Reads the password in the first line of a file, byte by byte, without a byte order mark.
 * @param encoding 'UTF-8' when the password is sent as text, so that other bytes cannot be part of it; 'any' otherwise
 */
export function readPasswordFile(path: string, encoding: 'UTF-8' | 'any'): PasswordFile {
  const file = readSmallFile(path, LARGEST_BYTES);
  if (file.kind !== 'file') {
    const problem = file.kind === 'absent' ? 'there is no such file' : file.problem;
    return { kind: 'problem', problem, remedy: undefined };
  }
  const wide = wideEncodingOf(file.bytes);
  if (wide !== undefined) return inAnotherEncoding(`it is ${wide} text`, wide, path);
  const text = withoutByteOrderMark(file.bytes);
  const end = text.findIndex((byte) => byte === LINE_FEED || byte === CARRIAGE_RETURN);
  const line = Buffer.from(end === -1 ? text : text.subarray(0, end));
  if (line.length === 0) {
    return { kind: 'problem', problem: 'its first line is empty', remedy: 'write the password into it' };
  }
  if (encoding === 'UTF-8' && !isUtf8(line)) return inAnotherEncoding('it is not UTF-8', 'LATIN1', path);
  const control = line.find((byte) => byte < SPACE && byte !== TAB);
  if (control !== undefined) {
    const problem = `its first line has ${nameOfCharacter(String.fromCharCode(control))}`;
    return { kind: 'problem', problem, remedy: 'write the password into it as UTF-8 text' };
  }
  return { kind: 'password', bytes: line };
}

function inAnotherEncoding(problem: string, encoding: string, path: string): PasswordFile {
  return {
    kind: 'problem',
    problem,
    remedy: `convert it to UTF-8: ${convertCommand(encoding, path)}`,
  };
}
