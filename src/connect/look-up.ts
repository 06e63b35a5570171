import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { readSmallFile } from '../base/small-file.ts';

/**
 * Finds the addresses of a host name, in the order in which they are tried. Resolves to all addresses when every
 * question has been answered. Rejects with Node's error when a question failed, even after a call of `onFirst`, or when
 * there are no addresses.
 * @param onFirst called with the first addresses as soon as there are any, while other questions may still be open
 */
export type LookUp = (
  host: string,
  onFirst: (addresses: readonly string[]) => void,
) => Promise<readonly string[]>;

/** The addresses of one family, or of both (0), by the system's resolver. Rejects with Node's error. */
export type AskSystem = (host: string, family: 0 | 4 | 6) => Promise<readonly string[]>;

// A name server that answers at all needs a few milliseconds, a distant one 50 ms (RFC 8305, section 3).
const EACH_FAMILY_AFTER_MS = 100;

// In bytes. Lists that block advertisements have 3 MB.
const LARGEST_HOSTS_FILE = 8 * 2 ** 20;

function hostsFile(): string {
  const file = readSmallFile('/etc/hosts', LARGEST_HOSTS_FILE);
  return file.kind === 'file' ? Buffer.from(file.bytes).toString('latin1') : '';
}

/** The addresses of `name` in the text of /etc/hosts, in its order. See hosts(5). */
export function addressesIn(text: string, name: string, family: 0 | 4 | 6): string[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const version = isIP(address);
    const isMeant = version !== 0 && (family === 0 || family === version);
    return isMeant && names.some((one) => one.toLowerCase() === name.toLowerCase()) ? [address] : [];
  });
}

/**
 * Uses getaddrinfo, so that /etc/hosts and nsswitch.conf count. The addresses are in the order that the system prefers
 * (RFC 6724). getaddrinfo does not find a name with a dot at its end in /etc/hosts, so that file is read first. Asking
 * without the dot would also try the search list of resolv.conf, which the dot excludes.
 */
const askSystem: AskSystem = async (host, family) => {
  const listed = host.endsWith('.') ? addressesIn(hostsFile(), host.slice(0, -1), family) : [];
  if (listed.length > 0) return listed;
  const found = await dns.lookup(host, { all: true, order: 'verbatim', family });
  return found.map(({ address }) => address);
};

/** True when the error says that the name has no such addresses. That is an answer too. */
function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOTFOUND';
}

/**
 * Asks for both families in one question first, because its answer has the order of the system. Some name servers drop
 * the question for one family. The common answer then comes after the resolver's whole waiting time, or never. So after
 * 100 ms without an answer, or after a failure, each family is asked for separately.
 */
export function makeLookUp(clock: Clock, ask: AskSystem = askSystem): LookUp {
  return async (host, onFirst) => {
    const found = new Set<string>();
    const add = (addresses: readonly string[]): void => {
      if (found.size === 0 && addresses.length > 0) onFirst(addresses);
      for (const address of addresses) found.add(address);
    };
    let unanswered: unknown;
    const askOne = async (family: 4 | 6): Promise<void> => {
      try {
        add(await ask(host, family));
      } catch (error) {
        if (!isAbsent(error)) unanswered = error;
      }
    };
    let each: Promise<unknown> | undefined;
    const askEach = (): Promise<unknown> => (each ??= Promise.all([askOne(4), askOne(6)]));
    const stopTimer = clock.at(clock.now() + EACH_FAMILY_AFTER_MS, () => void askEach());
    let inOrder: readonly string[] = [];
    try {
      inOrder = await ask(host, 0);
      add(inOrder);
    } catch (error) {
      await askEach();
      if (found.size === 0) throw error;
    } finally {
      stopTimer();
    }
    await each;
    if (unanswered !== undefined) throw unanswered as Error;
    return [...new Set([...inOrder, ...found])];
  };
}
