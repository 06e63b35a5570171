import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../../src/config/config.ts';
import { CONFIG_NAME, configErrorOf, configOf } from '../../support/config-text.ts';
import { NO_TLS_KEYS } from '../../support/tls-config.ts';

const DEFAULTS: Config = {
  file: CONFIG_NAME,
  verbosity: 0,
  endpoints: [{ secure: false, host: '127.0.0.1', port: 2379 }],
  srvDomain: undefined,
  tlsWantedBy: undefined,
  useOtherMembers: true,
  ttlMs: 9_000,
  refreshMs: 2_000,
  lockPrefix: '/_locks',
  locksDir: '_ctdb',
  netbiosName: undefined,
  watchdog: true,
  tls: NO_TLS_KEYS,
  login: undefined,
  readTimeoutMs: undefined,
  dialTimeoutMs: undefined,
  expectedClusterId: undefined,
  given: { name: undefined, clusterId: undefined },
  grpcOptions: {},
};

test('an empty file is all defaults', () => {
  assert.deepEqual(configOf(''), { config: DEFAULTS, warnings: [], notes: [] });
});

// From Samba's ctdb-etcd(7), character by character as `man` shows it.
const MANUAL_SAMPLE = `
           port      = 2379   # connecting port for the etcd cluster
           lock_ttl  = 9      # seconds for TTL
           refresh   = 2      # seconds between attempts to maintain lock
           locks_dir = _ctdb  # where to store CTDB locks in etcd
                              # The final etcd directory for any given lock looks like:
                              #   /_locks/{locks_dir}/{netbios name}/

`;

test("the sample of Samba's manual page works as pasted, trailing comments and all", () => {
  assert.deepEqual(configOf(MANUAL_SAMPLE), { config: DEFAULTS, warnings: [], notes: [] });
});

test('the sample with other numbers is read, not merely passed over', () => {
  const text = MANUAL_SAMPLE.replace('2379', '4001')
    .replace('9 ', '30 ')
    .replace('= 2 ', '= 5 ')
    .replace('_ctdb', 'x/y');
  const { config } = configOf(text);
  assert.equal(config.endpoints[0]?.port, 4_001);
  assert.equal(config.ttlMs, 30_000);
  assert.equal(config.refreshMs, 5_000);
  assert.equal(config.locksDir, 'x/y');
});

test('every keyword of the python-etcd client is understood', () => {
  const { config, warnings } = configOf(`
    host = etcd1.example.com
    port = 4001
    version_prefix = /v2
    read_timeout = 60
    allow_redirect = True
    protocol = https
    cert = /etc/ssl/both.pem
    ca_cert = /etc/ssl/ca.pem
    username = ctdb
    password = it's "a" secret
    allow_reconnect = False
    use_proxies = False
    expected_cluster_id = cdf818194e3a8c32
    per_host_pool_size = 10
    lock_prefix = /_locks
  `);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config, {
    ...DEFAULTS,
    endpoints: [{ secure: true, host: 'etcd1.example.com', port: 4_001 }],
    tlsWantedBy: 'protocol = https',
    useOtherMembers: false,
    tls: { ...DEFAULTS.tls, certFile: '/etc/ssl/both.pem', caFile: '/etc/ssl/ca.pem' },
    login: { username: 'ctdb', password: `it's "a" secret`, passwordFile: undefined },
    readTimeoutMs: 60_000,
    expectedClusterId: BigInt('0xcdf818194e3a8c32').toString(),
  });
});

test('every new key is understood', () => {
  const { config, warnings } = configOf(`
    hosts = https://a, b:4001 [fd00::1]
    protocol = https
    key = /k
    cert = /c
    key_password_file = /kp
    username = u
    password_file = /p
    server_name = etcd.example.com
    netbios_name = Cluster
    watchdog = no
    dial_timeout = .5
    grpc.keepalive_time_ms = 10000
    grpc.primary_user_agent = "lock # 1"
  `);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config, {
    ...DEFAULTS,
    endpoints: [
      { secure: true, host: 'a', port: 2_379 },
      { secure: true, host: 'b', port: 4_001 },
      { secure: true, host: 'fd00::1', port: 2_379 },
    ],
    tlsWantedBy: 'protocol = https',
    netbiosName: 'CLUSTER',
    watchdog: false,
    tls: {
      ...DEFAULTS.tls,
      certFile: '/c',
      keyFile: '/k',
      keyPasswordFile: '/kp',
      serverName: 'etcd.example.com',
    },
    login: { username: 'u', password: undefined, passwordFile: '/p' },
    dialTimeoutMs: 500,
    grpcOptions: { 'grpc.keepalive_time_ms': 10_000, 'grpc.primary_user_agent': 'lock # 1' },
  });
});

