import type { RunCommand } from '../base/command.ts';

// In seconds. `ctdb -T` ends a `ctdb pnn` whose ctdbd is frozen, `-t` does not (measured with 4.17.12). The limit for
// the command covers what `-T` does not. The slowest of 35 calls to a healthy ctdbd took 0.67 s.
const CTDB_LIMIT_S = 3;
const LIMIT_MS = 3_000;

// PNNs are uint32. The two highest values are special addresses (CTDB_UNKNOWN_PNN and below), and no cluster has 65,536
// nodes.
const LARGEST_PNN = 65_535;

/**
 * Asks CTDB for the number of this node, for at most 3 s. The number is only a label in the lock's value, so any
 * failure resolves to undefined. Never rejects.
 */
export async function ctdbPnn(run: RunCommand): Promise<number | undefined> {
  const outcome = await run('ctdb', ['-T', CTDB_LIMIT_S.toString(), 'pnn'], LIMIT_MS);
  if (outcome.kind !== 'exited' || outcome.code !== 0) return undefined;
  // Up to Samba 4.3 the answer was `PNN:1`.
  const digits = /^(?:PNN:)?([0-9]{1,5})\s*$/.exec(outcome.stdout)?.[1];
  const pnn = digits === undefined ? NaN : Number(digits);
  return pnn <= LARGEST_PNN ? pnn : undefined;
}
