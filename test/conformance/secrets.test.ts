// No secret gets out: not into a log line at any verbosity, not into `ps`, not into an environment, an error or a crash.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runAdmin } from '../support/admin-command.ts';
import { Authority, encryptKey } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { GrpcStandIn } from '../support/grpc-stand-in.ts';
import { HelperBase } from '../support/helper-base.ts';
import type { Settings } from '../support/lock-bench.ts';
import { renewedOnce } from '../support/live-cluster.ts';
import { childrenOf, run, temporaryDirectory } from '../support/processes.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const secret = (): string => `s3cr${randomBytes(12).toString('hex')}`;

const PASSWORD = secret();
const KEY_PASSWORD = secret();
const REST_OF_FILE = secret();
// What etcd calls a simple token: random letters, a dot and a number; a stand-in gives one that we know.
const TOKEN = `${secret()}.17`;

/** Each secret, and the ways in which it could be written. */
function forms(text: string): string[] {
  const bytes = Buffer.from(text);
  return [text, bytes.toString('base64').replace(/=+$/, '').slice(0, -1), bytes.toString('hex')];
}

/** Fails when one of the secrets stands in what was said. */
function assertNoSecret(where: string, said: string, privateKey: string): void {
  assert.ok(said !== '', `${where} is empty, so nothing was looked at`);
  for (const [name, text] of Object.entries({ PASSWORD, KEY_PASSWORD, REST_OF_FILE, TOKEN })) {
    for (const form of forms(text)) assert.ok(!said.includes(form), `${name} in ${where}`);
  }
  for (const line of privateKey.split('\n').filter((one) => one !== '' && !one.startsWith('---'))) {
    assert.ok(!said.includes(line), `the private key in ${where}`);
  }
}

/** What everybody, or root, can see of a process and its children. */
function processTexts(pid: number): string {
  return [pid, ...childrenOf(pid)]
    .flatMap((one) => ['cmdline', 'environ', 'comm', 'stat'].map((file) => `/proc/${one}/${file}`))
    .map((path) => `${path}: ${readFileSync(path, 'latin1')}`)
    .join('\n');
}

