import assert from 'node:assert/strict';
import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { connect, createServer, type SecureContext } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { TlsConfig } from '../../../src/config/config.ts';
import { TlsFileError } from '../../../src/connect/tls-file-error.ts';
import { TlsFiles } from '../../../src/connect/tls-files.ts';
import { Authority, encryptKey, replaceFile, type CertificateFiles } from '../../support/certificates.ts';
import { runChecked, temporaryDirectory } from '../../support/processes.ts';
import { NO_TLS_KEYS } from '../../support/tls-config.ts';

let directory: string;
let authority: Authority;
let stranger: Authority;
let pair: CertificateFiles;
let otherPair: CertificateFiles;
before(async () => {
  directory = await temporaryDirectory('tls-files');
  authority = await Authority.make(directory, 'authority');
  stranger = await Authority.make(directory, 'stranger');
  pair = await authority.issue({ commonName: 'one' });
  otherPair = await authority.issue({ commonName: 'two' });
});

let lastFile = 0;
function newFile(content: string | Buffer): string {
  lastFile += 1;
  const path = join(directory, `file-${lastFile}`);
  writeFileSync(path, content);
  return path;
}

function refused(config: Partial<TlsConfig>): TlsFileError {
  try {
    new TlsFiles({ ...NO_TLS_KEYS, ...config }).context();
  } catch (error) {
    if (error instanceof TlsFileError) return error;
    throw error;
  }
  throw new Error('The files were taken');
}

/** Whether a client with this context trusts a server with a certificate of `files`. */
async function trusts(secureContext: SecureContext, files: CertificateFiles): Promise<boolean> {
  const server = createServer({ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answer = await new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', secureContext, rejectUnauthorized: false }, () => {
      resolve(socket.authorized);
      socket.destroy();
    });
  });
  server.close();
  return answer;
}

