import { quote } from '../base/quote.ts';
import { hostName, hostOf } from './host.ts';
import type { Checked, Checker } from './value-checks.ts';
import type { Endpoint } from './config.ts';

/** One endpoint as it was written. A part that the text leaves out is undefined. */
export interface Address {
  readonly secure: boolean | undefined;
  readonly host: string;
  readonly port: number | undefined;
}

// A limit to what one start dials. No etcd cluster has more members; 5 to 7 are usual.
export const MOST_ENDPOINTS = 32;

function portOf(text: string): number | undefined {
  if (!/^[0-9]{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; the port is '' when there is none. */
function splitAuthority(text: string): { host: string; port: string | undefined } | undefined {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const [, host = '', port] = bracketed;
    // Only IPv6 addresses have brackets.
    return host.includes(':') ? { host, port } : undefined;
  }
  const [host = '', port, ...rest] = text.split(':');
  return rest.length === 0 ? { host, port } : { host: text, port: undefined };
}

const WANT_ADDRESS = 'host, host:port or [IPv6 address]:port, with or without https://';

/** Reads one endpoint. Pure, never throws. */
export function addressOf(text: string): Checked<Address> {
  const checked = parsed(text);
  return 'want' in checked ? { ...checked, id: 'conf-host' } : checked;
}

function parsed(text: string): Checked<Address> {
  if (/[\s,;]/.test(text) && !text.includes('@')) return { want: 'one host; for several, set hosts instead' };
  const url = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text);
  const scheme = url?.[1]?.toLowerCase();
  let authority = url?.[2] ?? text;
  if (authority.includes('@')) {
    return { want: 'no user name in an address; set username and password_file', hide: true };
  }
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    return { want: 'http:// or https:// before a host, or neither' };
  }
  if (scheme !== undefined && authority.endsWith('/')) authority = authority.slice(0, -1);
  if (/[/?#]/.test(authority)) return { want: 'a host and port without a path, because etcd v3 has none' };
  const parts = splitAuthority(authority);
  if (parts === undefined) return { want: WANT_ADDRESS };
  const host = hostOf(parts.host, WANT_ADDRESS, 'dial');
  if ('want' in host) return host;
  const port = parts.port === undefined ? undefined : portOf(parts.port);
  if (parts.port !== undefined && port === undefined) return { want: 'a port from 1 to 65535 after a host' };
  return { value: { secure: scheme === undefined ? undefined : scheme === 'https', host: host.value, port } };
}

/** Reads endpoints separated by commas or white space; at least one. Pure, never throws. */
export function addressesOf(text: string): Checked<readonly Address[]> {
  if (text.includes(';') && !text.includes('@'))
    return { want: 'commas or spaces between hosts, not ";"', id: 'conf-host' };
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  if (parts.length === 0) return { want: `at least one host, each as ${WANT_ADDRESS}`, id: 'conf-host' };
  if (parts.length > MOST_ENDPOINTS) return { want: `at most ${MOST_ENDPOINTS} hosts`, id: 'conf-host' };
  const addresses: Address[] = [];
  for (const part of parts) {
    const checked = addressOf(part);
    if ('want' in checked) {
      // A part that may hold a secret (`user:password@host`) hides the whole value.
      if (text.includes('@')) return { ...checked, hide: true };
      return parts.length === 1 ? checked : { ...checked, want: `${checked.want}; ${quote(part)} is wrong` };
    }
    addresses.push(checked.value);
  }
  return { value: addresses };
}

/** Adds the default port and scheme to the addresses. An endpoint that is listed twice is returned once. */
export function endpointsOf(addresses: readonly Address[], secure: boolean, port: number): Endpoint[] {
  const endpoints = new Map<string, Endpoint>();
  for (const address of addresses) {
    const endpoint = { secure: address.secure ?? secure, host: address.host, port: address.port ?? port };
    const name = `${String(endpoint.secure)} ${endpoint.host.toLowerCase()} ${endpoint.port}`;
    if (!endpoints.has(name)) endpoints.set(name, endpoint);
  }
  return [...endpoints.values()];
}

// The names of etcd's SRV records. Administrators write them where only the domain is wanted.
const SERVICE = /^_etcd[a-z0-9-]*\._(tcp|udp)\.(.+)$/i;

/** Checks the domain of SRV records. The name of the service in front of it is removed. */
export function srvDomain(want: string): Checker<string> {
  const isDomain = hostName(want);
  return (text) => {
    const [, , domain] = SERVICE.exec(text) ?? [];
    return domain === undefined
      ? isDomain(text)
      : {
          want: `the domain alone, ${domain}, because the helper puts _etcd-client._tcp in front`,
          id: 'conf-srv',
        };
  };
}
