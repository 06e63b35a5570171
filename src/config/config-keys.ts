import { absolutePath, anyText, clusterId, oneOf, seconds, wholeNumber, yesOrNo } from './value-checks.ts';
import { addressesOf, addressOf, srvDomain } from './endpoints.ts';
import { hostName } from './host.ts';
import { type ConfigKey, type KeyParts, makeKey } from './config-key.ts';
import { keyDirectory, lockName } from './name-checks.ts';
import { LONGEST_TTL_MS } from './timing.ts';

const LONGEST_TTL_S = LONGEST_TTL_MS / 1000;

const text = (name: string, range: string, parts: KeyParts<string>): ConfigKey<string> =>
  makeKey(name, 'text', range, anyText, parts);

const file = (name: string, parts: KeyParts<string>): ConfigKey<string> =>
  makeKey(name, 'file', 'the absolute path of a file', absolutePath, parts);

const flag = (name: string, parts: KeyParts<boolean>): ConfigKey<boolean> =>
  makeKey(name, 'yes or no', 'yes or no', yesOrNo, parts);

const duration = (
  name: string,
  smallest: number,
  largest: number,
  parts: KeyParts<number>,
): ConfigKey<number> =>
  makeKey(
    name,
    'number',
    `seconds from ${smallest} to ${largest}`,
    (want) => seconds(smallest, largest, want),
    { unit: 's', ...parts },
  );

const meaningless = (name: string, meaning: string): ConfigKey<string> =>
  makeKey(name, 'text', 'anything', () => (value) => ({ value }), { origin: 'python-etcd', meaning });

