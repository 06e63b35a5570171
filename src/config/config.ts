import type { Verbosity } from '../base/log.ts';

/** One address to dial. */
export interface Endpoint {
  readonly secure: boolean;
  /** Host name or address. An IPv6 address is written without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface TlsConfig {
  /** PEM file with the CAs to trust. Undefined: the trust store of the system. */
  readonly caFile: string | undefined;
  /** PEM file with the client certificate. It also holds the private key unless `keyFile` is set. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPasswordFile: string | undefined;
  /** The name that the server's certificate must have, instead of the name that was dialed. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

export interface LoginConfig {
  readonly username: string;
  /** Exactly one of `password` and the file is set. The file is read again for each login. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
}

/**
 * Which lock it is, as the options in the lock string of ctdb.conf say. CTDB compares that string between its nodes and
 * shuts down a node whose string differs.
 */
export interface Identity {
  /** `--name`, in capitals. */
  readonly name: string | undefined;
  /** `--cluster-id`, as a decimal string. */
  readonly clusterId: string | undefined;
}

/** The identity when the command line names none. */
export const NO_IDENTITY: Identity = Object.freeze({ name: undefined, clusterId: undefined });

/** All settings of the administrator, checked and frozen. */
export interface Config {
  /** The file that was read. Undefined when there is none, so that every value is the default. */
  readonly file: string | undefined;
  readonly verbosity: Verbosity;
  /** Never empty unless `srvDomain` is set. The SRV records then name the endpoints. */
  readonly endpoints: readonly Endpoint[];
  readonly srvDomain: string | undefined;
  /**
   * The setting that asks for TLS, such as `protocol = https` or `ca_cert`. Members found by `srvDomain` must then use
   * TLS.
   */
  readonly tlsWantedBy: string | undefined;
  /** False: only the first endpoint is used. */
  readonly useOtherMembers: boolean;
  readonly ttlMs: number;
  readonly refreshMs: number;
  /** Starts with `/` and does not end with it. */
  readonly lockPrefix: string;
  /** Neither starts nor ends with `/`. */
  readonly locksDir: string;
  /** The name of the lock. Undefined: `testparm` is asked. */
  readonly netbiosName: string | undefined;
  readonly watchdog: boolean;
  readonly tls: TlsConfig;
  readonly login: LoginConfig | undefined;
  /**
   * Upper limit for one attempt on one member, in milliseconds, below the limit that the TTL gives. Undefined: only
   * that limit applies.
   */
  readonly readTimeoutMs: number | undefined;
  /** Upper limit for setting up one connection, in milliseconds. Undefined: the limit of one attempt applies. */
  readonly dialTimeoutMs: number | undefined;
  /** A decimal uint64: `expected_cluster_id` of the file, or `--cluster-id` of the lock string. */
  readonly expectedClusterId: string | undefined;
  /** The identity in the lock string. The file does not contradict it. */
  readonly given: Identity;
  /** Channel options `grpc.*`, which are handed to grpc-js. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}