test('a config is frozen to its depths', () => {
  const { config } = configOf('hosts = a b\nusername = u\npassword = p\ngrpc.keepalive_time_ms = 10000');
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    assert.ok(Object.isFrozen(value), JSON.stringify(value));
    Object.values(value).forEach(visit);
  };
  visit(config);
});

const SAME: readonly (readonly [string, Partial<Config>])[] = [
  ['lock_refresh = 3', { refreshMs: 3_000 }],
  ['refresh = 0.25', { refreshMs: 250 }],
  ['refresh = 4.5', { refreshMs: 4_500 }],
  ['lock_ttl = 2', { ttlMs: 2_000, refreshMs: 333 }],
  ['lock_ttl = 300\nrefresh = 60', { ttlMs: 300_000, refreshMs: 60_000 }],
  ['lock_ttl = +09', {}],
  ['host = 10.0.0.1:4001\nport = 5', { endpoints: [{ secure: false, host: '10.0.0.1', port: 4_001 }] }],
  ['host = https://etcd', { endpoints: [{ secure: true, host: 'etcd', port: 2_379 }] }],
  [
    'protocol = HTTPS\nhost = ::1',
    { tlsWantedBy: 'protocol = https', endpoints: [{ secure: true, host: '::1', port: 2_379 }] },
  ],
  ['srv_domain = example.com', { endpoints: [], srvDomain: 'example.com' }],
  [
    'srv_domain = example.com\nca_cert = /ca',
    {
      endpoints: [],
      srvDomain: 'example.com',
      tlsWantedBy: 'ca_cert',
      tls: { ...DEFAULTS.tls, caFile: '/ca' },
    },
  ],
  [
    'srv_domain = bücher.example\nserver_name = größe.example',
    {
      endpoints: [],
      srvDomain: 'xn--bcher-kva.example',
      tlsWantedBy: 'server_name',
      tls: { ...DEFAULTS.tls, serverName: 'xn--gre-6ka8i.example' },
    },
  ],
  ['srv_domain = example.com\nprotocol = http', { endpoints: [], srvDomain: 'example.com' }],
  ['locks_dir = /a/b/', { locksDir: 'a/b' }],
  ['lock_prefix = /locks/', { lockPrefix: '/locks' }],
  ['allow_reconnect = off', { useOtherMembers: false }],
  ['allow_reconnect = 0', { useOtherMembers: false }],
  ['watchdog = On', {}],
  ['expected_cluster_id = 14841639068965178418', { expectedClusterId: '14841639068965178418' }],
  ['expected_cluster_id = 0x10', { expectedClusterId: '16' }],
  ['expected_cluster_id = FF', { expectedClusterId: '255' }],
  ['expected_cluster_id = 10', { expectedClusterId: '10' }],
];

for (const [text, difference] of SAME) {
  test(`config ${JSON.stringify(text)} is understood`, () => {
    assert.deepEqual(configOf(text), { config: { ...DEFAULTS, ...difference }, warnings: [], notes: [] });
  });
}

const NAME = 'at most 255 printable ASCII characters without space and /';
const LOCKS_DIR = 'a directory such as _ctdb, in printable ASCII without space';
const LOCK_PREFIX = 'a directory that starts with / such as /_locks, in printable ASCII without space';

