/**
 * A host as a certificate names it, and as SNI and HTTP carry it: without the dot that ends a name which is complete (RFC 6066,
 * section 3), and without the zone of an IPv6 address, which means something on this host only (RFC 6874).
 */
export function certificateName(host: string): string {
  return host.includes(':') ? host.replace(/%.*$/, '') : host.replace(/\.$/, '');
}