void describe('a secret', () => {
  let cluster: EtcdCluster;
  let relay: TcpProxy;
  let settings: Settings;
  let privateKey: string;
  before(async () => {
    const directory = await temporaryDirectory('secrets');
    const authority = await Authority.make(directory, 'authority');
    const [server, client] = [await authority.issue(), await authority.issue({ commonName: 'somebody' })];
    const tls = { caFile: authority.certFile, ...server, clientCertAuth: true };
    cluster = await EtcdCluster.start({ release: LATEST_RELEASE, tls });
    relay = await TcpProxy.start(cluster.hosts);
    const asClient = { certFile: client.certFile, keyFile: client.keyFile };
    const etcdctl = (...words: string[]): Promise<string> => cluster.etcdctl(words, asClient);
    await etcdctl('user', 'add', 'root:rootpw');
    await etcdctl('user', 'grant-role', 'root', 'root');
    await etcdctl('role', 'add', 'ctdb');
    await etcdctl('role', 'grant-permission', '--prefix=true', 'ctdb', 'readwrite', '/_locks/_ctdb/SECRETS/');
    await etcdctl('user', 'add', `samba:${PASSWORD}`);
    await etcdctl('user', 'grant-role', 'samba', 'ctdb');
    await etcdctl('auth', 'enable');
    const key = await encryptKey(client.keyFile, KEY_PASSWORD, join(directory, 'encrypted.pem'));
    privateKey = (await readFile(client.keyFile, 'utf8')) + (await readFile(key, 'utf8'));
    const [passwordFile, keyPasswordFile] = [join(directory, 'password'), join(directory, 'key-password')];
    await writeFile(passwordFile, `${PASSWORD}\n${REST_OF_FILE}\n`, { mode: 0o600 });
    await writeFile(keyPasswordFile, `${KEY_PASSWORD}\n${REST_OF_FILE}\n`, { mode: 0o600 });
    settings = {
      hosts: relay.endpoint,
      protocol: 'https',
      ca_cert: authority.certFile,
      cert: client.certFile,
      key,
      key_password_file: keyPasswordFile,
      username: 'samba',
      password_file: passwordFile,
      netbios_name: 'SECRETS',
    };
  });
  after(async () => {
    await relay[Symbol.asyncDispose]();
    await cluster.stop();
  });

  test('would be found in each of its forms', () => {
    for (const form of [...forms(PASSWORD), ...forms(TOKEN), privateKey.split('\n')[1] ?? '']) {
      assert.throws(() => {
        assertNoSecret('a text', `text ${form} text`, privateKey);
      });
    }
  });

  for (const [where, change] of [
    ['a file', {}],
    ['the configuration', { password: PASSWORD, password_file: undefined }],
  ] as const) {
    test(`from ${where} is in nothing that a holder says at -vvv or shows, through losses and renewals`, async () => {
      await using base = await HelperBase.make({ ...settings, ...change });
      const helper = await base.run({ args: ['-vvv'] });
      assert.equal(await helper.answer(), '0', helper.stderr);
      await renewedOnce(cluster, helper);
      relay.cut();
      await renewedOnce(cluster, helper);
      assertNoSecret('/proc', processTexts(helper.pid), privateKey);
      await helper.release();
      assertNoSecret('its output', helper.bytes + helper.stderr, privateKey);
      assert.match(helper.stderr, /^Renewal proven/m, 'it said much');
    });
  }

  const mistakes: readonly (readonly [what: string, change: Settings])[] = [
    ['a user who is not there', { username: 'nobody' }],
    ['a role that is not enough', { netbios_name: 'OTHER' }],
    ['a password twice', { password: PASSWORD }],
    ['a password without a user', { password: PASSWORD, password_file: undefined, username: undefined }],
    ['a password where a number belongs', { lock_ttl: 'x', password: PASSWORD, password_file: undefined }],
    ['a login in a host', { hosts: `samba:${PASSWORD}@127.0.0.1` }],
    ['a login in a URL', { hosts: `https://samba:${PASSWORD}@127.0.0.1:2379` }],
    ['a secret that ends within its quotes', { password: `"${PASSWORD}`, password_file: undefined }],
    ['a misspelled key with a secret', { pasword: PASSWORD }],
    ['a misspelled key of a channel option', { 'grpc.password': PASSWORD }],
    ['a wrong password of the key', { key_password_file: undefined }],
  ];
  for (const [what, change] of mistakes) {
    test(`is in no error about ${what}`, async () => {
      await using base = await HelperBase.make({ ...settings, ...change });
      const helper = await base.run({ args: ['-vvv'], autoTerm: false });
      await helper.answer();
      if (helper.bytes === '0') helper.signal();
      await helper.exited();
      assertNoSecret('its output', helper.bytes + helper.stderr, privateKey);
    });
  }

  test('that etcd gave, a token, is nowhere either', async () => {
    await using standIn = await GrpcStandIn.start((path) => {
      // An AuthenticateResponse: a header, and the token in field 2.
      if (path.endsWith('/Authenticate')) {
        const header = Buffer.from('0a080801100118012001', 'hex');
        return { message: Buffer.concat([header, Buffer.from([0x12, TOKEN.length]), Buffer.from(TOKEN)]) };
      }
      return { status: 7, text: `etcdserver: permission denied` };
    });
    await using base = await HelperBase.make({
      hosts: standIn.endpoint,
      username: 'samba',
      password: PASSWORD,
      netbios_name: 'SECRETS',
    });
    const helper = await base.run({ args: ['-vvv'], autoTerm: false });
    assert.equal(await helper.answer(), '3');
    await helper.exited();
    assert.match(helper.stderr, /permission denied/);
    assertNoSecret('its output', helper.stderr, privateKey);
  });

  test('is not in what is left of a crash', async () => {
    await using base = await HelperBase.make(settings);
    const helper = await base.run({ args: ['-vvv'] });
    assert.equal(await helper.answer(), '0', helper.stderr);
    for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const) helper.signal(signal);
    await waitFor('it is gone, or not', () => helper.exit !== undefined || helper.stderr !== '');
    helper.signal('SIGABRT');
    await helper.exited();
    assertNoSecret('its output', helper.bytes + helper.stderr, privateKey);
  });

  test('is in no output of the commands, nor in --help', async () => {
    await using base = await HelperBase.make(settings);
    const env = { CTDB_BASE: base.directory, PATH: '/usr/bin:/bin' };
    for (const args of [['check'], ['status'], ['check', '--json'], ['status', '--json']]) {
      const { stdout, stderr } = await runAdmin([...args, '-c', base.configFile], env);
      assertNoSecret(args.join(' '), stdout + stderr, privateKey);
    }
    const { stdout } = await run(helperProgram(), ['--help'], { env });
    assertNoSecret('--help', stdout, privateKey);
  });
});
