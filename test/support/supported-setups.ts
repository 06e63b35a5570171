import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addLogins,
  etcd,
  etcdWithFiles,
  etcdWithTls,
  LOGIN,
  patiently,
  ROOT,
  type CauseTools,
} from './cause-tools.ts';
import { Authority, encryptKey, joinFiles, type KeyType } from './certificates.ts';
import type { Settings } from './lock-bench.ts';

/** One set-up with which the lock is taken, without a word. */
export interface Setup {
  /** A table of docs/tls-and-auth.md, and the row of it. */
  readonly table: 'Keys and signatures' | 'Encrypted keys' | 'PEM files' | 'Chains' | 'Passwords';
  readonly what: string;
  /** Warnings of `check`, by their identifiers, with a question mark those that may be absent; the lock works all the same. */
  readonly warnings?: readonly string[];
  /** True: the answer takes so long that nothing else may run beside. */
  readonly isSlow?: boolean;
  readonly provoke: (tools: CauseTools) => Promise<Settings>;
}

let count = 0;

/** A path of its own for a file that nobody else may read. */
async function fileOf(tools: CauseTools, content: string | Buffer): Promise<string> {
  const path = join(tools.directory, `setup-${(count += 1)}`);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

const pathOf = (tools: CauseTools): string => join(tools.directory, `setup-${(count += 1)}.pem`);

/** Keys of one type on both sides. */
function withKeys(keyType: KeyType, what: string): Setup {
  return {
    table: 'Keys and signatures',
    what,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, { keyType }, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue({ keyType });
      return { ...settings, cert: certFile, key: keyFile };
    },
  };
}

function withEncryptedKey(what: string, how: readonly string[]): Setup {
  return {
    table: 'Encrypted keys',
    what,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const key = await encryptKey(keyFile, 'keypw', pathOf(tools), how);
      // With the mark that editors of Windows put before UTF-8.
      const password = await fileOf(tools, '\ufeffkeypw\r\n');
      return { ...settings, cert: certFile, key, key_password_file: password };
    },
  };
}

/** A `ca_cert` whose text `edit` has changed; a stranger's certificate stands in it too. */
function withAuthorities(what: string, edit: (own: string, other: string) => string): Setup {
  return {
    table: 'PEM files',
    what,
    provoke: async (tools) => {
      const [own, other] = await Promise.all(
        [tools.authority, tools.stranger].map(({ certFile }) => readFile(certFile, 'utf8')),
      );
      return {
        ...(await etcdWithTls(tools)).settings,
        ca_cert: await fileOf(tools, edit(own ?? '', other ?? '')),
      };
    },
  };
}

const grantLock = ['role', 'grant-permission', '--prefix=true', 'ctdb', 'readwrite', '/_locks/_ctdb/'];

function withPasswordFile(what: string, content: string): Setup {
  return {
    table: 'Passwords',
    what,
    provoke: async (tools) => {
      const cluster = await etcd(tools);
      await addLogins(cluster);
      await cluster.etcdctl(grantLock, ROOT);
      return { hosts: cluster.hosts, username: 'samba', password_file: await fileOf(tools, content) };
    },
  };
}

