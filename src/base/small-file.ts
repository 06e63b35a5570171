import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { systemReason } from './errors.ts';

/** What was found at a path. The functions of this file never throw. */
export type SmallFile =
  | { readonly kind: 'file'; readonly bytes: Uint8Array; readonly permissions: Permissions }
  /** There is no file of that name. */
  | { readonly kind: 'absent' }
  /** `problem` is a clause that follows the file's name in a message. It says what was found and what was expected. */
  | { readonly kind: 'unusable'; readonly problem: string };

/** Who may read a file. */
export interface Permissions {
  /** The lowest nine bits of its mode. */
  readonly mode: number;
  readonly groupId: number;
}

function typeOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

function permissionsOf(stats: Stats): Permissions {
  return { mode: stats.mode & 0o777, groupId: stats.gid };
}

/**
 * True for a symbolic link whose target is missing. That differs from a missing file: the administrator meant a file to
 * be there.
 */
function isDangling(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function absentOrUnusable(path: string, error: unknown): SmallFile {
  const { code, reason } = systemReason(error);
  if (code !== 'ENOENT') return { kind: 'unusable', problem: reason };
  if (isDangling(path))
    return { kind: 'unusable', problem: 'it is a symbolic link to nothing, want a regular file' };
  return { kind: 'absent' };
}

/**
 * Reads the type and permissions of a path without opening it.
 * @returns a regular file comes without its bytes
 */
export function lookAtFile(path: string): SmallFile {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return { kind: 'unusable', problem: `it is ${typeOf(stats)}, want a regular file` };
    return { kind: 'file', bytes: new Uint8Array(), permissions: permissionsOf(stats) };
  } catch (error) {
    return absentOrUnusable(path, error);
  }
}

/** Reads a regular file of at most `limitBytes`. Never waits for a FIFO and never opens a device. */
export function readSmallFile(path: string, limitBytes: number): SmallFile {
  // Opening has an effect on some devices (/dev/watchdog), so the type is read first. `fstat` then describes the file
  // that was opened.
  const look = lookAtFile(path);
  if (look.kind !== 'file') return look;
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const stats = fstatSync(fd);
    if (!stats.isFile()) return { kind: 'unusable', problem: `it is ${typeOf(stats)}, want a regular file` };
    // The size is only a hint: files of /proc report 0. So the loop reads to the end, or to one byte past the limit.
    const buffer = new Uint8Array(limitBytes + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, null);
      length += count;
      if (count === 0 || length > limitBytes) break;
    }
    if (length > limitBytes) {
      return { kind: 'unusable', problem: `it is larger than ${limitBytes} bytes, want a smaller file` };
    }
    return { kind: 'file', bytes: buffer.subarray(0, length), permissions: permissionsOf(stats) };
  } catch (error) {
    return absentOrUnusable(path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
