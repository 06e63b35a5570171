import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../config/config.ts';
import { hostPort } from './dial.ts';
import type { EndpointConnector } from './endpoint-connector.ts';

// Each failed connection asks for the records again. The interval keeps DNS from being flooded.
const SHORTEST_INTERVAL_MS = 10_000;

/**
 * Gives each connector whose endpoint is no longer in DNS an endpoint that no connector has. A connector that works
 * keeps its endpoint.
 */
function move(connectors: readonly EndpointConnector[], found: readonly Endpoint[]): void {
  const used = new Set(connectors.map((connector) => connector.name));
  const spare = found.filter((endpoint) => !used.has(hostPort(endpoint)));
  const listed = new Set(found.map(hostPort));
  for (const connector of connectors) {
    if (connector.isConnected || listed.has(connector.name)) continue;
    const next = spare.shift();
    if (next !== undefined) connector.moveTo(next);
  }
}

/** Follows the SRV records: asks `discover` again each time a connection fails. */
export function followRecords(
  connectors: readonly EndpointConnector[],
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
        move(connectors, found);
      },
      () => undefined, // what is known stays; the next trouble asks again
    );
  };
  for (const connector of connectors) connector.onTrouble = look;
}