/** All keys except the channel options of gRPC, in the order of the documentation. */
export const KEYS = {
  hosts: makeKey('hosts', 'list', 'hosts separated by commas or spaces', () => addressesOf, {
    tells: 'which etcd',
    origin: 'new',
    meaning:
      'The members of the etcd cluster. List all of them, each as host, host:port or [IPv6 address]:port; http:// or https:// in front replaces protocol',
  }),
  host: makeKey('host', 'text', 'one host', () => addressOf, {
    tells: 'which etcd',
    origin: 'python-etcd',
    defaultText: '127.0.0.1',
    meaning: 'One member, for a file without hosts',
  }),
  port: makeKey('port', 'whole number', 'a port from 1 to 65535', (want) => wholeNumber(1, 65_535, want), {
    tells: 'which etcd',
    origin: 'Samba',
    defaultText: '2379',
    meaning: 'Port of each host that is written without a port',
  }),
  protocol: makeKey('protocol', 'word', 'http or https', (want) => oneOf(['http', 'https'], want), {
    origin: 'python-etcd',
    defaultText: 'http',
    meaning: 'Plain text (http) or TLS (https), for each host that is written without http:// or https://',
  }),
  srvDomain: makeKey('srv_domain', 'text', 'a domain name', srvDomain, {
    tells: 'which etcd',
    origin: 'python-etcd',
    meaning:
      'Domain whose SRV records _etcd-client-ssl._tcp and _etcd-client._tcp name the members, instead of hosts',
  }),
  allowReconnect: flag('allow_reconnect', {
    origin: 'python-etcd',
    defaultText: 'yes',
    meaning: 'Use the other members when one fails. With no, the helper uses the first host only',
  }),
  lockTtl: makeKey(
    'lock_ttl',
    'whole number',
    `whole seconds from 2 to ${LONGEST_TTL_S}`,
    (want) => wholeNumber(2, LONGEST_TTL_S, want),
    {
      origin: 'Samba',
      unit: 's',
      defaultText: '9',
      meaning:
        'TTL of the lease. After the death of a holder on another host, the lock is free after at most this time and 1 s',
    },
  ),
  refresh: duration('refresh', 0.1, 3_600, {
    aliases: ['lock_refresh'],
    origin: 'Samba',
    defaultText: '2',
    meaning:
      'Time between two renewals. Two failed attempts must fit in before the deadline, so the largest value is 4.5 for a lock_ttl of 9',
  }),
  locksDir: makeKey(
    'locks_dir',
    'text',
    'a directory such as _ctdb, in printable ASCII without space',
    (want) => keyDirectory(false, want),
    {
      tells: 'which lock',
      origin: 'Samba',
      defaultText: '_ctdb',
      meaning: 'Directory of all CTDB locks, below lock_prefix',
    },
  ),
  lockPrefix: makeKey(
    'lock_prefix',
    'text',
    'a directory that starts with / such as /_locks, in printable ASCII without space',
    (want) => keyDirectory(true, want),
    {
      tells: 'which lock',
      origin: 'python-etcd',
      defaultText: '/_locks',
      meaning: 'Directory of all locks in etcd',
    },
  ),
  netbiosName: makeKey(
    'netbios_name',
    'text',
    'at most 255 printable ASCII characters without space and /',
    lockName,
    {
      tells: 'which lock',
      origin: 'new',
      meaning:
        'Name of the lock, the same on all nodes. The helper changes it to upper case. Without this key, the lock has the NetBIOS name that testparm prints',
    },
  ),
  watchdog: flag('watchdog', {
    origin: 'new',
    defaultText: 'yes',
    meaning: 'Run the watchdog, a second small process that kills a holder that is frozen past its deadline',
  }),
  caCert: file('ca_cert', {
    origin: 'python-etcd',
    meaning:
      "PEM file with the authorities that may sign a member's certificate. Without this key, the authorities of the system may",
  }),
  cert: file('cert', {
    origin: 'python-etcd',
    meaning:
      'PEM file with the client certificate. The file must also have the private key, unless key is set',
  }),
  key: file('key', { origin: 'new', meaning: 'PEM file with the private key of cert' }),
  keyPasswordFile: file('key_password_file', {
    origin: 'new',
    meaning: 'File whose first line is the password of the private key',
  }),
  serverName: makeKey('server_name', 'text', 'a host name or an address', hostName, {
    origin: 'new',
    meaning: "Name that each member's certificate must have, instead of the name or address of its host",
  }),
  insecureSkipVerify: flag('insecure_skip_verify', {
    origin: 'new',
    defaultText: 'no',
    meaning: 'Do not verify the certificates of the members. Anyone on the network can then pose as etcd',
  }),
  username: text('username', 'a user name', {
    origin: 'python-etcd',
    meaning: 'User in etcd. A password belongs to it',
  }),
  password: text('password', 'a password', {
    origin: 'python-etcd',
    secret: true,
    meaning: 'Password of username. It is safer in a password_file',
  }),
  passwordFile: file('password_file', {
    origin: 'new',
    meaning: 'File whose first line is the password of username. The helper reads the file before each login',
  }),
  readTimeout: duration('read_timeout', 0.1, 3_600, {
    origin: 'python-etcd',
    meaning: 'Limit for one call to one member, if it is shorter than the 1.5 s that each call has',
  }),
  dialTimeout: duration('dial_timeout', 0.1, 3_600, {
    origin: 'etcd3',
    meaning: 'Limit for opening one connection, if it is shorter than the limit of a call',
  }),
  expectedClusterId: makeKey(
    'expected_cluster_id',
    'number',
    'a cluster ID from 1 to 2^64-1, in hex with 0x or a letter in it, or decimal',
    clusterId,
    {
      tells: 'which etcd',
      origin: 'python-etcd',
      meaning: 'ID of the etcd cluster. The helper refuses every other cluster',
    },
  ),
  versionPrefix: meaningless('version_prefix', 'No effect: etcd v3 has no paths'),
  allowRedirect: meaningless('allow_redirect', 'No effect: members of etcd v3 do not redirect'),
  useProxies: meaningless('use_proxies', 'No effect: etcd v3 has no proxies of that kind'),
  perHostPoolSize: meaningless('per_host_pool_size', 'No effect: each member has one connection'),
} as const;

/** Keys that are accepted and have no effect. */
export const MEANINGLESS_KEYS: readonly ConfigKey<unknown>[] = [
  KEYS.versionPrefix,
  KEYS.allowRedirect,
  KEYS.useProxies,
  KEYS.perHostPoolSize,
];

const KEYS_BY_NAME: ReadonlyMap<string, ConfigKey<unknown>> = new Map(
  Object.values(KEYS).flatMap((key: ConfigKey<unknown>) =>
    [key.name, ...key.aliases].map((name) => [name, key]),
  ),
);

/** The key with that name or alias; undefined when there is none. */
export function keyNamed(name: string): ConfigKey<unknown> | undefined {
  return KEYS_BY_NAME.get(name);
}

/** Names and aliases of all keys. */
export const KEY_NAMES: readonly string[] = [...KEYS_BY_NAME.keys()];
