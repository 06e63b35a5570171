import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { nameOfCharacter } from '../base/character.ts';
import { quote } from '../base/quote.ts';
import type { Checked, Checker } from './value-checks.ts';

// A host name by RFC 1123, with the underscore that internal names often have.
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

/** Why no resolver can look `name` up, for a message; '' when the reason is another one. */
function tooLong(name: string): string {
  const label = name.split('.').find((one) => one.length > LONGEST_LABEL);
  if (label === undefined) return '';
  return `; DNS allows ${LONGEST_LABEL} characters between two dots, and ${quote(label)} has ${label.length}`;
}

/** True for an IPv4 address, or a name that a resolver can look up. `10.0.0.256` is neither. */
export function isHostName(text: string): boolean {
  if (isIPv4(text)) return true;
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const labels = name.split('.');
  if (name.length > LONGEST_NAME || !labels.every((label) => LABEL.test(label))) return false;
  return !/^[0-9]+$/.test(labels.at(-1) ?? '');
}

// A character that the reader cannot see must not decide which host is dialed. The conversion to ASCII would drop it
// without a message.
const UNSEEN = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

// The characters of an international name: letters, their marks, digits, and the other forms of the full stop.
const INTERNATIONAL_NAME = /^[\p{L}\p{M}\p{N}\p{S}._\u3002\uff0e\uff61-]+$/u;

/** Converts an international name to the form that DNS and certificates use (`xn--…`, UTS #46). */
function asciiName(text: string, want: string): Checked<string> {
  const [unseen] = UNSEEN.exec(text) ?? [];
  if (unseen !== undefined) return { want: `${want}; it has ${nameOfCharacter(unseen)}`, asAscii: true };
  const name = INTERNATIONAL_NAME.test(text) ? domainToASCII(text) : '';
  if (isHostName(name)) return { value: name };
  return { want: `${want}${tooLong(name) || '; the name has no form in ASCII (IDNA)'}` };
}

const LINK_LOCAL = /^fe[89ab]/i;

// The characters of a zone in `net.isIPv6`, without the colon. The length is that of an interface's name (IFNAMSIZ).
const ZONE = /^[a-z0-9.-]{1,15}$/i;

/** Reads an IPv6 address. The zone gets the form of the system: a URI writes `%25` for the percent sign (RFC 6874). */
function ipv6Address(text: string, want: string, needsZone: boolean): Checked<string> {
  const [address = '', written] = text.split(/%(.*)/s, 2);
  if (!isIPv6(address)) return { want };
  if (written === undefined) {
    return needsZone && LINK_LOCAL.test(address)
      ? { want: `the interface of a link-local address: [${address}%eth0]:2379` }
      : { value: address };
  }
  const zone = /^25./.test(written) ? written.slice(2) : written;
  const [beforeColon, port] = zone.split(':', 2);
  if (port !== undefined)
    return { want: `an IPv6 address with a port in brackets: [${address}%${beforeColon ?? ''}]:${port}` };
  return ZONE.test(zone)
    ? { value: `${address}%${zone}` }
    : { want: 'after the % an interface name of at most 15 letters, digits, "." and "-"' };
}

/**
 * A host name or address without a port, in the form that is dialed. Pure, never throws.
 * @param use 'dial': a link-local address needs its interface; 'name': the result is only compared
 */
export function hostOf(text: string, want: string, use: 'dial' | 'name'): Checked<string> {
  if (text.includes(':')) return ipv6Address(text, want, use === 'dial');
  // eslint-disable-next-line no-control-regex -- all of ASCII is meant
  if (!/^[\u0000-\u007f]*$/.test(text)) return asciiName(text, want);
  return isHostName(text) ? { value: text } : { want: want + tooLong(text) };
}

/** A host name or an address without a port. */
export function hostName(want: string): Checker<string> {
  return (text) => hostOf(text, want, 'name');
}