/** Line, key and value as the message shows them, and what it wants. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['lock_ttl = soon', 'line 1: lock_ttl is "soon", want whole seconds from 2 to 300'],
  ['\n\nlock_ttl = 1', 'line 3: lock_ttl is "1", want whole seconds from 2 to 300'],
  ['lock_ttl = 301', 'line 1: lock_ttl is "301", want whole seconds from 2 to 300'],
  ['lock_ttl = 9.0', 'line 1: lock_ttl is "9.0", want whole seconds from 2 to 300'],
  ['lock_ttl = 9.5', 'line 1: lock_ttl is "9.5", want whole seconds from 2 to 300'],
  ['lock_ttl = 9s', 'line 1: lock_ttl is "9s", want whole seconds from 2 to 300'],
  ['lock_ttl = 0x9', 'line 1: lock_ttl is "0x9", want whole seconds from 2 to 300'],
  ['lock_ttl = 1e1', 'line 1: lock_ttl is "1e1", want whole seconds from 2 to 300'],
  ['lock_ttl = NaN', 'line 1: lock_ttl is "NaN", want whole seconds from 2 to 300'],
  ['lock_ttl = -9', 'line 1: lock_ttl is "-9", want whole seconds from 2 to 300'],
  ['lock_ttl =', 'line 1: lock_ttl is "", want whole seconds from 2 to 300'],
  ['refresh = 0', 'line 1: refresh is "0", want seconds from 0.1 to 3600'],
  ['lock_refresh = .', 'line 1: lock_refresh is ".", want seconds from 0.1 to 3600'],
  ['refresh = 4.6', 'line 1: refresh is "4.6", want at most 4.5 s with a lock_ttl of 9 s'],
  [
    'lock_ttl = 4\nlock_refresh = 2',
    'line 2: lock_refresh is "2", want at most 1.5 s with a lock_ttl of 4 s',
  ],
  ['port = 0', 'line 1: port is "0", want a port from 1 to 65535'],
  ['port = 2379,2380', 'line 1: port is "2379,2380", want a port from 1 to 65535'],
  ['protocol = ftp', 'line 1: protocol is "ftp", want http or https'],
  ['allow_reconnect = maybe', 'line 1: allow_reconnect is "maybe", want yes or no'],
  ['host = a, b', 'line 1: host is "a, b", want one host; for several, set hosts instead'],
  ['host = a\nhosts = b', 'line 1: host is "a", want either host or hosts, not both'],
  ['hosts = b\nsrv_domain = a', 'line 2: srv_domain is "a", want either srv_domain or hosts, not both'],
  ['srv_domain = a b', 'line 1: srv_domain is "a b", want a domain name'],
  [
    'srv_domain = _etcd-client._tcp.example.com',
    'line 1: srv_domain is "_etcd-client._tcp.example.com", want the domain alone, example.com, because the helper puts _etcd-client._tcp in front',
  ],
  ['srv_domain = a\nhost = b', 'line 2: host is "b", want either host or srv_domain, not both'],
  ['port = 2379\nsrv_domain = a', 'line 1: port is "2379", want either port or srv_domain, not both'],
  ...['http://h:2379/v3', 'h:2379/', 'https://h/?x'].map((host): [string, string] => [
    `hosts = ${host}`,
    `line 1: hosts is "${host}", want a host and port without a path, because etcd v3 has none`,
  ]),
  [
    'hosts = a:2379 b:2379/ c',
    'line 1: hosts is "a:2379 b:2379/ c", want a host and port without a path, because etcd v3 has none; "b:2379/" is wrong',
  ],
  ['hosts = a:2379;b:2379', 'line 1: hosts is "a:2379;b:2379", want commas or spaces between hosts, not ";"'],
  ['host = a;b', 'line 1: host is "a;b", want one host; for several, set hosts instead'],
  ['; refresh = 2', 'line 1: a line that starts with ";", want "#" in front of a comment'],
  ['[global]', 'line 1: a section in brackets, want only lines of "key = value"'],
  ['export hosts=a', 'line 1: a line of a shell, want hosts without a word in front'],
  [
    'export colour=a',
    'line 1: no key before the "=", want "key = value" with letters, digits, "_", "." or "-" as key',
  ],
  [
    'netbios name = FILES',
    'line 1: no key before the "=", want "key = value" with letters, digits, "_", "." or "-" as key, did you mean netbios_name',
  ],
  ['hosts\u200b = a', 'line 1: a key with U+200B ZERO WIDTH SPACE, want plain letters, did you mean hosts'],
  [
    'netbios_name = \u201cFILES\u201d',
    `line 1: the value of netbios_name begins with U+201C LEFT DOUBLE QUOTATION MARK, want "value" or 'value'`,
  ],
  [
    'username = u\npassword = \u2018hunter2\u2019',
    `line 2: the value of password begins with U+2018 LEFT SINGLE QUOTATION MARK, want "value" or 'value'`,
  ],
  ['hosts = a\n\nhosts = b', 'line 3: hosts is set twice, in line 1 to another value, want one of the two'],
  [
    'netbios_name = A\nnetbios_name = a',
    'line 2: netbios_name is set twice, in line 1 to another value, want one of the two',
  ],
  ['lock_prefix = locks', `line 1: lock_prefix is "locks", want ${LOCK_PREFIX}`],
  ['lock_prefix = /', `line 1: lock_prefix is "/", want ${LOCK_PREFIX}`],
  [
    'locks_dir = a//b',
    `line 1: locks_dir is "a//b", want ${LOCKS_DIR}; it has an empty name between two slashes`,
  ],
  [
    `lock_prefix = /${'p'.repeat(4_000)}`,
    `line 1: lock_prefix is "/${'p'.repeat(119)}...", want ${LOCK_PREFIX}; it has 4001 characters, and may have 1024`,
  ],
  ['netbios_name = a/b', `line 1: netbios_name is "a/b", want ${NAME}; it has U+002F SOLIDUS`],
  ['netbios_name = a b', `line 1: netbios_name is "a b", want ${NAME}; it has U+0020 SPACE`],
  ['netbios_name = ""', `line 1: netbios_name is "", want ${NAME}`],
  [`netbios_name = ${'N'.repeat(256)}`, `line 1: netbios_name is "${'N'.repeat(120)}...", want ${NAME}`],
  ...(
    [
      ['FILES\u200b', 'FILES\\u200b', 'U+200B ZERO WIDTH SPACE'],
      ['FI\u00adLES', 'FI\\u00adLES', 'U+00AD SOFT HYPHEN'],
      ['FILES\u2060', 'FILES\\u2060', 'U+2060 WORD JOINER'],
      ['FILES\u180e', 'FILES\\u180e', 'U+180E MONGOLIAN VOWEL SEPARATOR'],
      ['FIL\u0415S', 'FIL\\u0415S', 'U+0415 (a Cyrillic letter)'],
      ['F\u0399LES', 'F\\u0399LES', 'U+0399 (a Greek letter)'],
      ['\uff26ILES', '\\uff26ILES', 'U+FF26 (a fullwidth form)'],
      ['FILES\u{e0020}', 'FILES\\udb40\\udc20', 'U+E0020'],
      ['FIL\u00c9S', 'FIL\\u00c9S', 'U+00C9'],
      ['FILES\u0085', 'FILES\\u0085', 'U+0085 (a control character)'],
      ['FILES\u3164', 'FILES\\u3164', 'U+3164 HANGUL FILLER'],
    ] as const
  ).flatMap(([text, shown, name]): [string, string][] => [
    [`netbios_name = ${text}`, `line 1: netbios_name is "${shown}", want ${NAME}; it has ${name}`],
    [`locks_dir = ${text}`, `line 1: locks_dir is "${shown}", want ${LOCKS_DIR}; it has ${name}`],
    [`lock_prefix = /${text}`, `line 1: lock_prefix is "/${shown}", want ${LOCK_PREFIX}; it has ${name}`],
  ]),
  ['locks_dir = a b', `line 1: locks_dir is "a b", want ${LOCKS_DIR}; it has U+0020 SPACE`],
  ['cert = ssl/cert.pem', 'line 1: cert is "ssl/cert.pem", want the absolute path of a file'],
  ['cert = /c', 'line 1: cert is "/c", want protocol = https as well, because no host uses TLS'],
  [
    'ca_cert = /c\nhosts = http://a',
    'line 1: ca_cert is "/c", want protocol = https as well, because no host uses TLS',
  ],
  ['protocol = https\nkey = /k', 'line 2: key is "/k", want cert as well'],
  ['protocol = https\nkey_password_file = /k', 'line 2: key_password_file is "/k", want key or cert as well'],
  ['server_name = a:1', 'line 1: server_name is "a:1", want a host name or an address'],
  ['username = u', 'line 1: username is "u", want password or password_file as well'],
  ['password = hunter2', 'line 1: password is (not shown), want username as well'],
  ['password =', 'line 1: password is (not shown), want a password'],
  ['password = #hunter2', 'line 1: password is (not shown), want a password'],
  ['password_file = /p', 'line 1: password_file is "/p", want username as well'],
  [
    'username = u\npassword = hunter2\npassword_file = /p',
    'line 3: password_file is "/p", want either password or password_file, not both',
  ],
  [
    'hosts = https://u:hunter2@a',
    'line 1: hosts is (not shown), want no user name in an address; set username and password_file',
  ],
  ['read_timeout = never', 'line 1: read_timeout is "never", want seconds from 0.1 to 3600'],
  ['dial_timeout = 0.01', 'line 1: dial_timeout is "0.01", want seconds from 0.1 to 3600'],
  ...['0', '18446744073709551616', 'xyz', '0x', '-1'].map((value): [string, string] => [
    `expected_cluster_id = ${value}`,
    `line 1: expected_cluster_id is "${value}", want a cluster ID from 1 to 2^64-1, in hex with 0x or a letter in it, or decimal`,
  ]),
  [
    'grpc.keepalive_time_ms = 10',
    'line 1: grpc.keepalive_time_ms is "10", want a whole number from 5000 to 3600000',
  ],
  [
    'grpc.enable_retries = 1',
    'line 1: grpc.enable_retries is "1", want no such line: retries below the lock would repeat transactions whose outcome is unknown',
  ],
  ['watchdog = \u202eno', 'line 1: watchdog is "\\u202eno", want yes or no'],
];

for (const [text, problem] of REFUSED) {
  test(`config ${JSON.stringify(text)} is refused with line, key and value, and what was expected`, () => {
    assert.equal(
      configErrorOf(() => configOf(text)),
      `Cannot read config "${CONFIG_NAME}": ${problem}`,
    );
  });
}

test('the first wrong line is the one that is named', () => {
  assert.match(
    configErrorOf(() => configOf('port = x\nlock_ttl = y')),
    /line 1: port/,
  );
});

test('a message stays under the 1,000 bytes of a log line, whatever the value', () => {
  for (const value of ['€'.repeat(30_000), '\u200b'.repeat(30_000), '"'.repeat(30_000).slice(1)]) {
    const message = configErrorOf(() => configOf(`watchdog = x${value}`));
    assert.match(message, /want yes or no$/);
    assert.ok(Buffer.byteLength(message) < 700, message);
  }
});

/** Keys that may say which lock this is, under names of other programs, and the key that is meant. */
const MEANT: readonly (readonly [words: string, meant: string])[] = [
  [
    'endpoints servers members nodes peers Endpoints END-POINTS server etcd_endpoints ETCDCTL_ENDPOINTS',
    'hosts',
  ],
  ['HOSTS Hosts hsots hots hostz initial-cluster etcd_server_list enpoints', 'hosts'],
  ['HOST hoost', 'host'],
  ['PORT prot ports client_port', 'port'],
  ['srv-domain SRV_DOMAIN srvdomain srv_domian discovery_srv', 'srv_domain'],
  ['netbios-name NETBIOS_NAME Netbios.Name netbiosname netbios_nme name lock-name netbios', 'netbios_name'],
  ['lock-prefix LOCK_PREFIX lockPrefix lock_prefx prefix', 'lock_prefix'],
  ['locks-dir lock_dir LOCKS_DIR locksdir', 'locks_dir'],
  ['cluster_id cluster-id expected_clusterid', 'expected_cluster_id'],
];