export const SETUPS: readonly Setup[] = [
  withKeys('rsa:2048', 'RSA, 2048 bits'),
  withKeys('rsa:4096', 'RSA, 4096 bits'),
  withKeys('ec:prime256v1', 'EC, P-256'),
  withKeys('ec:secp384r1', 'EC, P-384'),
  withKeys('ec:secp521r1', 'EC, P-521'),
  withKeys('ed25519', 'Ed25519'),
  {
    table: 'Keys and signatures',
    what: 'SHA-384',
    provoke: async (tools) => (await etcdWithTls(tools, { digest: 'sha384' })).settings,
  },
  {
    table: 'Keys and signatures',
    what: 'SHA-1 under the root itself',
    provoke: async (tools) => {
      const root = await Authority.make(tools.directory, `root-${(count += 1)}`, { digest: 'sha1' });
      const { settings } = await etcdWithFiles(tools, await root.issue());
      return { ...settings, ca_cert: root.certFile };
    },
  },
  withEncryptedKey('PKCS#8, PBES2 with AES', ['pkcs8', '-topk8', '-v2', 'aes-256-cbc']),
  withEncryptedKey('PKCS#8, PBES2 with 3DES', ['pkcs8', '-topk8', '-v2', 'des3']),
  withEncryptedKey('PKCS#8, scrypt', ['pkcs8', '-topk8', '-scrypt']),
  withEncryptedKey('PKCS#8, PBE-SHA1-3DES', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES']),
  withEncryptedKey('traditional PEM with AES', ['ec', '-aes256']),
  withAuthorities('several certificates with text between', (own, other) => `root\n${other}\nours\n${own}`),
  withAuthorities('two blocks glued on one line', (own, other) => other.trimEnd() + own),
  withAuthorities(
    'line ends of Windows, a byte order mark',
    (own) => `\ufeff${own.replaceAll('\n', '\r\n')}`,
  ),
  withAuthorities('indented lines', (own) => own.replace(/^/gm, '    ')),
  withAuthorities('the older label X509 CERTIFICATE', (own) =>
    own.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE'),
  ),
  {
    table: 'PEM files',
    what: 'a list of revoked certificates in ca_cert',
    warnings: ['tls-crl'],
    provoke: async (tools) => {
      const crl = await tools.authority.revoke([]);
      return {
        ...(await etcdWithTls(tools)).settings,
        ca_cert: await joinFiles(pathOf(tools), [tools.authority.certFile, crl]),
      };
    },
  },
  {
    table: 'PEM files',
    what: 'certificate and key in one file, in any order',
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const parts = await Promise.all(
        [keyFile, tools.authority.certFile, certFile].map((file) => readFile(file, 'utf8')),
      );
      return { ...settings, cert: await fileOf(tools, parts.join('')) };
    },
  },
  {
    table: 'Chains',
    what: 'the root in ca_cert, the intermediate sent by the member',
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between');
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(pathOf(tools), [certFile, between.certFile]);
      return (await etcdWithFiles(tools, { certFile: chain, keyFile })).settings;
    },
  },
  {
    table: 'Chains',
    what: 'the intermediate in ca_cert, without its root',
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between');
      const { settings } = await etcdWithFiles(tools, await between.issue());
      return { ...settings, ca_cert: between.certFile };
    },
  },
  {
    table: 'Chains',
    what: 'the member’s own certificate in ca_cert',
    provoke: async (tools) => {
      const files = await tools.authority.issue();
      return { ...(await etcdWithFiles(tools, files)).settings, ca_cert: files.certFile };
    },
  },
  {
    table: 'Chains',
    what: 'an intermediate of the client, sent with its certificate',
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const between = await tools.authority.intermediate('between');
      const { certFile, keyFile } = await between.issue();
      return {
        ...settings,
        cert: await joinFiles(pathOf(tools), [certFile, between.certFile]),
        key: keyFile,
      };
    },
  },
  {
    table: 'Chains',
    what: 'a root that has expired beside its successor with the same key',
    warnings: ['tls-ended'],
    provoke: async (tools) => {
      const root = await Authority.make(tools.directory, `root-${(count += 1)}`, {
        validFromDays: -9,
        validToDays: -1,
      });
      const successor = await root.renewed(`successor-${count}`);
      const { settings } = await etcdWithFiles(tools, await root.issue());
      return { ...settings, ca_cert: await joinFiles(pathOf(tools), [root.certFile, successor]) };
    },
  },
  {
    table: 'Chains',
    what: 'a root beside another one of the same name',
    provoke: async (tools) => {
      const namesake = await Authority.make(tools.directory, `root-${(count += 1)}`, {
        commonName: 'authority',
      });
      return {
        ...(await etcdWithTls(tools)).settings,
        ca_cert: await joinFiles(pathOf(tools), [namesake.certFile, tools.authority.certFile]),
      };
    },
  },
  {
    table: 'Chains',
    what: 'a client certificate that has expired, at members that want none',
    warnings: ['tls-ended'],
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue({ validFromDays: -9, validToDays: -1 });
      return { ...(await etcdWithTls(tools)).settings, cert: certFile, key: keyFile };
    },
  },
  withPasswordFile('a byte order mark before it', '\ufeffsambapw\n'),
  withPasswordFile('line ends of Windows, more lines', 'sambapw\r\nnot this\r\n'),
  withPasswordFile('line ends of old Macs', 'sambapw\rnot this\r'),
  {
    table: 'Passwords',
    what: 'checked by bcrypt at cost 14',
    isSlow: true,
    // Where it takes longer than 0.9 s.
    warnings: ['login-slow?'],
    provoke: async (tools) => {
      const cluster = await etcd(tools, { args: ['--bcrypt-cost=14'] });
      await addLogins(cluster);
      await patiently(cluster, grantLock, ROOT);
      return { ...LOGIN, hosts: cluster.hosts };
    },
  },
];
