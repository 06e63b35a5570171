import type { Clock } from '../base/clock.ts';
import type { Config, Endpoint } from '../config/config.ts';
import { EndpointConnector } from './endpoint-connector.ts';
import { TlsSuspects } from './probe.ts';
import { makeSecure } from './tls.ts';
import type { DnsCache } from './dns-cache.ts';
import { TlsFiles } from './tls-files.ts';

/**
 * One connector for each of `endpoints`. None is connected yet. They share the known addresses and the TLS files.
 * @param defaults channel options of grpc-js that the configuration may change
 */
export function makeConnectors(
  config: Config,
  endpoints: readonly Endpoint[],
  clock: Clock,
  names: DnsCache,
  defaults: Readonly<Record<string, number>> = {},
): EndpointConnector[] {
  const { tls, dialTimeoutMs } = config;
  const how = {
    names,
    secure: makeSecure(tls, new TlsFiles(tls)),
    suspects: new TlsSuspects(),
    certFile: tls.certFile,
  };
  const authority = tls.serverName === undefined ? {} : { 'grpc.default_authority': tls.serverName };
  const options = { clock, dialTimeoutMs, grpcOptions: { ...authority, ...defaults, ...config.grpcOptions } };
  return endpoints.map((endpoint) => new EndpointConnector(endpoint, how, options));
}