void describe('the files of TLS', () => {
  test('are read once while they stay as they are, and again when they change', async () => {
    const caFile = newFile(readFileSync(authority.certFile));
    const files = new TlsFiles({ ...NO_TLS_KEYS, caFile });
    const first = files.context();
    assert.equal(files.context(), first);
    assert.equal(await trusts(first, pair), true);
    await replaceFile(caFile, stranger.certFile);
    const second = files.context();
    assert.notEqual(second, first);
    assert.equal(await trusts(second, pair), false);
    assert.equal(await trusts(second, await stranger.issue()), true);
  });

  test('of the same size and time in another place are another file', async () => {
    const caFile = newFile(readFileSync(authority.certFile));
    const files = new TlsFiles({ ...NO_TLS_KEYS, caFile });
    const first = files.context();
    utimesSync(caFile, 1, 1);
    const second = files.context();
    assert.notEqual(second, first);
    await replaceFile(caFile, authority.certFile);
    utimesSync(caFile, 1, 1);
    assert.notEqual(files.context(), second);
  });

  test('half written, gone or no pair, leave what was; complete ones are taken without another change of time', () => {
    const used = {
      caFile: newFile(readFileSync(authority.certFile)),
      certFile: newFile(readFileSync(pair.certFile)),
      keyFile: newFile(readFileSync(pair.keyFile)),
    };
    const files = new TlsFiles({ ...NO_TLS_KEYS, ...used });
    const first = files.context();
    const whole = readFileSync(otherPair.certFile);
    for (const length of [0, 100, whole.length - 10]) {
      writeFileSync(used.certFile, whole.subarray(0, length));
      assert.equal(files.context(), first, `${length} bytes of the certificate`);
    }
    writeFileSync(used.certFile, whole);
    assert.equal(files.context(), first, 'the certificate without its key');
    rmSync(used.keyFile);
    assert.equal(files.context(), first, 'the key is gone');
    writeFileSync(used.keyFile, readFileSync(otherPair.keyFile));
    const second = files.context();
    assert.notEqual(second, first);
    writeFileSync(used.caFile, readFileSync(authority.certFile).subarray(0, 200));
    assert.equal(files.context(), second, 'half an authority');
  });

  test('that make no sense at the start are an error with file, key and remedy', async () => {
    const encrypted = await encryptKey(pair.keyFile, 'secret', join(directory, 'encrypted.pem'));
    const missing = join(directory, 'missing');
    const cases: [Partial<TlsConfig>, RegExp, RegExp][] = [
      [{ caFile: missing }, /^cannot read ca_cert ".*missing": there is no such file$/, /ca_cert/],
      [{ caFile: directory }, /^cannot read ca_cert ".*": it is a directory/, /ca_cert/],
      [{ caFile: newFile('') }, /^ca_cert ".*" has no certificate in it$/, /PEM/],
      [{ caFile: pair.keyFile }, /^ca_cert ".*" has no certificate in it$/, /PEM/],
      [
        { caFile: newFile(readFileSync(pair.certFile, 'utf8').slice(0, 99)) },
        /^ca_cert ".*" line 1 begins a CERTIFICATE that has no end$/,
        /PEM/,
      ],
      [
        { caFile: newFile(readFileSync(pair.certFile, 'utf8').replace(/M[A-Z]/, '!!')) },
        /^ca_cert ".*" line 2: the certificate has "!", which is not base64$/,
        /PEM/,
      ],
      [{ certFile: pair.certFile }, /^cert ".*" has no private key in it$/, /set key/],
      [{ ...pair, keyFile: otherPair.keyFile }, /does not belong to the certificate in cert "/, /pair/],
      [
        { ...pair, keyFile: encrypted },
        /^the private key in key ".*" needs a password$/,
        /key_password_file/,
      ],
      [
        { ...pair, keyFile: encrypted, keyPasswordFile: newFile('wrong\n') },
        /^the private key in key ".*" cannot be decrypted with the given password$/,
        /key_password_file/,
      ],
      [
        { ...pair, keyFile: encrypted, keyPasswordFile: missing },
        /^cannot read key_password_file ".*missing"/,
        /key_password_file/,
      ],
    ];
    for (const [config, message, remedy] of cases) {
      const error = refused(config);
      assert.match(error.message, message);
      assert.match(error.remedy, remedy);
      assert.doesNotMatch(`${error.message}${error.remedy}${error.stack ?? ''}`, /secret|wrong/);
    }
  });

  test('of other formats are named, with a command that makes a file of them that is taken', async () => {
    const der = join(directory, 'one.der');
    await runChecked('openssl', ['x509', '-in', pair.certFile, '-outform', 'DER', '-out', der]);
    const keyDer = join(directory, 'one-key.der');
    await runChecked('openssl', ['pkey', '-in', pair.keyFile, '-outform', 'DER', '-out', keyDer]);
    const pkcs7 = join(directory, 'one.p7b');
    await runChecked('openssl', [
      ...['crl2pkcs7', '-nocrl', '-certfile', authority.certFile, '-outform', 'DER', '-out', pkcs7],
    ]);
    const pkcs7Pem = join(directory, 'one.p7');
    await runChecked('openssl', ['crl2pkcs7', '-nocrl', '-certfile', authority.certFile, '-out', pkcs7Pem]);
    const store = join(directory, 'one store.p12');
    const intoStore = [
      'pkcs12',
      '-export',
      '-in',
      pair.certFile,
      '-inkey',
      pair.keyFile,
      '-passout',
      'pass:',
    ];
    await runChecked('openssl', [...intoStore, '-certfile', authority.certFile, '-out', store]);
    const oldStore = join(directory, 'old.p12');
    await runChecked('openssl', [...intoStore, '-legacy', '-out', oldStore]);
    const trusted = join(directory, 'trusted.pem');
    await runChecked('openssl', ['x509', '-in', authority.certFile, '-trustout', '-out', trusted]);
    const wide = newFile(Buffer.from(`\ufeff${readFileSync(authority.certFile, 'utf8')}`, 'utf16le'));

    const cases: readonly [what: RegExp, config: Partial<TlsConfig>, key: keyof TlsConfig][] = [
      [/^ca_cert ".*" is DER, not PEM$/, { caFile: der }, 'caFile'],
      [/^key ".*" is DER, not PEM$/, { ...pair, keyFile: keyDer }, 'keyFile'],
      [/^ca_cert ".*" is PKCS#7$/, { caFile: pkcs7 }, 'caFile'],
      [/^ca_cert ".*" line 1 begins a PKCS7, want a CERTIFICATE$/, { caFile: pkcs7Pem }, 'caFile'],
      [/^ca_cert ".*" is PKCS#12$/, { caFile: store }, 'caFile'],
      [/^cert ".*" is PKCS#12$/, { ...pair, certFile: store }, 'certFile'],
      [/^key ".*" is PKCS#12$/, { ...pair, keyFile: store }, 'keyFile'],
      [/^key ".*" is PKCS#12$/, { ...pair, keyFile: oldStore }, 'keyFile'],
      [
        /^ca_cert ".*" line 1 begins a TRUSTED CERTIFICATE, want a CERTIFICATE$/,
        { caFile: trusted },
        'caFile',
      ],
      [/^ca_cert ".*" is UTF-16 text$/, { caFile: wide }, 'caFile'],
    ];
    for (const [what, config, key] of cases) {
      const error = refused(config);
      assert.match(error.message, what);
      const command = /(?:new file|to UTF-8): (.*)$/.exec(error.remedy)?.[1] ?? '';
      assert.notEqual(command, '', error.remedy);
      await runChecked('sh', ['-c', command.replace('openssl pkcs12', 'openssl pkcs12 -passin pass:')]);
      const made = / -out ('[^']+'|\S+)/.exec(command)?.[1]?.replaceAll("'", '') ?? config[key];
      new TlsFiles({ ...NO_TLS_KEYS, ...config, [key]: made }).context();
    }
  });

  test('whose key is encrypted in an old way are named, with a command that encrypts it anew', async () => {
    const legacy = ['-provider', 'legacy', '-provider', 'default'];
    for (const [name, how] of [
      ['PBE-MD5-DES', ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES']],
      ['PBE-SHA1-RC4-128', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC4-128']],
      ['PBE-SHA1-RC2-40', ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-RC2-40']],
      ['DES-CBC', ['pkcs8', '-topk8', '-v2', 'des']],
      ['DES-CBC', ['ec', '-des']],
    ] as const) {
      const keyFile = await encryptKey(pair.keyFile, 'keypw', join(directory, 'old-key'), [
        ...how,
        ...legacy,
      ]);
      const config = { ...pair, keyFile, keyPasswordFile: newFile('keypw\n') };
      const error = refused(config);
      assert.match(error.message, new RegExp(`is encrypted with ${name}, which OpenSSL 3 cannot read$`));
      const command = /new file: (.*)$/.exec(error.remedy)?.[1] ?? '';
      await runChecked('sh', ['-c', `${command} -passin pass:keypw -passout pass:keypw`]);
      new TlsFiles({ ...NO_TLS_KEYS, ...config, keyFile: `${keyFile}.aes` }).context();
    }
    const ssh = join(directory, 'ssh-key');
    await runChecked('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', ssh]);
    const error = refused({ ...pair, keyFile: ssh });
    assert.match(error.message, /is in OpenSSH format$/);
    await runChecked('sh', ['-c', `${error.remedy.replace(/^run /, '')} -N '' -P ''`]);
    assert.match(refused({ ...pair, keyFile: ssh }).message, /does not belong to the certificate/);
  });

  test('without ca_cert the trust store of the system counts, the first that is there', async () => {
    const stores = [join(directory, 'missing'), authority.certFile, stranger.certFile];
    const context = new TlsFiles(NO_TLS_KEYS, stores).context();
    assert.equal(await trusts(context, pair), true);
    assert.equal(await trusts(context, await stranger.issue()), false);
  });

  test('without any trust store the list of the runtime counts, which does not know the authority of the test', async () => {
    assert.equal(await trusts(new TlsFiles(NO_TLS_KEYS, []).context(), pair), false);
  });
});
