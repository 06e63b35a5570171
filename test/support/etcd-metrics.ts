import type { EtcdMember } from './etcd-cluster.ts';

/** Where a member tells what it counts. */
export type Counter = Pick<EtcdMember, 'name' | 'address' | 'healthPort'>;

/** Sums up the samples of one metric, those whose labels contain `condition`, on a member's `/metrics`; 0 when it has none. */
export function sumOf(metrics: string, name: string, condition = ''): number {
  return metrics
    .split('\n')
    .filter(
      (line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(condition),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** What a member counts; rejects when it does not say so within `limitMs`. */
export async function metricsOf({ address, healthPort }: Counter, limitMs = 2_000): Promise<string> {
  const answer = await fetch(`http://${address}:${healthPort}/metrics`, {
    signal: AbortSignal.timeout(limitMs),
  });
  return answer.text();
}
