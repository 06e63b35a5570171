import type { CtdbCluster } from './cluster.ts';
import type { Judge } from './judge.ts';
import type { CtdbNode } from './node.ts';

/**
 * `ctdb recover`. The command sets the node's recovery mode and waits for a new generation; when the end of the recovery
 * before overtakes it, its wish is lost and it waits in vain (with any helper), so it is given up and repeated.
 */
async function recover(node: CtdbNode): Promise<void> {
  for (let tries = 0; tries < 3; tries += 1) {
    const { status } = await node.run('/usr/bin/ctdb', ['-T', '20', 'recover'], 30_000);
    if (status === 0) return;
  }
  throw new Error(`Node ${node.pnn} forced no recovery in three tries`);
}

/** Lets the nodes force `count` recoveries in turn, one after the other, without CTDB's pause between them. */
export async function forceRecoveries(ctdb: CtdbCluster, count: number): Promise<number[]> {
  for (const node of ctdb.nodes) await node.ctdb('setvar', 'RerecoveryTimeout', '1');
  const seconds: number[] = [];
  for (let round = 0; round < count; round += 1) {
    const fromMs = performance.now();
    await recover(ctdb.node(round % ctdb.nodes.length));
    seconds.push((performance.now() - fromMs) / 1000);
  }
  for (const node of ctdb.nodes) await node.ctdb('setvar', 'RerecoveryTimeout', '10');
  return seconds;
}

/** One line of figures about forced recoveries, for the test's report. */
export function tellRecoveries(seconds: readonly number[], judge: Judge): string {
  const sorted = seconds.toSorted((a, b) => a - b);
  const [median = 0, slowest = 0] = [sorted[sorted.length >> 1], sorted.at(-1)];
  const count = (pattern: RegExp): number => judge.lines(pattern).length;
  return [
    `${sorted.length} recoveries, median ${median.toFixed(2)} s, slowest ${slowest.toFixed(2)} s`,
    `${count(/Banning node|banning credits/)} bans`,
    `${count(/Unexpected error when testing recovery lock/)} unexpected errors`,
    `${count(/High RECLOCK latency/)} times high latency`,
    `${count(/Start election/)} elections`,
  ].join(', ');
}
