/**
 * The folder `config` reads the configuration file, checks each value and all of them together, and derives the times
 * of the lock. This file makes the `Config`.
 *
 * It guarantees that a `Config` is complete and that its values do not contradict each other. It does not try them: it
 * connects to no endpoint, and a certificate or a password can still be wrong. The command `check` tries them.
 */
import type { Config, Endpoint, Identity, LoginConfig, TlsConfig } from './config.ts';
import { configError, readEntries } from './config-file.ts';
import { KEYS, MEANINGLESS_KEYS } from './config-keys.ts';
import { endpointsOf } from './endpoints.ts';
import type { ConfigKey } from './config-key.ts';
import type { ConfigError } from '../base/errors.ts';
import type { Notice, Verbosity } from '../base/log.ts';
import { checkNamedFiles } from './named-files.ts';
import { clusterIdText } from '../base/ids.ts';
import { quote } from '../base/quote.ts';
import { FileValues } from './file-values.ts';
import { readSmallFile } from '../base/small-file.ts';
import { defaultRefreshMs, longestRefreshMs } from './timing.ts';

/** A checked configuration, and the lines to log about it. */
export interface LoadedConfig {
  readonly config: Config;
  /** Logged at every start, one line each. */
  readonly warnings: readonly Notice[];
  /** Logged with -vv, one line each. */
  readonly notes: readonly Notice[];
}

/** Which configuration the command line selects. */
export interface ConfigChoice {
  /** The path after `-c`; undefined: the default path. */
  readonly configFile: string | undefined;
  readonly verbosity: Verbosity;
  readonly given: Identity;
}

/** The environment variables that have an effect. */
export interface ConfigEnvironment {
  readonly CTDB_BASE?: string | undefined;
}

// CTDB's own directory, as compiled into Samba's packages.
const DEFAULT_BASE = '/etc/ctdb';

// In bytes. A file with every key and a comment for each has 8 KiB.
const LARGEST_CONFIG_BYTES = 65_536;

/** The path to read: the one after `-c`, or `etcd` in CTDB's directory. */
export function configPathOf(args: Pick<ConfigChoice, 'configFile'>, env: ConfigEnvironment): string {
  if (args.configFile !== undefined) return args.configFile;
  const base = env.CTDB_BASE === undefined || env.CTDB_BASE === '' ? DEFAULT_BASE : env.CTDB_BASE;
  return `${base.replace(/\/$/, '')}/etcd`;
}

// An administrator who sets one of these keys expects encryption. `insecure_skip_verify = no` is the exception.
const TLS_KEYS: readonly ConfigKey<unknown>[] = [KEYS.cert, KEYS.caCert, KEYS.serverName];

/**
 * Reads and checks the configuration.
 * @throws {ConfigError} with one line: the file, the line number, the key, the value and what was expected
 */
export function loadConfig(args: ConfigChoice, env: ConfigEnvironment): LoadedConfig {
  const path = configPathOf(args, env);
  const source = readSmallFile(path, LARGEST_CONFIG_BYTES);
  if (source.kind === 'unusable') throw unusable(path, source.problem);
  if (source.kind === 'absent') {
    if (args.configFile !== undefined)
      throw configError('conf-missing', path, undefined, 'no such file, want an existing one after -c');
    return makeConfig(undefined, new FileValues(path, []), args);
  }
  const settings = new FileValues(path, readEntries(source.bytes, path));
  const loaded = makeConfig(path, settings, args);
  const warnings = [
    ...loaded.warnings,
    ...checkNamesEtcd(settings),
    ...checkNamedFiles(settings, source.permissions),
  ];
  return { ...loaded, warnings };
}

function unusable(path: string, problem: string): ConfigError {
  return problem.includes('EACCES')
    ? configError('conf-permission', path, undefined, `${problem}; run as root`)
    : configError('conf-kind', path, undefined, problem);
}

