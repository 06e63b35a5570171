import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Args, parseArgs } from '../../../src/commands/cli.ts';
import { helpText, versionText } from '../../../src/commands/program-text.ts';
import { UsageError } from '../../../src/base/errors.ts';
import type { Identity } from '../../../src/config/config.ts';

const NONE: Identity = { name: undefined, clusterId: undefined };

const helper = (verbosity: 0 | 1 | 2 | 3, configFile?: string, given = NONE): Args => ({
  command: 'helper',
  verbosity,
  configFile,
  given,
});

const UNDERSTOOD: readonly (readonly [string, Args])[] = [
  ['', helper(0)],
  ['-v', helper(1)],
  ['-vv', helper(2)],
  ['-vvv', helper(3)],
  ['-vvvvvv', helper(3)],
  ['-v -v', helper(2)],
  ['--verbose', helper(1)],
  ['--verbose -v --verbose', helper(3)],
  ['-c /a', helper(0, '/a')],
  ['-c/a', helper(0, '/a')],
  ['--config /a', helper(0, '/a')],
  ['--config=/a', helper(0, '/a')],
  ['-vvc /a', helper(2, '/a')],
  ['-c /a -v', helper(1, '/a')],
  ['-c /a --config /b', helper(0, '/b')],
  ['-c=/a', helper(0, '=/a')],
  ['--help', { command: 'help', topic: undefined }],
  ['-h', { command: 'help', topic: undefined }],
  ['help', { command: 'help', topic: undefined }],
  ['-v --help -c /a', { command: 'help', topic: undefined }],
  ['check --help', { command: 'help', topic: 'check' }],
  ['help status', { command: 'help', topic: 'status' }],
  ['-h release --force', { command: 'help', topic: 'release' }],
  ['check', { command: 'check', configFile: undefined, given: NONE, json: false, plugin: undefined }],
  ['check -c /a --json', { command: 'check', configFile: '/a', given: NONE, json: true, plugin: undefined }],
  ['-c check check', { command: 'check', configFile: 'check', given: NONE, json: false, plugin: undefined }],
  [
    'check --plugin',
    { command: 'check', configFile: undefined, given: NONE, json: false, plugin: { limitMs: 10_000 } },
  ],
  [
    '--plugin check --timeout=25',
    { command: 'check', configFile: undefined, given: NONE, json: false, plugin: { limitMs: 25_000 } },
  ],
  ['-c status', helper(0, 'status')],
  [
    'status',
    { command: 'status', configFile: undefined, given: NONE, json: false, openmetrics: false, watch: false },
  ],
  [
    '--json status --watch',
    { command: 'status', configFile: undefined, given: NONE, json: true, openmetrics: false, watch: true },
  ],
  [
    'status --openmetrics',
    { command: 'status', configFile: undefined, given: NONE, json: false, openmetrics: true, watch: false },
  ],
  ['release', { command: 'release', configFile: undefined, given: NONE, force: false }],
  ['release --force -c/a', { command: 'release', configFile: '/a', given: NONE, force: true }],
  ['--version', { command: 'version' }],
  ['-V', { command: 'version' }],
  ['--', helper(0)],
  ['--name files', helper(0, undefined, { ...NONE, name: 'FILES' })],
  [
    '--name=FILES --cluster-id cdf818194e3a8c32 -v',
    helper(1, undefined, { name: 'FILES', clusterId: BigInt('0xcdf818194e3a8c32').toString() }),
  ],
  ['--cluster-id 0x10 -c /a', helper(0, '/a', { ...NONE, clusterId: '16' })],
  [
    'status --name FILES',
    {
      command: 'status',
      configFile: undefined,
      given: { ...NONE, name: 'FILES' },
      json: false,
      openmetrics: false,
      watch: false,
    },
  ],
];

for (const [line, args] of UNDERSTOOD) {
  test(`the command line "${line}" is understood`, () => {
    assert.deepEqual(parseArgs(line.split(' ').filter((word) => word !== '')), args);
  });
}

