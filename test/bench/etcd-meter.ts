import type { EtcdMember } from '../support/etcd-cluster.ts';

/** What a member has counted since it was started. */
export interface Counts {
  /** Messages from clients: of API v3, each message of a stream included, and requests of API v2. */
  readonly requests: number;
  /** Entries of the raft log. */
  readonly entries: number;
}

function sumOf(metrics: string, name: string, condition = ''): number {
  return metrics
    .split('\n')
    .filter(
      (line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(condition),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Reads the counters of a member's /metrics. */
export async function countsOf({ address, healthPort }: EtcdMember): Promise<Counts> {
  const answer = await fetch(`http://${address}:${healthPort}/metrics`);
  const metrics = await answer.text();
  return {
    requests: sumOf(metrics, 'grpc_server_msg_received_total') + sumOf(metrics, 'etcd_http_received_total'),
    entries: sumOf(metrics, 'etcd_server_proposals_committed_total'),
  };
}
