import type { Verbosity } from '../base/log.ts';

/** One address to dial. */
export interface Endpoint {
  readonly secure: boolean;
  /** Host name or address; an IPv6 address stands without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface TlsConfig {
  /** PEM file with the CAs to trust; without it the system's trust store. */
  readonly caFile: string | undefined;
  /** PEM file with the client certificate, and the key too unless `keyFile` names another. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPasswordFile: string | undefined;
  /** The name that the server's certificate must have, instead of the one that was dialled. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

export interface LoginConfig {
  readonly username: string;
  /** Exactly one of the two is set. The file is read anew for each login. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
}

/**
 * Which lock it is, by the options in the lock string of ctdb.conf. CTDB compares that string between its nodes and shuts
 * down a node that has another.
 */
export interface Identity {
  /** `--name`, in capitals. */
  readonly name: string | undefined;
  /** `--cluster-id`, as a decimal string. */
  readonly clusterId: string | undefined;
}

/** The command line says nothing of it. */
export const NO_IDENTITY: Identity = Object.freeze({ name: undefined, clusterId: undefined });

/** Everything that the administrator decides, checked and frozen. */
export interface Config {
  /** The file that was read; undefined when there was none and all is default. */
  readonly file: string | undefined;
  readonly verbosity: Verbosity;
  /** Never empty, unless `srvDomain` is set, which then gives the endpoints. */
  readonly endpoints: readonly Endpoint[];
  readonly srvDomain: string | undefined;
  /** What in the file asks for TLS, such as `protocol = https` or `ca_cert`; members of `srvDomain` then have to speak it. */
  readonly tlsWantedBy: string | undefined;
  /** False: only the first endpoint is ever used. */
  readonly useOtherMembers: boolean;
  readonly ttlMs: number;
  readonly refreshMs: number;
  /** Starts with `/`, ends without. */
  readonly lockPrefix: string;
  /** Neither starts nor ends with `/`. */
  readonly locksDir: string;
  /** The lock's name; undefined means to ask `testparm`. */
  readonly netbiosName: string | undefined;
  readonly watchdog: boolean;
  readonly tls: TlsConfig;
  readonly login: LoginConfig | undefined;
  /** Upper bound for one attempt on one member, on top of the design's own; undefined when not configured. */
  readonly readTimeoutMs: number | undefined;
  /** Upper bound for setting up one connection; undefined when not configured. */
  readonly dialTimeoutMs: number | undefined;
  /** As a decimal string: `expected_cluster_id` of the file, or what the lock string says. */
  readonly expectedClusterId: string | undefined;
  /** What the lock string says; what the file says too agrees with it. */
  readonly given: Identity;
  /** `grpc.*` channel options, passed through. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}
