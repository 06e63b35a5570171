import { nameOfCharacter } from '../base/character.ts';
import type { Checker, Refusal } from './value-checks.ts';

// etcd allows any bytes in a key. A character that is invisible or that looks like another could make two nodes use two
// locks, so it is refused.
const NOT_IN_A_KEY = /[^!-~]/u;

/** Refuses a text because of `character`, which the message names. */
function refusal(want: string, character: string): Refusal {
  return { want: `${want}; it has ${nameOfCharacter(character)}`, asAscii: true, id: 'conf-name' };
}

// In characters, far above real use. etcd limits only the size of a request (1.5 MB).
const LONGEST_DIRECTORY = 1_024;

/**
 * Checks a directory of keys in etcd: segments of printable ASCII without spaces, separated by single slashes. The
 * result does not end with a slash. With `rooted` the text and the result start with one.
 */
export function keyDirectory(rooted: boolean, want: string): Checker<string> {
  return (text) => {
    const [stranger] = NOT_IN_A_KEY.exec(text) ?? [];
    if (stranger !== undefined) return refusal(want, stranger);
    if (text.length > LONGEST_DIRECTORY)
      return { want: `${want}; it has ${text.length} characters, and may have ${LONGEST_DIRECTORY}` };
    if (rooted && !text.startsWith('/')) return { want };
    const segments = text.split('/');
    while (segments[0] === '') segments.shift();
    while (segments.at(-1) === '') segments.pop();
    if (segments.length === 0) return { want };
    if (segments.includes('')) return { want: `${want}; it has an empty name between two slashes` };
    return { value: `${rooted ? '/' : ''}${segments.join('/')}` };
  };
}

// In characters. Samba's own limit is 15, etcd has none.
const LONGEST_LOCK_NAME = 255;

/**
 * Checks the name of the lock: one segment of a key in printable ASCII, without spaces and slashes. The result is in
 * capitals, as Samba and `testparm` write NetBIOS names.
 */
export function lockName(want: string): Checker<string> {
  return (text) => {
    const [stranger] = /[^!-~]|\//u.exec(text) ?? [];
    if (stranger !== undefined) return refusal(want, stranger);
    return text !== '' && text.length <= LONGEST_LOCK_NAME ? { value: text.toUpperCase() } : { want };
  };
}