const REFUSED: readonly (readonly [readonly string[], string])[] = [
  [['--confg', '/a'], 'Unknown option "--confg", did you mean --config'],
  [['--verbos'], 'Unknown option "--verbos", did you mean --verbose'],
  [['--Config=/a'], 'Unknown option "--Config", did you mean --config'],
  [['-v', '--conf', '/a'], 'Unknown option "--conf", did you mean --config'],
  [['-x'], 'Unknown option "-x"'],
  [['-vxc', '/a'], 'Unknown option "-x"'],
  [['--quiet'], 'Unknown option "--quiet"'],
  [['--__proto__=1'], 'Unknown option "--__proto__"'],
  [['--no-verbose'], 'Unknown option "--no-verbose", did you mean --verbose'],
  [['-c'], 'Option -c (--config) has no file after it, want -c FILE'],
  [['--config'], 'Option -c (--config) has no file after it, want -c FILE'],
  [['-c', '-v'], 'Option -c (--config) has no file after it, want -c FILE'],
  [['-c', ''], 'Option -c (--config) has an empty file name, want -c FILE'],
  [['--config='], 'Option -c (--config) has an empty file name, want -c FILE'],
  [['--verbose=3'], 'Option --verbose takes no value'],
  [['-c', '/a', '--verbose=3'], 'Option --verbose takes no value'],
  [['--help=x', '-c'], 'Option --help takes no value'],
  [['--name'], 'Option --name has no name after it, want --name NAME'],
  [['--name', '-v'], 'Option --name has no name after it, want --name NAME'],
  [['--cluster-id', '--name', 'A'], 'Option --cluster-id has no ID after it, want --cluster-id ID'],
  [
    ['--name', 'FILES\u200b'],
    'Option --name is "FILES\\u200b", want at most 255 printable ASCII characters without space and /; it has U+200B ZERO WIDTH SPACE',
  ],
  [['--name='], 'Option --name is "", want at most 255 printable ASCII characters without space and /'],
  [
    ['--cluster-id', 'xyz'],
    'Option --cluster-id is "xyz", want a cluster ID from 1 to 2^64-1, in hex with 0x or a letter in it, or decimal',
  ],
  [['--netbios-name', 'A'], 'Unknown option "--netbios-name"'],
  [['--clusterid', 'ff'], 'Unknown option "--clusterid", did you mean --cluster-id'],
  [
    ['FILES'],
    'Unknown command "FILES", want check, status, release or none; the name of a lock goes after --name',
  ],
  [
    ['hold'],
    'Unknown command "hold", want check, status, release or none; the name of a lock goes after --name',
  ],
  [['chek'], 'Unknown command "chek", did you mean check'],
  [['Status'], 'Unknown command "Status", did you mean status'],
  [['relaese', '--force'], 'Unknown command "relaese", did you mean release'],
  [['hlep', 'check'], 'Unknown command "hlep", did you mean help'],
  [['help', 'chekc'], 'Unknown command "chekc", did you mean check'],
  [['check', 'now'], 'Unexpected argument "now" after check, want options only'],
  [['check', '--force'], 'Option --force is not one of check, see ctdb_etcd_lock check --help'],
  [['check', '-v'], 'Option -v is not one of check, see ctdb_etcd_lock check --help'],
  [['status', '--wach'], 'Unknown option "--wach", did you mean --watch'],
  [['--json'], 'Option --json belongs to check and status, want a command before it'],
  [['check', '--json', '--plugin'], 'Options --json and --plugin exclude each other, want one'],
  [['check', '--timeout', '5'], 'Option --timeout belongs to --plugin, want both or none'],
  [['check', '--plugin', '--timeout'], 'Option --timeout has no value after it, want --timeout SECONDS'],
  [['check', '--plugin', '--timeout', 'soon'], 'Option --timeout is "soon", want whole seconds from 1 to 60'],
  [['check', '--plugin', '--timeout=0'], 'Option --timeout is "0", want whole seconds from 1 to 60'],
  [['check', '--plugin', '--timeout=61'], 'Option --timeout is "61", want whole seconds from 1 to 60'],
  [['status', '--openmetrics', '--watch'], 'Options --openmetrics and --watch exclude each other, want one'],
  [['status', '--plugin'], 'Option --plugin is not one of status, see ctdb_etcd_lock status --help'],
  [['--force'], 'Option --force belongs to release, want a command before it'],
  [
    ['--', '-v'],
    'Unknown command "-v", want check, status, release or none; the name of a lock goes after --name',
  ],
  [[''], 'Unknown command "", want check, status, release or none; the name of a lock goes after --name'],
  [
    ['-v', 'a\nb\u001b'],
    'Unknown command "a\\nb\\u001b", want check, status, release or none; the name of a lock goes after --name',
  ],
];

for (const [argv, message] of REFUSED) {
  test(`the command line ${JSON.stringify(argv)} is refused by name`, () => {
    assert.throws(
      () => parseArgs(argv),
      (error) => error instanceof UsageError && error.message === message,
      message,
    );
  });
}

test('the help names every option of the bare call, the commands and the three answers, in lines that fit a terminal', () => {
  const help = helpText();
  for (const word of [
    '-c, --config',
    '--name NAME',
    '--cluster-id ID',
    '-v, --verbose',
    '-h, --help',
    '-V, --version',
    'CTDB_BASE',
    'check',
    'status',
    'release',
    '0 ',
    '1 ',
    '3 ',
  ]) {
    assert.ok(help.includes(word), word);
  }
  assert.ok(help.endsWith('\n'));
  assert.ok(help.split('\n').every((line) => line.length <= 80));
});

test('the version names the program, its commit, the runtime and the client library', () => {
  const text = versionText({ version: '1.2.3', commit: 'abc1234', etcd3: '1.1.2' }, process.versions);
  assert.match(text, /^ctdb_etcd_lock 1\.2\.3 \(commit abc1234\)\n/);
  assert.ok(text.includes(`Node.js ${process.versions.node}`));
  assert.ok(text.includes(`OpenSSL ${process.versions.openssl}`));
  assert.ok(text.endsWith('etcd3 1.1.2\n'));
});
