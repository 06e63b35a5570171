import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ConnectError } from './connect-failure.ts';

/** All addresses of a name, in the order in which to try them; rejects with Node's error. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** By the system's resolver (`/etc/hosts`, nsswitch), in the order that it prefers. */
async function lookUp(host: string): Promise<readonly string[]> {
  const found = await dns.lookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
}

/**
 * An address as a socket takes it. The zone of an IPv6 address can be an interface's number, which Node does not take.
 * @throws {ConnectError} when this host has no such interface
 */
function zonedAddress(address: string): string {
  const [, zone] = address.split('%', 2);
  if (zone === undefined) return address;
  const interfaces = Object.entries(networkInterfaces());
  const found = interfaces.find(
    ([name, addresses]) =>
      name === zone ||
      addresses?.some((one) => one.family === 'IPv6' && one.scopeid > 0 && String(one.scopeid) === zone) ===
        true,
  );
  if (found !== undefined) return address.replace(/%.*/, `%${found[0]}`);
  throw new ConnectError({
    id: 'net-zone',
    kind: 'notEtcd',
    message: `this host has no network interface "${zone}"`,
    remedy: 'correct the interface in hosts',
  });
}

// A name that DNS did not tell is asked for again; it must not be flooded for that.
const LOOK_AHEAD_EVERY_MS = 10_000;

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address) => b.includes(address));
}

/**
 * The addresses of host names, remembered for as long as we live: a holder whose DNS falls silent must still be able to
 * dial. What is known is used at once, and corrected when the fresh answer differs.
 */
export class DnsCache {
  readonly #known = new Map<string, readonly string[]>();
  readonly #underWay = new Map<string, Promise<readonly string[]>>();
  readonly #lookup: Lookup;
  readonly #expected = new Set<string>();
  #lookedAheadAtMs = -Infinity;

  constructor(lookup: Lookup = lookUp) {
    this.#lookup = lookup;
  }

  /**
   * Calls `found` with the addresses of `host`, never before it has returned; a second time when it began with
   * remembered ones that prove outdated. Calls `failed` instead when nothing is known and nothing can be found out.
   */
  look(host: string, found: (addresses: readonly string[]) => void, failed: (error: unknown) => void): void {
    if (isIP(host) !== 0) {
      queueMicrotask(() => {
        try {
          found([zonedAddress(host)]);
        } catch (error) {
          failed(error);
        }
      });
      return;
    }
    const known = this.#known.get(host);
    if (known !== undefined) {
      queueMicrotask(() => {
        found(known);
      });
    }
    this.#refresh(host).then(
      (fresh) => {
        if (known === undefined || !isSame(known, fresh)) found(fresh);
      },
      (error: unknown) => {
        if (known === undefined) failed(error);
      },
    );
  }

  /** True while `host` is being looked up and no address of it is known. */
  isLookingUp(host: string): boolean {
    return this.#underWay.has(host) && !this.#known.has(host);
  }

  /** Notes that `host` may have to be dialed some day. */
  expect(host: string): void {
    if (isIP(host) === 0) this.#expected.add(host);
  }

  /**
   * Looks up the expected names that are not known yet. Called for as long as all is well: the member that is asked then is
   * the only one whose name is known, and when DNS falls silent before it dies, nobody else could be dialed.
   *
   * @param nowMs on whichever clock, but always the same
   */
  lookAhead(nowMs: number): void {
    if (nowMs < this.#lookedAheadAtMs + LOOK_AHEAD_EVERY_MS) return;
    this.#lookedAheadAtMs = nowMs;
    for (const host of this.#expected) {
      if (!this.#known.has(host)) this.#refresh(host).catch(() => undefined); // tried again, then
    }
  }

  /** Notes that a connection to `address` came about: it is the first to be tried from now on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host);
    if (known?.includes(address) !== true || known[0] === address) return;
    this.#known.set(host, [address, ...known.filter((other) => other !== address)]);
  }

  /** One look-up per name at a time: each occupies a thread for as long as DNS is silent. */
  #refresh(host: string): Promise<readonly string[]> {
    const underWay = this.#underWay.get(host);
    if (underWay !== undefined) return underWay;
    const lookup = this.#lookup(host)
      .then((fresh) => {
        const known = this.#known.get(host);
        // The order of the answer changes with each look-up; ours remembers which address worked.
        if (known === undefined || !isSame(known, fresh)) this.#known.set(host, fresh);
        return fresh;
      })
      .finally(() => {
        this.#underWay.delete(host);
      });
    this.#underWay.set(host, lookup);
    return lookup;
  }
}
