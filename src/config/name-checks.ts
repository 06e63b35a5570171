import { nameOfCharacter } from '../base/character.ts';
import type { Checker, Refusal } from './value-checks.ts';

// A key of etcd may hold any bytes. On two nodes, a character that nobody sees, or that looks like another, would be two
// locks; so there is none.
const NOT_IN_A_KEY = /[^!-~]/u;

/** The refusal of a text for a character of it, which is named. */
function refusal(want: string, character: string): Refusal {
  return { want: `${want}; it has ${nameOfCharacter(character)}`, asAscii: true, id: 'conf-name' };
}

// Far above any real one; etcd itself has no limit but that of a request (1.5 MB).
const LONGEST_DIRECTORY = 1_024;

/**
 * A directory of keys in etcd: segments of printable ASCII without space, between single slashes. The result does not end
 * with a slash; it starts with one when `rooted`, and the text must then do so too.
 */
export function keyDirectory(rooted: boolean, want: string): Checker<string> {
  return (text) => {
    const [stranger] = NOT_IN_A_KEY.exec(text) ?? [];
    if (stranger !== undefined) return refusal(want, stranger);
    if (text.length > LONGEST_DIRECTORY || (rooted && !text.startsWith('/'))) return { want };
    const segments = text.split('/');
    while (segments[0] === '') segments.shift();
    while (segments.at(-1) === '') segments.pop();
    if (segments.length === 0 || segments.includes('')) return { want };
    return { value: `${rooted ? '/' : ''}${segments.join('/')}` };
  };
}

// Samba's own limit is 15 characters; etcd has none. What a lock may not be is another directory's name.
const LONGEST_LOCK_NAME = 255;

/**
 * The lock's name, one segment of a key: printable ASCII without space and slash, in capitals, which is how Samba has
 * NetBIOS names and `testparm` prints them.
 */
export function lockName(want: string): Checker<string> {
  return (text) => {
    const [stranger] = /[^!-~]|\//u.exec(text) ?? [];
    if (stranger !== undefined) return refusal(want, stranger);
    return text !== '' && text.length <= LONGEST_LOCK_NAME ? { value: text.toUpperCase() } : { want };
  };
}
