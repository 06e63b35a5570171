import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ConnectError } from './connect-failure.ts';
import type { LookUp } from './look-up.ts';

/**
 * An address in the form that a socket takes. The zone of an IPv6 address can be the number of an interface, which Node
 * does not accept.
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

// The interval at which a name without an answer is asked for again, so that DNS is not flooded.
const LOOK_AHEAD_EVERY_MS = 10_000;

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address) => b.includes(address));
}

/** A running look-up, and the callers that want its first addresses. */
interface UnderWay {
  readonly whole: Promise<readonly string[]>;
  readonly onFirst: Set<(addresses: readonly string[]) => void>;
}

/**
 * The addresses of host names, remembered during the life of the process. So a holder can still dial when DNS falls
 * silent. A remembered address is used at once, and corrected when the new answer differs.
 */
export class DnsCache {
  readonly #known = new Map<string, readonly string[]>();
  readonly #underWay = new Map<string, UnderWay>();
  readonly #lookUp: LookUp;
  readonly #expected = new Set<string>();
  #lookedAheadAtMs = -Infinity;

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /**
   * Calls `found` with the addresses of `host`, never before this function returns. When the addresses were remembered
   * and a new answer differs, `found` is called a second time. Calls `failed` when no address is known and none is
   * found.
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
    let told = this.#known.get(host);
    if (told !== undefined) {
      const known = told;
      queueMicrotask(() => {
        found(known);
      });
    }
    const tell = (fresh: readonly string[]): void => {
      if (told !== undefined && isSame(told, fresh)) return;
      told = fresh;
      found(fresh);
    };
    const { whole, onFirst } = this.#refresh(host);
    onFirst.add(tell);
    whole.then(tell, (error: unknown) => {
      if (told === undefined) failed(error);
    });
  }

  /** For `net.connect`: the addresses of `look`, as soon as there are any. */
  readonly socketLookup: LookupFunction = (host, _options, done) => {
    let isDone = false;
    this.look(
      host,
      (addresses) => {
        if (isDone) return;
        isDone = true;
        done(
          null,
          addresses.map((address) => ({ address, family: isIP(address) })),
        );
      },
      (error) => {
        done(error instanceof Error ? error : new Error(String(error)), []);
      },
    );
  };

  /** True while `host` is looked up and none of its addresses is known. */
  isLookingUp(host: string): boolean {
    return this.#underWay.has(host) && !this.#known.has(host);
  }

  /** Announces that `host` may be dialed later. */
  expect(host: string): void {
    if (isIP(host) === 0) this.#expected.add(host);
  }

  /**
   * Looks up the announced names that are still unknown. It is called while all is well. At that time only the member
   * in use has a known address, and no other member could be dialed if DNS fell silent before that member failed.
   * @param nowMs on the scale of any one clock
   */
  lookAhead(nowMs: number): void {
    if (nowMs < this.#lookedAheadAtMs + LOOK_AHEAD_EVERY_MS) return;
    this.#lookedAheadAtMs = nowMs;
    for (const host of this.#expected) {
      if (!this.#known.has(host)) this.#refresh(host).whole.catch(() => undefined); // tried again, then
    }
  }

  /** Notes that a connection to `address` succeeded. It is tried first from then on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host);
    if (known?.includes(address) !== true || known[0] === address) return;
    this.#known.set(host, [address, ...known.filter((other) => other !== address)]);
  }

  /** Looks a name up, one request at a time: each request occupies threads while DNS is silent. */
  #refresh(host: string): UnderWay {
    const running = this.#underWay.get(host);
    if (running !== undefined) return running;
    const onFirst: UnderWay['onFirst'] = new Set();
    const whole = this.#lookUp(host, (first) => {
      const known = this.#known.get(host) ?? [];
      if (first.every((address) => known.includes(address))) return;
      // The first addresses may be of one family only. So the known addresses are kept until every question has been
      // answered.
      const together = [...new Set([...first, ...known])];
      this.#known.set(host, together);
      for (const tell of onFirst) tell(together);
    })
      .then((fresh) => {
        const known = this.#known.get(host);
        // The order of an answer changes with each request. The remembered order shows which address worked.
        if (known === undefined || !isSame(known, fresh)) this.#known.set(host, fresh);
        return fresh;
      })
      .finally(() => {
        this.#underWay.delete(host);
      });
    const started = { whole, onFirst };
    this.#underWay.set(host, started);
    return started;
  }
}
