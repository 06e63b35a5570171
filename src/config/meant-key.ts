import { KEY_NAMES, keyNamed, KEYS } from './config-keys.ts';
import type { ConfigKey } from './config-key.ts';
import { nearest, plain } from '../base/nearest.ts';

/** Names that other programs, or administrators from memory, use for these keys. */
const SYNONYMS: readonly (readonly [ConfigKey<unknown>, readonly string[]])[] = [
  [
    KEYS.hosts,
    [
      'endpoint',
      'endpoints',
      'server',
      'servers',
      'member',
      'members',
      'node',
      'nodes',
      'peer',
      'peers',
      'address',
      'addresses',
      'url',
      'urls',
      'client_url',
      'client_urls',
      'listen_client_urls',
      'advertise_client_urls',
      'initial_cluster',
      'cluster',
      'etcd',
      'host_list',
      'hostname',
      'hostnames',
    ],
  ],
  [KEYS.port, ['ports', 'client_port']],
  [KEYS.srvDomain, ['srv', 'domain', 'discovery', 'discovery_srv', 'dns_srv', 'dns_domain', 'srv_record']],
  [
    KEYS.netbiosName,
    ['name', 'names', 'netbios', 'nb_name', 'lock', 'lock_name', 'cluster_name', 'ctdb_name', 'lock_key'],
  ],
  [KEYS.lockPrefix, ['prefix', 'key_prefix', 'root', 'lock_root', 'namespace', 'lock_path', 'path']],
  [KEYS.locksDir, ['dir', 'directory', 'locks', 'lock_dir', 'lock_directory', 'locks_directory']],
  [KEYS.expectedClusterId, ['cluster_id', 'id', 'clusterid', 'expected_id']],
  [KEYS.lockTtl, ['ttl', 'lease_ttl', 'session_ttl']],
  [KEYS.readTimeout, ['timeout', 'request_timeout', 'command_timeout']],
  [KEYS.username, ['user', 'login']],
  [KEYS.password, ['pass', 'passwd']],
  [KEYS.caCert, ['ca', 'cafile', 'ca_file', 'cacert', 'trusted_ca_file']],
  [KEYS.cert, ['certfile', 'cert_file', 'client_cert', 'certificate']],
  [KEYS.key, ['keyfile', 'key_file', 'client_key', 'private_key']],
];

// In letters. In a shorter word, one wrong letter matches too many other words.
const SHORTEST_MISSPELLED = 6;

interface Words {
  readonly keyOf: ReadonlyMap<string, ConfigKey<unknown>>;
  /** The words that a misspelled word is compared with. */
  readonly misspelled: readonly string[];
}

let words: Words | undefined;

/** Made when the first unknown key is read, because most files have none. */
function allWords(): Words {
  const keyOf = new Map<string, ConfigKey<unknown>>();
  for (const [key, synonyms] of SYNONYMS) for (const word of synonyms) keyOf.set(plain(word), key);
  for (const name of KEY_NAMES) {
    const key = keyNamed(name);
    if (key !== undefined) keyOf.set(plain(name), key);
  }
  const long = [...keyOf.keys()].filter((word) => word.length >= SHORTEST_MISSPELLED);
  return { keyOf, misspelled: [...new Set([...KEY_NAMES.map(plain), ...long])] };
}

/** Parts of a longer word that show which key is meant, such as `serverlist` in `etcd_server_list`. */
const TELLING: readonly (readonly [RegExp, ConfigKey<unknown>])[] = [
  [/netbios/, KEYS.netbiosName],
  [/srv|domain/, KEYS.srvDomain],
  [
    /endpoint|hosts|servers|members|nodes|peers|addresses|urls|(server|member|node|peer|host|address|url)list/,
    KEYS.hosts,
  ],
  [/clusterid/, KEYS.expectedClusterId],
  [/prefix/, KEYS.lockPrefix],
  [/locksdir|lockdir/, KEYS.locksDir],
];

/** The known key that an unknown one was most likely meant to be; undefined when none is near. */
export function meantKey(word: string): ConfigKey<unknown> | undefined {
  words ??= allWords();
  const { keyOf, misspelled } = words;
  const wanted = plain(word);
  const known = keyOf.get(wanted) ?? keyOf.get(wanted.replace(/^(etcd|ctdb)(?=.)/, ''));
  if (known !== undefined) return known;
  const near = nearest(word, misspelled);
  if (near !== undefined) return keyOf.get(near);
  return TELLING.find(([pattern]) => pattern.test(wanted))?.[1];
}
