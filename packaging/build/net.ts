/**
 * `net`, with one shortcut: Node.js tells IPv6 addresses by a regular expression that takes 4 ms to compile, a twentieth of
 * a start, and what has no two colons is none. Stands in for `net` in the packed program.
 */
import { isIPv4, isIPv6 as matchesIPv6 } from 'node:net';

export * from 'node:net';

export function isIPv6(text: string): boolean {
  return text.indexOf(':') !== text.lastIndexOf(':') && matchesIPv6(text);
}

export function isIP(text: string): number {
  if (isIPv4(text)) return 4;
  return isIPv6(text) ? 6 : 0;
}
