import type { RunCommand } from '../base/command.ts';

// `-t` does not end a `ctdb pnn` whose ctdbd is frozen, `-T` does (measured on 4.17.12); the limit of our own is for
// what `-T` does not cover. The slowest of 35 healthy calls took 0.67 s.
const CTDB_LIMIT_S = 3;
const LIMIT_MS = 3_000;

// PNNs are uint32; the two highest are special addresses (CTDB_UNKNOWN_PNN and below), and no cluster has 65,536 nodes.
const LARGEST_PNN = 65_535;

/**
 * Asks CTDB for the number of this node, within 3 s. It labels the lock's value and nothing depends on it, so whatever
 * goes wrong is undefined. Never rejects.
 */
export async function ctdbPnn(run: RunCommand): Promise<number | undefined> {
  const outcome = await run('ctdb', ['-T', CTDB_LIMIT_S.toString(), 'pnn'], LIMIT_MS);
  if (outcome.kind !== 'exited' || outcome.code !== 0) return undefined;
  // Up to Samba 4.3 the answer was `PNN:1`.
  const digits = /^(?:PNN:)?([0-9]{1,5})\s*$/.exec(outcome.stdout)?.[1];
  const pnn = digits === undefined ? NaN : Number(digits);
  return pnn <= LARGEST_PNN ? pnn : undefined;
}