for (const [words, meant] of MEANT) {
  for (const word of words.split(' ')) {
    test(`a key ${word}, which may say which lock this is, is refused, and ${meant} is named`, () => {
      const what = /^(netbios|lock)/.test(meant) ? 'another lock' : 'another etcd';
      assert.equal(
        configErrorOf(() => configOf(`lock_ttl = 9\n${word} = x`)),
        `Cannot read config "${CONFIG_NAME}": line 2: unknown key "${word}" could select ${what}, want ${meant}`,
      );
    });
  }
}

const WARNED: readonly (readonly [string, readonly string[]])[] = [
  ['lock_tll = 9', ['line 1: unknown key "lock_tll" is ignored, did you mean lock_ttl']],
  ['LOCK-TTL = 1', ['line 1: unknown key "LOCK-TTL" is ignored, did you mean lock_ttl']],
  ['ca-cert = /x', ['line 1: unknown key "ca-cert" is ignored, did you mean ca_cert']],
  ...(
    [
      ['ttl', 'lock_ttl'],
      ['timeout', 'read_timeout'],
      ['user', 'username'],
      ['ca', 'ca_cert'],
      ['cacert', 'ca_cert'],
      ['CAFILE', 'ca_cert'],
      ['certfile', 'cert'],
      ['keyfile', 'key'],
      ['trusted-ca-file', 'ca_cert'],
      ['watch-dog', 'watchdog'],
    ] as const
  ).map(([word, meant]): [string, string[]] => [
    `${word} = /x`,
    [`line 1: unknown key "${word}" is ignored, did you mean ${meant}`],
  ]),
  ['passwrod = hunter2', ['line 1: unknown key "passwrod" is ignored, did you mean password']],
  ['colour = red', ['line 1: unknown key "colour" is ignored']],
  ['__proto__ = 1', ['line 1: unknown key "__proto__" is ignored']],
  [
    'constructor = 1\ntoString = 2',
    ['line 1: unknown key "constructor" is ignored', 'line 2: unknown key "toString" is ignored'],
  ],
  [
    'grpc.keepalive_time = 1',
    ['line 1: unknown key "grpc.keepalive_time" is ignored, did you mean grpc.keepalive_time_ms'],
  ],
  [
    'port = 2379\nport = 2379',
    ['port is set twice, in lines 1 and 2, and the last value is used; remove the other line'],
  ],
  [
    'refresh = 1\n\nlock_refresh = 2',
    [
      'refresh is set twice, in line 1 and as lock_refresh in line 3, and the last value is used; remove the other line',
    ],
  ],
  [
    'grpc.client_idle_timeout_ms = 1000\ngrpc.client_idle_timeout_ms = x'.replace('x', '1001'),
    [
      'grpc.client_idle_timeout_ms is set twice, in lines 1 and 2, and the last value is used; remove the other line',
    ],
  ],
  [
    'insecure_skip_verify = yes\nprotocol = https',
    ['insecure_skip_verify is on, so anyone on the network can pose as etcd; set ca_cert instead'],
  ],
];

