import type { CtdbCluster } from './cluster.ts';
import type { Judge } from './judge.ts';

/** Lets the nodes force `count` recoveries in turn, one after the other, without CTDB's pause between them. */
export async function forceRecoveries(ctdb: CtdbCluster, count: number): Promise<number[]> {
  for (const node of ctdb.nodes) await node.ctdb('setvar', 'RerecoveryTimeout', '1');
  const seconds: number[] = [];
  for (let round = 0; round < count; round += 1) {
    const fromMs = performance.now();
    await ctdb.node(round % ctdb.nodes.length).ctdb('recover');
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