/** Warns about a file that names no endpoint. The default is the local host, which is another etcd on each node. */
function checkNamesEtcd(settings: FileValues): Notice[] {
  const naming: readonly ConfigKey<unknown>[] = [KEYS.hosts, KEYS.host, KEYS.port, KEYS.srvDomain];
  if (naming.some((key) => settings.has(key))) return [];
  const text = `Config ${quote(settings.file)} sets no hosts, so the helper asks 127.0.0.1:2379 on this node`;
  return [{ id: 'warn-no-etcd', text: `${text}; set hosts, the same on all nodes` }];
}

/** Checks the values against each other. Pure: it reads no file. */
export function makeConfig(
  file: string | undefined,
  settings: FileValues,
  { verbosity, given }: Pick<ConfigChoice, 'verbosity' | 'given'>,
): LoadedConfig {
  checkIdentity(settings, given);
  const notes: Notice[] = [];
  const warnings = [...settings.warnings];
  const tls = tlsOf(settings);
  const srvDomain = settings.get(KEYS.srvDomain);
  const endpoints = staticEndpoints(settings);
  checkTlsHasUse(settings, endpoints, notes);
  if (tls.insecureSkipVerify) {
    warnings.push({
      id: 'warn-verify',
      text: `Config ${quote(settings.file)}: insecure_skip_verify is on, so anyone on the network can pose as etcd; set ca_cert instead`,
    });
  }
  for (const key of MEANINGLESS_KEYS) {
    if (settings.has(key))
      notes.push({
        id: 'info-key',
        text: `Config ${quote(settings.file)}: ${key.name} has no effect with etcd v3`,
      });
  }
  const ttlMs = settings.getOrDefault(KEYS.lockTtl) * 1000;
  const config: Config = {
    file,
    verbosity,
    endpoints: Object.freeze(endpoints.map((endpoint) => Object.freeze(endpoint))),
    srvDomain,
    tlsWantedBy: tlsWantedBy(settings),
    useOtherMembers: settings.getOrDefault(KEYS.allowReconnect),
    ttlMs,
    refreshMs: refreshMsOf(settings, ttlMs),
    lockPrefix: settings.getOrDefault(KEYS.lockPrefix),
    locksDir: settings.getOrDefault(KEYS.locksDir),
    netbiosName: settings.get(KEYS.netbiosName),
    watchdog: settings.getOrDefault(KEYS.watchdog),
    tls: Object.freeze(tls),
    login: Object.freeze(loginOf(settings)),
    readTimeoutMs: settings.get(KEYS.readTimeout),
    dialTimeoutMs: settings.get(KEYS.dialTimeout),
    expectedClusterId: settings.get(KEYS.expectedClusterId) ?? given.clusterId,
    given,
    grpcOptions: settings.grpcOptions,
  };
  return { config: Object.freeze(config), warnings, notes };
}

/**
 * @throws {ConfigError} when the lock string and the file name different locks, because neither of the two can be
 * preferred
 */
function checkIdentity(settings: FileValues, { name, clusterId }: Identity): void {
  const as = { id: 'conf-identity' };
  const fileName = settings.get(KEYS.netbiosName);
  if (name !== undefined && fileName !== undefined && fileName !== name)
    throw settings.refuse(KEYS.netbiosName, `${quote(name)}, which is --name in the lock string`, as);
  const fileId = settings.get(KEYS.expectedClusterId);
  if (clusterId !== undefined && fileId !== undefined && fileId !== clusterId) {
    const want = `${clusterIdText(clusterId)}, which is --cluster-id in the lock string`;
    throw settings.refuse(KEYS.expectedClusterId, want, as);
  }
}

function refreshMsOf(settings: FileValues, ttlMs: number): number {
  const refreshMs = settings.get(KEYS.refresh);
  if (refreshMs === undefined) return defaultRefreshMs(ttlMs);
  const longestMs = longestRefreshMs(ttlMs);
  if (refreshMs <= longestMs) return refreshMs;
  const longest = (Math.floor(longestMs / 10) / 100).toString();
  throw settings.refuse(KEYS.refresh, `at most ${longest} s with a lock_ttl of ${ttlMs / 1000} s`, {
    id: 'conf-refresh',
  });
}

