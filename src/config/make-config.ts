import { clusterIdText } from '../base/ids.ts';
import type { Notice } from '../base/log.ts';
import { quote } from '../base/quote.ts';
import type { Config, Endpoint, Identity, LoginConfig, TlsConfig } from './config.ts';
import type { ConfigKey } from './config-key.ts';
import { KEYS, MEANINGLESS_KEYS } from './config-keys.ts';
import { endpointsOf } from './endpoints.ts';
import type { FileValues } from './file-values.ts';
import { defaultRefreshMs, longestRefreshMs } from './timing.ts';

/** A checked configuration, and the lines to log about it. */
export interface LoadedConfig {
  readonly config: Config;
  /** Logged at every start, one line each. */
  readonly warnings: readonly Notice[];
  /** Logged with -vv, one line each. */
  readonly notes: readonly Notice[];
}

// An administrator who sets one of these keys expects encryption. `insecure_skip_verify = no` is the exception.
const TLS_KEYS: readonly ConfigKey<unknown>[] = [KEYS.cert, KEYS.caCert, KEYS.serverName];

/** Checks the values against each other. Pure: it reads no file. */
export function makeConfig(
  file: string | undefined,
  settings: FileValues,
  { verbosity, given }: Pick<Config, 'verbosity' | 'given'>,
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