for (const [text, warnings] of WARNED) {
  test(`config ${JSON.stringify(text)} is used, with a warning`, () => {
    assert.deepEqual(
      configOf(text).warnings,
      warnings.map((warning) => `Config "${CONFIG_NAME}": ${warning}`),
    );
  });
}

test('of a key that stands twice, the last one counts, as in the predecessor', () => {
  assert.equal(configOf('lock_ttl = bad\nlock_ttl = 30').config.ttlMs, 30_000);
  assert.equal(configOf('lock_refresh = 1\nrefresh = 3').config.refreshMs, 3_000);
});

test('what the lock string says must be what the file says', () => {
  const given = { name: 'FILES', clusterId: '255' };
  const { config } = configOf('netbios_name = files\nexpected_cluster_id = ff', given);
  assert.deepEqual([config.netbiosName, config.expectedClusterId], ['FILES', '255']);
  assert.equal(configOf('', given).config.expectedClusterId, '255');
  assert.equal(configOf('', given).config.netbiosName, undefined);
  assert.equal(
    configErrorOf(() => configOf('\nnetbios_name = other', given)),
    `Cannot read config "${CONFIG_NAME}": line 2: netbios_name is "other", want "FILES", which is --name in the lock string`,
  );
  assert.equal(
    configErrorOf(() => configOf('expected_cluster_id = 254', given)),
    `Cannot read config "${CONFIG_NAME}": line 1: expected_cluster_id is "254", want ff, which is --cluster-id in the lock string`,
  );
});

