import { EtcdError } from '../base/errors.ts';

/** The remedy when the endpoints lead to more than one store. */
export const ONE_CLUSTER = 'list only members of one cluster in hosts';

const NO_PROXY = 'list the addresses of the members in hosts';

/**
 * The error for an endpoint that spreads the calls of one connection over several members. An answer then says nothing
 * about the member that gets the next call.
 */
export function spreadCalls(endpoint: string): EtcdError {
  const what = 'several members answer on one connection, so a proxy or load balancer distributes its calls';
  return new EtcdError('proxy', endpoint, what, NO_PROXY);
}

/**
 * The error for etcd's grpc-proxy. It renews leases at its own pace, and answers a keepalive with one that it sent
 * earlier.
 */
export function grpcProxy(endpoint: string): EtcdError {
  const what = "etcd's grpc-proxy answers there, and it renews leases on its own schedule";
  return new EtcdError('proxy', endpoint, what, NO_PROXY);
}
