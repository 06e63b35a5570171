import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NO_IDENTITY, type Config } from '../../../src/config/config.ts';
import { configPathOf, loadConfig } from '../../../src/config/loader.ts';
import { configErrorOf } from '../../support/config-text.ts';

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'config-loader-'));
});
after(() => {
  rmSync(directory, { recursive: true });
});

/** Writes a file into the directory of this test run, with exactly this mode. */
function write(name: string, content: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function load(
  configFile: string | undefined,
  base?: string,
): { config: Config; warnings: readonly string[] } {
  const loaded = loadConfig({ verbosity: 0, configFile, given: NO_IDENTITY }, { CTDB_BASE: base });
  const warnings = loaded.warnings.map(({ text }) => text);
  return { config: loaded.config, warnings };
}

test('the file is the one after -c, else etcd in CTDB_BASE, else /etc/ctdb/etcd', () => {
  const pathOf = (configFile: string | undefined, base?: string): string =>
    configPathOf({ configFile }, { CTDB_BASE: base });
  assert.equal(pathOf('/a', '/b'), '/a');
  assert.equal(pathOf(undefined, '/b'), '/b/etcd');
  assert.equal(pathOf(undefined, '/b/'), '/b/etcd');
  assert.equal(pathOf(undefined, ''), '/etc/ctdb/etcd');
  assert.equal(pathOf(undefined), '/etc/ctdb/etcd');
});

test('the file in CTDB_BASE is read when -c names none', () => {
  mkdirSync(join(directory, 'base'));
  const path = write('base/etcd', 'port = 4001');
  const { config } = load(undefined, join(directory, 'base'));
  assert.equal(config.file, path);
  assert.equal(config.endpoints[0]?.port, 4_001);
});

test('no file in CTDB_BASE means all defaults', () => {
  const { config, warnings } = load(undefined, join(directory, 'nowhere'));
  assert.equal(config.file, undefined);
  assert.equal(config.ttlMs, 9_000);
  assert.deepEqual(warnings, []);
});

test('a file that names no etcd is used with a warning, under its usual name and after -c', () => {
  mkdirSync(join(directory, 'unnamed'));
  const path = write('unnamed/etcd', 'netbios_name = FILES');
  const said = [
    `Config "${path}" sets no hosts, so the helper asks 127.0.0.1:2379 on this node; set hosts, the same on all nodes`,
  ];
  assert.deepEqual(load(path).warnings, said);
  assert.deepEqual(load(undefined, join(directory, 'unnamed')).warnings, said);
  for (const named of ['hosts = a', 'host = a', 'port = 2379', 'srv_domain = example.com'])
    assert.deepEqual(load(write('named', named)).warnings, []);
});

test('a file that -c names must exist', () => {
  const path = join(directory, 'missing');
  assert.equal(
    configErrorOf(() => load(path)),
    `Cannot read config "${path}": no such file, want an existing one after -c`,
  );
});

test('a link to nothing is a mistake and not an absent file', () => {
  mkdirSync(join(directory, 'linked'));
  symlinkSync('/nonexistent/etcd', join(directory, 'linked/etcd'));
  assert.match(
    configErrorOf(() => load(undefined, join(directory, 'linked'))),
    /: it is a symbolic link to nothing, want a regular file$/,
  );
});

test('a directory, a device, and a path through a file are refused', () => {
  assert.match(
    configErrorOf(() => load(directory)),
    /: it is a directory, want a regular file$/,
  );
  assert.match(
    configErrorOf(() => load('/dev/zero')),
    /: it is a device, want a regular file$/,
  );
  assert.match(
    configErrorOf(() => load(join(write('plain', ''), 'etcd'))),
    /: not a directory \(ENOTDIR\)$/,
  );
});

test('a FIFO is refused at once, though nobody writes to it', () => {
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', [path]);
  assert.match(
    configErrorOf(() => load(path)),
    /: it is a FIFO, want a regular file$/,
  );
});

test('a file of 100 MB is refused without being read', () => {
  const path = write('huge', '');
  truncateSync(path, 100 * 1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  assert.match(
    configErrorOf(() => load(path)),
    /: it is larger than 65536 bytes, want a smaller file$/,
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
});

test('a file of exactly 64 KiB is read and one byte more is refused', () => {
  const text = 'port = 4001\n'.padEnd(65_536, '#');
  assert.equal(load(write('full', text)).config.endpoints[0]?.port, 4_001);
  assert.match(
    configErrorOf(() => load(write('over', `${text}#`))),
    /: it is larger than 65536 bytes/,
  );
});

test('an error names the file, the line, the key and the value', () => {
  const path = write('bad', 'port = 2379\nlock_ttl = soon\n');
  assert.equal(
    configErrorOf(() => load(path)),
    `Cannot read config "${path}": line 2: lock_ttl is "soon", want whole seconds from 2 to 300`,
  );
});

test('a file that the config names must be there and be a file', () => {
  const config = (cert: string): string => write('tls', `protocol = https\ncert = ${cert}\n`);
  assert.match(
    configErrorOf(() => load(config('/nonexistent/cert.pem'))),
    /: line 2: cert is "\/nonexistent\/cert\.pem", want an existing file$/,
  );
  assert.match(
    configErrorOf(() => load(config(directory))),
    /: line 2: cert is "[^"]+", want a file that can be read, but it is a directory, want a regular file$/,
  );
});

test('a password in a config that others can read is one warning with the chmod', () => {
  const text = 'host = a\nusername = u\npassword = hunter2\n';
  const path = write('open', text, 0o644);
  const { warnings } = load(path);
  assert.deepEqual(warnings, [
    `File "${path}" holds a secret, and other users can read it; run chmod 600 ${path}`,
  ]);
  for (const mode of [0o600, 0o400]) assert.deepEqual(load(write('private', text, mode)).warnings, []);
});

test('a config without a secret may be read by all', () => {
  assert.deepEqual(load(write('harmless', 'port = 2379', 0o644)).warnings, []);
});

test('password, key and key password files that others can read are warned about, certificates are not', () => {
  const names = ['ca', 'cert', 'key', 'key-password', "it's a password"];
  const [ca = '', cert = '', key = '', keyPassword = '', password = ''] = names.map((name) =>
    write(name, 'x', 0o644),
  );
  const { warnings } = load(
    write(
      'files',
      `host = a\nprotocol = https\nca_cert = ${ca}\ncert = ${cert}\nkey = ${key}\nkey_password_file = ${keyPassword}\n` +
        `username = u\npassword_file = ${password}\n`,
      0o644,
    ),
  );
  assert.deepEqual(
    warnings.map((warning) => warning.replace(/^.*run /, '')),
    [`chmod 600 ${key}`, `chmod 600 ${keyPassword}`, `chmod 600 '${directory}/it'\\''s a password'`],
  );
});

test('a certificate that brings its key along is a secret', () => {
  const cert = write('both.pem', 'x', 0o644);
  const { warnings } = load(write('both', `host = a\nprotocol = https\ncert = ${cert}\n`));
  assert.deepEqual(warnings, [
    `File "${cert}" holds a secret, and other users can read it; run chmod 600 ${cert}`,
  ]);
});

test('a file that the system refuses to read is an error with the reason', () => {
  const path = write('own', 'port = 1', 0o000);
  const script = `
    import { loadConfig } from ${JSON.stringify(new URL('../../../src/config/loader.ts', import.meta.url).href)};
    if (process.getuid() === 0) process.setuid(65534);
    try { loadConfig({ verbosity: 0, given: {}, configFile: ${JSON.stringify(path)} }, {}); }
    catch (error) { console.log(error.name + ': ' + error.message); }`;
  chmodSync(directory, 0o755);
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(said, `ConfigError: Cannot read config "${path}": permission denied (EACCES); run as root\n`);
});