/** The members that the file names; none when SRV records name them. */
function staticEndpoints(settings: FileValues): Endpoint[] {
  // Two keys that both name the cluster contradict each other. Two nodes could then take two locks.
  for (const [key, other] of [
    [KEYS.host, KEYS.hosts],
    [KEYS.srvDomain, KEYS.hosts],
    [KEYS.host, KEYS.srvDomain],
    [KEYS.port, KEYS.srvDomain],
  ] as const) {
    if (settings.has(key) && settings.has(other))
      throw settings.refuse(key, `either ${key.name} or ${other.name}, not both`, { id: 'conf-one-of' });
  }
  if (settings.has(KEYS.srvDomain)) return [];
  const addresses = settings.get(KEYS.hosts) ?? [settings.getOrDefault(KEYS.host)];
  const secure = settings.getOrDefault(KEYS.protocol) === 'https';
  return endpointsOf(addresses, secure, settings.getOrDefault(KEYS.port));
}

function requirePartner(
  settings: FileValues,
  key: ConfigKey<unknown>,
  partners: readonly ConfigKey<unknown>[],
): void {
  if (!settings.has(key) || partners.some((partner) => settings.has(partner))) return;
  const names = partners.map((partner) => partner.name).join(' or ');
  throw settings.refuse(key, `${names} as well`, { id: 'conf-partner' });
}

function tlsOf(settings: FileValues): TlsConfig {
  requirePartner(settings, KEYS.key, [KEYS.cert]);
  requirePartner(settings, KEYS.keyPasswordFile, [KEYS.key, KEYS.cert]);
  return {
    caFile: settings.get(KEYS.caCert),
    certFile: settings.get(KEYS.cert),
    keyFile: settings.get(KEYS.key),
    keyPasswordFile: settings.get(KEYS.keyPasswordFile),
    serverName: settings.get(KEYS.serverName),
    insecureSkipVerify: settings.getOrDefault(KEYS.insecureSkipVerify),
  };
}

/** The first setting in the file that asks for TLS. The schemes in `hosts` are not looked at. */
function tlsWantedBy(settings: FileValues): string | undefined {
  if (settings.get(KEYS.protocol) === 'https') return 'protocol = https';
  return TLS_KEYS.find((key) => settings.has(key))?.name;
}

/**
 * @throws {ConfigError} when the file names certificates but every endpoint is plain text: the administrator expects
 * encryption
 */
function checkTlsHasUse(settings: FileValues, endpoints: readonly Endpoint[], notes: Notice[]): void {
  const plain = endpoints.filter((endpoint) => !endpoint.secure);
  // Each member found by SRV records says itself whether it uses TLS.
  if (plain.length === 0 || settings.has(KEYS.srvDomain)) return;
  if (plain.length < endpoints.length) {
    const hosts = plain.map(({ host, port }) => `${host}:${port}`).join(', ');
    notes.push({
      id: 'info-key',
      text: `Config ${quote(settings.file)}: not encrypted, unlike the other hosts: ${hosts}`,
    });
    return;
  }
  for (const key of TLS_KEYS) {
    if (settings.has(key))
      throw settings.refuse(key, 'protocol = https as well, because no host uses TLS', {
        id: 'conf-tls',
      });
  }
}

function loginOf(settings: FileValues): LoginConfig | undefined {
  requirePartner(settings, KEYS.username, [KEYS.password, KEYS.passwordFile]);
  requirePartner(settings, KEYS.password, [KEYS.username]);
  requirePartner(settings, KEYS.passwordFile, [KEYS.username]);
  if (settings.has(KEYS.password) && settings.has(KEYS.passwordFile)) {
    throw settings.refuse(KEYS.passwordFile, 'either password or password_file, not both', {
      id: 'conf-one-of',
    });
  }
  const username = settings.get(KEYS.username);
  if (username === undefined) return undefined;
  return { username, password: settings.get(KEYS.password), passwordFile: settings.get(KEYS.passwordFile) };
}