test('a file full of unknown keys gives eleven warnings', () => {
  const text = Array.from({ length: 3_000 }, (_, index) => `unknown${index} = 1`).join('\n');
  const { warnings } = configOf(text);
  assert.equal(warnings.length, 11);
  assert.equal(warnings.at(-1), `Config "${CONFIG_NAME}": 2990 more warnings`);
});

test('the names of the prototype change no object', () => {
  configOf('__proto__ = 1\ngrpc.__proto__ = 1\nconstructor = 1\nprototype.polluted = 1');
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  assert.deepEqual(configOf('__proto__ = 1').config, DEFAULTS);
});

test('keywords without a meaning in etcd v3 are noted, each once', () => {
  const { warnings, notes } = configOf('use_proxies = 1\nversion_prefix = /v2');
  assert.deepEqual(warnings, []);
  assert.deepEqual(notes, [
    `Config "${CONFIG_NAME}": version_prefix has no effect with etcd v3`,
    `Config "${CONFIG_NAME}": use_proxies has no effect with etcd v3`,
  ]);
});

test('hosts with and without TLS may be mixed, with a note about those without', () => {
  const { config, notes } = configOf('hosts = https://a http://b\nca_cert = /ca');
  assert.deepEqual(
    config.endpoints.map(({ secure }) => secure),
    [true, false],
  );
  assert.deepEqual(notes, [`Config "${CONFIG_NAME}": not encrypted, unlike the other hosts: b:2379`]);
});
