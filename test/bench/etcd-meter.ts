import type { EtcdMember } from '../support/etcd-cluster.ts';
import { metricsOf, sumOf } from '../support/etcd-metrics.ts';

/** What a member has counted since it was started. */
export interface Counts {
  /** Messages from clients: of API v3, each message of a stream included, and requests of API v2. */
  readonly requests: number;
  /** Entries of the raft log. */
  readonly entries: number;
  /** Keepalives of leases. Each renewal of this helper sends one, after its one entry. */
  readonly keepAlives: number;
}

/** Reads the counters of a member's /metrics. */
export async function countsOf(member: EtcdMember): Promise<Counts> {
  const metrics = await metricsOf(member);
  return {
    requests: sumOf(metrics, 'grpc_server_msg_received_total') + sumOf(metrics, 'etcd_http_received_total'),
    entries: sumOf(metrics, 'etcd_server_proposals_committed_total'),
    keepAlives: sumOf(metrics, 'grpc_server_msg_received_total', 'grpc_method="LeaseKeepAlive"'),
  };
}
