import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { etcd, etcdWithFiles, etcdWithTls, type Cause, type CauseTools } from './cause-tools.ts';
import { Authority, encryptKey, joinFiles, type CertificateWishes } from './certificates.ts';
import type { Settings } from './lock-bench.ts';
import { runChecked } from './processes.ts';

/** A member whose certificate is not trusted, by an authority of its own. */
async function distrusted(
  tools: CauseTools,
  authorityWishes: Omit<CertificateWishes, 'names'>,
  wishes: CertificateWishes = {},
): Promise<Settings> {
  const authority = await Authority.make(tools.directory, `authority-${(count += 1)}`, authorityWishes);
  const { settings } = await etcdWithFiles(tools, await authority.issue(wishes));
  return { ...settings, ca_cert: authority.certFile };
}

/** The client certificate and key of a helper, at a member that wants one. */
async function withOwn(tools: CauseTools, own: Settings): Promise<Settings> {
  const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
  return { ...settings, ...own };
}

/** A file with this content, of which nobody else reads. */
async function fileOf(tools: CauseTools, name: string, content: string | Buffer): Promise<string> {
  const path = join(tools.directory, name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

let count = 0;
let edits = 0;

/** A `ca_cert` whose text `edit` has changed. */
function withAuthorities(what: string, said: RegExp, edit: (pem: string) => string): Cause {
  // Numbered in the order of this file, because the name is part of a line in docs/error-table.md.
  const name = `edited-${(edits += 1)}.pem`;
  return {
    group: 'TLS',
    what,
    said,
    provoke: async (tools) => {
      const pem = edit(await readFile(tools.authority.certFile, 'utf8'));
      const path = await fileOf(tools, name, pem);
      return { ...(await etcdWithTls(tools)).settings, ca_cert: path };
    },
  };
}

/** What can be wrong with certificates and keys. */
export const TLS_CAUSES: readonly Cause[] = [
  {
    group: 'TLS',
    what: 'TLS to a plain port',
    said: /the member does not speak TLS; set protocol = http, or use its https port$/,
    provoke: async (tools) => ({ hosts: (await etcd(tools)).hosts, protocol: 'https' }),
  },
  {
    group: 'TLS',
    what: 'plain text to a TLS port',
    said: /the member speaks TLS; set protocol = https$/,
    provoke: async (tools) => ({ hosts: (await etcdWithTls(tools)).cluster.hosts }),
  },
  {
    group: 'TLS',
    what: 'the authority is not the one in ca_cert',
    said: /certificate is signed by "CN=authority", which is not in ca_cert ".*", and the member sends no intermediate certificates; put the certificate of "CN=authority" into ca_cert, or /,
    provoke: async (tools) => ({
      ...(await etcdWithTls(tools)).settings,
      ca_cert: tools.stranger.certFile,
    }),
  },
  {
    group: 'TLS',
    what: 'the authority is not one of the system’s, and ca_cert is not set',
    said: /certificate is signed by "CN=authority", which is not one of the system's authorities, and .*; set ca_cert to a PEM file with the certificate of "CN=authority", or /,
    provoke: async (tools) => ({ ...(await etcdWithTls(tools)).settings, ca_cert: undefined }),
  },
  {
    group: 'TLS',
    what: 'the certificate has expired',
    said: /the member's certificate has expired; renew it, or correct this host's clock$/,
    provoke: async (tools) => (await etcdWithTls(tools, { validFromDays: -9, validToDays: -1 })).settings,
  },
  {
    group: 'TLS',
    what: 'the certificate is from the future',
    said: /the member's certificate is not yet valid; correct this host's clock, or the certificate$/,
    provoke: async (tools) => (await etcdWithTls(tools, { validFromDays: 1, validToDays: 9 })).settings,
  },
  {
    group: 'TLS',
    what: 'the certificate is for another name',
    said: /certificate is not for "127\.0\.0\.1", but for DNS:elsewhere\.example\.com; use a name from the/,
    provoke: async (tools) => (await etcdWithTls(tools, { names: ['DNS:elsewhere.example.com'] })).settings,
  },
  {
    group: 'TLS',
    what: 'the member wants a client certificate, and there is none',
    said: /the member wants a client certificate; set cert and key$/,
    provoke: async (tools) => (await etcdWithTls(tools, {}, { clientCertAuth: true })).settings,
  },
  {
    group: 'TLS',
    what: 'the client certificate is a stranger’s',
    said: /the member refused the client certificate \([a-z ]+\), signed by "CN=stranger"; replace cert ".*" with one that an authority in the member's --trusted-ca-file has signed, /,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.stranger.issue();
      return { ...settings, cert: certFile, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'the client certificate has expired',
    said: /the member refused the client certificate \([a-z ]+\): it has expired; renew cert "/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue({ validFromDays: -9, validToDays: -1 });
      return { ...settings, cert: certFile, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'the client certificate is revoked',
    said: /the member closed the connection after it got the client certificate of cert ".*"; see etcd's log: if the certificate is revoked \(--client-crl-file\), issue a new one$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const args = [`--client-crl-file=${await tools.authority.revoke([certFile])}`];
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true, args });
      return { ...settings, cert: certFile, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert names a file that is not there',
    begins: 'Cannot read config',
    said: /: line \d: ca_cert is ".*", want an existing file$/,
    provoke: async (tools) => ({
      ...(await etcdWithTls(tools)).settings,
      ca_cert: join(tools.directory, 'nowhere.pem'),
    }),
  },
  {
    group: 'TLS',
    what: 'key is the key of another certificate',
    said: /the private key in key ".*" does not belong to the certificate in cert ".*"; set cert and key to a matching pair$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const [one, other] = [await tools.authority.issue(), await tools.authority.issue()];
      return { ...settings, cert: one.certFile, key: other.keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'the password of key is wrong',
    said: /the private key in key ".*" cannot be decrypted with the given password; correct the password in key_password_file$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const key = await encryptKey(keyFile, 'keypw', join(tools.directory, 'encrypted.pem'));
      const passwordFile = join(tools.directory, 'key-password');
      await writeFile(passwordFile, 'another\n', { mode: 0o600 });
      return { ...settings, cert: certFile, key, key_password_file: passwordFile };
    },
  },
  {
    group: 'TLS',
    what: 'cert is cut off in the middle',
    said: /cert ".*" line 1 begins a CERTIFICATE that has no end; set cert to a PEM file with certificates$/,
    provoke: async (tools) => {
      const { settings } = await etcdWithTls(tools, {}, { clientCertAuth: true });
      const { certFile, keyFile } = await tools.authority.issue();
      const cut = join(tools.directory, 'cut-off.pem');
      await writeFile(cut, (await readFile(certFile)).subarray(0, 200));
      return { ...settings, cert: cut, key: keyFile };
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert is the root, and the member does not send the intermediate that signed its certificate',
    said: /certificate is signed by "CN=between", which is not in ca_cert ".*", and the member sends no intermediate certificates; put the certificate of "CN=between" into ca_cert, or append it to the member's --cert-file /,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between');
      return (await etcdWithFiles(tools, await between.issue())).settings;
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert lacks the root of a chain that the member sends',
    said: /certificate leads to the authority "CN=authority", which is not in ca_cert ".*"; put the certificate of "CN=authority" into ca_cert$/,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between');
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(join(tools.directory, 'chain.pem'), [certFile, between.certFile]);
      const { settings } = await etcdWithFiles(tools, { certFile: chain, keyFile });
      return { ...settings, ca_cert: tools.stranger.certFile };
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert has an authority of the right name with another key',
    said: /certificate is signed by an authority "CN=authority" with another key than the authority of that name in ca_cert ".*"; put the current certificate of that authority into ca_cert$/,
    provoke: async (tools) => {
      const namesake = await Authority.make(tools.directory, 'namesake', { commonName: 'authority' });
      return { ...(await etcdWithTls(tools)).settings, ca_cert: namesake.certFile };
    },
  },
  {
    group: 'TLS',
    what: 'the member’s certificate has signed itself',
    said: /certificate "CN=alone" is self-signed, and is not in ca_cert ".*"; put that certificate into ca_cert$/,
    provoke: async (tools) => {
      const alone = await Authority.make(tools.directory, 'alone', {
        extensions: ['subjectAltName=IP:127.0.0.1'],
      });
      return (await etcdWithFiles(tools, alone)).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the authority has expired',
    said: /the authority "CN=authority-\d+" in ca_cert ".*" has expired; put its replacement into ca_cert, or correct this host's clock$/,
    provoke: (tools) => distrusted(tools, { validFromDays: -9, validToDays: -1 }),
  },
  {
    group: 'TLS',
    what: 'an intermediate certificate has expired',
    said: /the intermediate certificate "CN=between" that the member sends has expired; renew it in the member's --cert-file, or /,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between', { validFromDays: -9, validToDays: -1 });
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(join(tools.directory, 'old-chain.pem'), [certFile, between.certFile]);
      return (await etcdWithFiles(tools, { certFile: chain, keyFile })).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the member’s key is RSA with 1024 bits',
    said: /the member's certificate has a 1024-bit RSA key, which TLS refuses; reissue it with an RSA key /,
    provoke: async (tools) => (await etcdWithTls(tools, { keyType: 'rsa:1024' })).settings,
  },
  {
    group: 'TLS',
    what: 'the member’s certificate is signed with SHA-1',
    said: /the member's certificate is signed with SHA1, which TLS refuses; reissue it with a SHA-256 signature$/,
    provoke: async (tools) => (await etcdWithTls(tools, { digest: 'sha1' })).settings,
  },
  {
    group: 'TLS',
    what: 'the authority’s key is RSA with 1024 bits',
    said: /the authority "CN=authority-\d+" in ca_cert ".*" has a 1024-bit RSA key, which TLS refuses; reissue it /,
    provoke: (tools) => distrusted(tools, { keyType: 'rsa:1024' }),
  },
  {
    group: 'TLS',
    what: 'the member’s certificate is for clients only',
    said: /the member's certificate is not for servers: its extendedKeyUsage has no serverAuth; reissue it with extendedKeyUsage = serverAuth, /,
    provoke: async (tools) => {
      const extensions = ['extendedKeyUsage=clientAuth'];
      return (await etcdWithTls(tools, { extensions })).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the key usage of the member’s certificate is not for TLS',
    said: /the member's certificate is not for TLS: its keyUsage has no digitalSignature; reissue it with keyUsage = digitalSignature$/,
    provoke: async (tools) =>
      (await etcdWithTls(tools, { extensions: ['keyUsage=critical,keyCertSign'] })).settings,
  },
  {
    group: 'TLS',
    what: 'the authority’s key usage is not for signing certificates',
    said: /the authority "CN=authority-\d+" in ca_cert ".*" may not sign certificates: its keyUsage has no keyCertSign; /,
    provoke: (tools) =>
      distrusted(tools, { extensions: ['basicConstraints=critical,CA:true', 'keyUsage=critical,cRLSign'] }),
  },
  {
    group: 'TLS',
    what: 'an intermediate certificate is no authority',
    said: /the intermediate certificate "CN=between" that the member sends is no authority: its basicConstraints have no CA:true; /,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between', {
        extensions: ['basicConstraints=CA:false'],
      });
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(join(tools.directory, 'no-chain.pem'), [certFile, between.certFile]);
      return (await etcdWithFiles(tools, { certFile: chain, keyFile })).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the authority is constrained to other names',
    said: /an authority of the member's certificate may not issue it for its names \(DNS:localhost, IP:127\.0\.0\.1, .*\): its nameConstraints exclude them; /,
    provoke: (tools) =>
      distrusted(tools, {
        extensions: [
          'basicConstraints=critical,CA:true',
          'nameConstraints=critical,permitted;DNS:example.com',
        ],
      }),
  },
  {
    group: 'TLS',
    what: 'the certificate has the address as a name',
    said: /certificate is not for "127\.0\.0\.1", which it has as DNS:127\.0\.0\.1 but not as IP:127\.0\.0\.1; reissue it with subjectAltName = IP:127\.0\.0\.1$/,
    provoke: async (tools) => (await etcdWithTls(tools, { names: ['DNS:127.0.0.1'] })).settings,
  },
  {
    group: 'TLS',
    what: 'the client certificate is for servers only',
    said: /the member refused the client certificate \([a-z ]+\): it is not for clients, because its extendedKeyUsage has no clientAuth; reissue cert /,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue({
        extensions: ['extendedKeyUsage=serverAuth'],
      });
      return withOwn(tools, { cert: certFile, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'the client’s key is of a kind that etcd cannot use',
    said: /the member refused the client certificate \([a-z ]+\): it has a key on the curve secp256k1, which etcd cannot use; cert ".*": reissue it with an RSA key of 2048 bits or an EC key on P-256$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue({ keyType: 'ec:secp256k1' });
      return withOwn(tools, { cert: certFile, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'an intermediate certificate of the client has expired',
    said: /the member refused the client certificate \([a-z ]+\): "CN=between", which is sent with it, has expired; renew that certificate in cert ".*"$/,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between', { validFromDays: -9, validToDays: -1 });
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(join(tools.directory, 'old-own.pem'), [certFile, between.certFile]);
      return withOwn(tools, { cert: chain, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'an intermediate certificate of the client is signed with SHA-1',
    said: /the member refused the client certificate \([a-z ]+\): "CN=between", which is sent with it, is signed with SHA1; cert ".*": reissue it with a SHA-256 signature$/,
    provoke: async (tools) => {
      const between = await tools.authority.intermediate('between', { digest: 'sha1' });
      const { certFile, keyFile } = await between.issue();
      const chain = await joinFiles(join(tools.directory, 'sha1-own.pem'), [certFile, between.certFile]);
      return withOwn(tools, { cert: chain, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'the member’s key is of a kind that etcd cannot use',
    said: /the member refused TLS \(handshake failure\): no common cipher, or a key that it cannot use in its --cert-file, or it wants a client certificate; check the member's --cipher-suites and its key \(RSA /,
    provoke: async (tools) => (await etcdWithTls(tools, { keyType: 'ec:secp224r1' })).settings,
  },
  {
    group: 'TLS',
    what: 'the member’s certificate has a CN and no subjectAltName',
    said: /the member's certificate is not for "127\.0\.0\.1", because it has no host name or address in subjectAltName; its CN "127\.0\.0\.1" does not count; reissue it with subjectAltName = IP:127\.0\.0\.1$/,
    provoke: async (tools) => (await etcdWithTls(tools, { names: [], commonName: '127.0.0.1' })).settings,
  },
  {
    group: 'TLS',
    what: 'the member’s certificate is for any usage, which OpenSSL does not take for servers',
    said: /the member's certificate is not for servers: its extendedKeyUsage has no serverAuth; reissue it /,
    provoke: async (tools) => {
      const extensions = ['extendedKeyUsage=anyExtendedKeyUsage'];
      return (await etcdWithTls(tools, { extensions })).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the member sends an intermediate certificate, but not the one that signed its own',
    said: /certificate is signed by "CN=lower", which is not in ca_cert ".*", and the member sends other certificates, but not that one; put the certificate of "CN=lower" into ca_cert, or append it /,
    provoke: async (tools) => {
      const upper = await tools.authority.intermediate('upper');
      const lower = await upper.intermediate('lower');
      const { certFile, keyFile } = await lower.issue();
      const chain = await joinFiles(join(tools.directory, 'gap.pem'), [certFile, upper.certFile]);
      return (await etcdWithFiles(tools, { certFile: chain, keyFile })).settings;
    },
  },
  {
    group: 'TLS',
    what: 'the client’s key is RSA with 1024 bits',
    said: /cert ".*" line 1: CN=test has a 1024-bit RSA key, which TLS refuses; reissue it with an RSA key /,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue({ keyType: 'rsa:1024' });
      return withOwn(tools, { cert: certFile, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'the client certificate is signed with SHA-1',
    said: /the member refused the client certificate \([a-z ]+\): it is signed with SHA1; cert ".*": reissue it with a SHA-256 signature$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue({ digest: 'sha1' });
      return withOwn(tools, { cert: certFile, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'key is encrypted in an old way',
    said: /the private key in key ".*" is encrypted with PBE-MD5-DES, which OpenSSL 3 cannot read; convert it, and use the new file: openssl pkey -provider legacy /,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const how = ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES', '-provider', 'legacy', '-provider', 'default'];
      const key = await encryptKey(keyFile, 'keypw', join(tools.directory, 'old.pem'), how);
      return withOwn(tools, {
        cert: certFile,
        key,
        key_password_file: await fileOf(tools, 'old-password', 'keypw\n'),
      });
    },
  },
  {
    group: 'TLS',
    what: 'key is encrypted, and key_password_file is not set',
    said: /the private key in key ".*" needs a password; set key_password_file$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const key = await encryptKey(keyFile, 'keypw', join(tools.directory, 'locked.pem'));
      return withOwn(tools, { cert: certFile, key });
    },
  },
  {
    group: 'TLS',
    what: 'key_password_file is UTF-16',
    said: /cannot read key_password_file ".*": it is UTF-16 text; convert it to UTF-8: t=\$\(iconv -f UTF-16 -t UTF-8 /,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const key = await encryptKey(keyFile, 'keypw', join(tools.directory, 'locked-16.pem'));
      const password = await fileOf(tools, 'password-16', Buffer.from('\ufeffkeypw\r\n', 'utf16le'));
      return withOwn(tools, { cert: certFile, key, key_password_file: password });
    },
  },
  {
    group: 'TLS',
    what: 'key is a PKCS#12 file',
    said: /key ".*" is PKCS#12; convert it, and use the new file: openssl pkcs12 -in \S+ -nocerts -nodes -out \S+$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const store = join(tools.directory, 'client.p12');
      await runChecked('openssl', [
        'pkcs12',
        '-export',
        '-in',
        certFile,
        '-inkey',
        keyFile,
        '-passout',
        'pass:',
        '-out',
        store,
      ]);
      await chmod(store, 0o600);
      return withOwn(tools, { cert: certFile, key: store });
    },
  },
  {
    group: 'TLS',
    what: 'cert is DER',
    said: /cert ".*" is DER, not PEM; convert it, and use the new file: openssl x509 -inform DER -in \S+ -out \S+$/,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      const der = join(tools.directory, 'client.der');
      await runChecked('openssl', ['x509', '-in', certFile, '-outform', 'DER', '-out', der]);
      return withOwn(tools, { cert: der, key: keyFile });
    },
  },
  {
    group: 'TLS',
    what: 'ca_cert holds a trusted certificate',
    said: /ca_cert ".*" line 1 begins a TRUSTED CERTIFICATE, want a CERTIFICATE; convert it, and use the new file: openssl storeutl -certs -out \S+ \S+$/,
    provoke: async (tools) => {
      const trusted = join(tools.directory, 'trusted.pem');
      const how = [
        'x509',
        '-in',
        tools.authority.certFile,
        '-trustout',
        '-addtrust',
        'serverAuth',
        '-out',
        trusted,
      ];
      await runChecked('openssl', how);
      return { ...(await etcdWithTls(tools)).settings, ca_cert: trusted };
    },
  },
  {
    group: 'TLS',
    what: 'a boundary in ca_cert lacks a dash',
    said: /ca_cert ".*" line \d+ is not a PEM boundary, want -----BEGIN CERTIFICATE----- or /,
    provoke: async (tools) => {
      const pem = await readFile(tools.authority.certFile, 'utf8');
      const damaged = pem + pem.replace('-----BEGIN', '----BEGIN');
      return {
        ...(await etcdWithTls(tools)).settings,
        ca_cert: await fileOf(tools, 'damaged.pem', damaged),
      };
    },
  },
  withAuthorities(
    'the dashes of a boundary in ca_cert are typographic',
    /ca_cert ".*" line \d+ is not a PEM boundary, want -----BEGIN CERTIFICATE----- or /,
    (pem) => pem + pem.replaceAll('-----', '–––––'),
  ),
  withAuthorities(
    'ca_cert has a character that is not base64',
    /ca_cert ".*" line 3: the certificate has "\\", which is not base64; set ca_cert to a PEM file with certificates$/,
    (pem) => pem.replace(/^(.*\n.*\n.*)\n/, '$1\\n'),
  ),
  withAuthorities(
    'two certificates in ca_cert have lost the boundaries between them',
    /ca_cert ".*" line \d: the certificate has "=", which is not base64; /,
    // Whether the base64 of a certificate ends with "=" depends on the length of its signature.
    (pem) => pem.replace(/=*\n-----END.*\n/, '=\n') + pem.replace(/-----BEGIN.*\n/, ''),
  ),
  withAuthorities(
    'ca_cert is a PEM file in base64, as in a Secret of Kubernetes',
    /ca_cert ".*" is a PEM file in base64; decode it, and use the new file: base64 -d \S+ > \S+$/,
    (pem) => Buffer.from(pem).toString('base64'),
  ),
  withAuthorities(
    'ca_cert holds PKCS#7 with an old label',
    /ca_cert ".*" line 1 begins a PKCS #7 SIGNED DATA, want a CERTIFICATE; convert it, and use the new file: openssl pkcs7 /,
    (pem) => pem.replaceAll('CERTIFICATE', 'PKCS #7 SIGNED DATA') + pem,
  ),
  {
    group: 'TLS',
    what: 'cert is a request',
    said: /cert ".*" line 1 begins a CERTIFICATE REQUEST, want a CERTIFICATE; it is a request: use the certificate /,
    provoke: async (tools) => {
      const { certFile, keyFile } = await tools.authority.issue();
      return withOwn(tools, { cert: certFile.replace(/\.pem$/, '.csr'), key: keyFile });
    },
  },
];
