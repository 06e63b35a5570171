import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../config/config.ts';
import { hostPort } from './dial.ts';
import type { EtcdLink } from './endpoint-connector.ts';

// A member in trouble has us look again, but DNS must not be flooded for that.
const SHORTEST_INTERVAL_MS = 10_000;

/** Gives the links whose endpoint is not listed any more an endpoint that no link has; a link that works keeps its own. */
function move(links: readonly EtcdLink[], found: readonly Endpoint[]): void {
  const used = new Set(links.map((link) => link.name));
  const spare = found.filter((endpoint) => !used.has(hostPort(endpoint)));
  const listed = new Set(found.map(hostPort));
  for (const link of links) {
    if (link.isConnected || listed.has(link.name)) continue;
    const next = spare.shift();
    if (next !== undefined) link.moveTo(next);
  }
}

/** Follows the records by which the members were found: whenever a link is in trouble, `discover` is asked again. */
export function followRecords(
  links: readonly EtcdLink[],
  clock: Clock,
  discover: () => Promise<readonly Endpoint[]>,
): void {
  let lookedAtMs = clock.now();
  const look = (): void => {
    const now = clock.now();
    if (now < lookedAtMs + SHORTEST_INTERVAL_MS) return;
    lookedAtMs = now;
    discover().then(
      (found) => {
        move(links, found);
      },
      () => undefined, // what is known stays; the next trouble asks again
    );
  };
  for (const link of links) link.onTrouble = look;
}
