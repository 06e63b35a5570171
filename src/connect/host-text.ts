/**
 * The form of a host name in certificates, SNI and HTTP. It has no dot at the end (RFC 6066, section 3), and an IPv6
 * address has no zone, because a zone is known on this host only (RFC 6874).
 */
export function certificateName(host: string): string {
  return host.includes(':') ? host.replace(/%.*$/, '') : host.replace(/\.$/, '');
}
