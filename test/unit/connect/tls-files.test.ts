import assert from 'node:assert/strict';
import { readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { connect, createServer, type SecureContext } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { TlsConfig } from '../../../src/config/config.ts';
import { TlsFileError, TlsFiles } from '../../../src/connect/tls-files.ts';
import { Authority, encryptKey, replaceFile, type CertificateFiles } from '../../support/certificates.ts';
import { temporaryDirectory } from '../../support/processes.ts';

const NOTHING: TlsConfig = {
  caFile: undefined,
  certFile: undefined,
  keyFile: undefined,
  keyPasswordFile: undefined,
  serverName: undefined,
  insecureSkipVerify: false,
};

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
    new TlsFiles({ ...NOTHING, ...config }).context();
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
    const files = new TlsFiles({ ...NOTHING, caFile });
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
    const files = new TlsFiles({ ...NOTHING, caFile });
    const first = files.context();
    utimesSync(caFile, 1, 1);
    const second = files.context();
    assert.notEqual(second, first);
    await replaceFile(caFile, authority.certFile);
    utimesSync(caFile, 1, 1);
    assert.notEqual(files.context(), second);
  });

  test('half written, gone or no pair, leave what was; complete ones are taken without another change of time', () => {
    const live = {
      caFile: newFile(readFileSync(authority.certFile)),
      certFile: newFile(readFileSync(pair.certFile)),
      keyFile: newFile(readFileSync(pair.keyFile)),
    };
    const files = new TlsFiles({ ...NOTHING, ...live });
    const first = files.context();
    const whole = readFileSync(otherPair.certFile);
    for (const length of [0, 100, whole.length - 10]) {
      writeFileSync(live.certFile, whole.subarray(0, length));
      assert.equal(files.context(), first, `${length} bytes of the certificate`);
    }
    writeFileSync(live.certFile, whole);
    assert.equal(files.context(), first, 'the certificate without its key');
    rmSync(live.keyFile);
    assert.equal(files.context(), first, 'the key is gone');
    writeFileSync(live.keyFile, readFileSync(otherPair.keyFile));
    const second = files.context();
    assert.notEqual(second, first);
    writeFileSync(live.caFile, readFileSync(authority.certFile).subarray(0, 200));
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
        /ends within a certificate$/,
        /PEM/,
      ],
      [
        { caFile: newFile(readFileSync(pair.certFile, 'utf8').replace(/M[A-Z]/, '!!')) },
        /has a certificate that cannot be read$/,
        /PEM/,
      ],
      [{ certFile: pair.certFile }, /^cert ".*" has no private key that can be read$/, /set key/],
      [{ ...pair, keyFile: otherPair.keyFile }, /does not belong to the certificate in cert "/, /pair/],
      [
        { ...pair, keyFile: encrypted },
        /^the private key in key ".*" needs a password$/,
        /key_password_file/,
      ],
      [
        { ...pair, keyFile: encrypted, keyPasswordFile: newFile('wrong\n') },
        /^the private key in key ".*" has another password$/,
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

  test('without ca_cert the trust store of the system counts, the first that is there', async () => {
    const stores = [join(directory, 'missing'), authority.certFile, stranger.certFile];
    const context = new TlsFiles(NOTHING, stores).context();
    assert.equal(await trusts(context, pair), true);
    assert.equal(await trusts(context, await stranger.issue()), false);
  });

  test('without any trust store the list of the runtime counts, which does not know our authority', async () => {
    assert.equal(await trusts(new TlsFiles(NOTHING, []).context(), pair), false);
  });
});
