import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { readSmallFile } from '../base/small-file.ts';

/** A file that TLS needs cannot be used. The message names key and file; `remedy` says what to do. */
export class TlsFileError extends Error {
  override readonly name = 'TlsFileError';
  /** Names the message in the failure guide. */
  readonly id: string;
  readonly remedy: string;

  constructor(id: string, message: string, remedy: string) {
    super(message);
    this.id = id;
    this.remedy = remedy;
  }
}

// Where the distributions keep the authorities that they trust: Debian and its kin, RHEL and its kin (new and old
// place), openSUSE (new and old place), Alpine. Go's crypto/x509 looks in the same places (root_linux.go).
const SYSTEM_TRUST_STORES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

// Ten times the trust store of a distribution.
const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Changes whenever the file does: also when another one of the same size and time is moved into its place. */
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'unreadable';
  }
}

function read(key: string, path: string): Buffer {
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind === 'file') return Buffer.from(file.bytes);
  const problem = file.kind === 'absent' ? 'there is no such file' : file.problem;
  throw new TlsFileError('tls-file', `cannot read ${key} "${path}": ${problem}`, `correct ${key}`);
}

function withoutLineEnd(bytes: Buffer): string {
  return bytes.toString().split(/\r?\n/, 1)[0] ?? '';
}

function certificatesIn(key: string, path: string, pem: Buffer): X509Certificate[] {
  const text = pem.toString('latin1');
  const blocks = text.match(CERTIFICATE) ?? [];
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  const remedy = `make ${key} a PEM file with certificates`;
  if (begun === 0) throw new TlsFileError('tls-no-pem', `${key} "${path}" has no certificate in it`, remedy);
  // TLS would silently do without the certificates that it cannot read, and refuse members for that.
  if (begun !== blocks.length)
    throw new TlsFileError('tls-no-pem', `${key} "${path}" ends within a certificate`, remedy);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw new TlsFileError('tls-no-pem', `${key} "${path}" has a certificate that cannot be read`, remedy);
  }
}

function privateKeyIn(path: string, name: string, pem: Buffer, password: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(password === undefined ? {} : { passphrase: password }) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (/PASSPHRASE|INTERRUPTED_OR_CANCELLED|PASSWORD_READ/.test(code)) {
      throw new TlsFileError(
        'tls-key-password',
        `the private key in ${name} "${path}" needs a password`,
        'set key_password_file',
      );
    }
    if (/DECRYPT|PKCS12|CIPHERFINAL/.test(code)) {
      throw new TlsFileError(
        'tls-key-wrong',
        `the private key in ${name} "${path}" has another password`,
        'correct the password in key_password_file',
      );
    }
    throw new TlsFileError(
      'tls-no-key',
      `${name} "${path}" has no private key that can be read`,
      'set key to the PEM file with the private key of cert',
    );
  }
}

/**
 * The certificates, keys and authorities that connections are made with. Files are looked at before each connection and
 * read again when they changed; while the new ones make no sense, half written or not matching, the old ones serve.
 */
export class TlsFiles {
  readonly #config: TlsConfig;
  readonly #systemTrustStores: readonly string[];
  #context: SecureContext | undefined;
  #stamps = '';

  constructor(config: TlsConfig, systemTrustStores: readonly string[] = SYSTEM_TRUST_STORES) {
    this.#config = config;
    this.#systemTrustStores = systemTrustStores;
  }

  /** @throws {TlsFileError} when the files have made no sense since the start */
  context(): SecureContext {
    const { caFile, certFile, keyFile, keyPasswordFile } = this.#config;
    const caPath = caFile ?? this.#systemTrustStores.find((path) => stampOf(path) !== 'unreadable');
    const paths = [caPath, certFile, keyFile, keyPasswordFile].filter((path) => path !== undefined);
    const stamps = paths.map((path) => `${path} ${stampOf(path)}`).join('\n');
    if (this.#context !== undefined && stamps === this.#stamps) return this.#context;
    try {
      this.#context = this.#load(caPath);
      // Only now: a set of files that failed is tried again each time.
      this.#stamps = stamps;
    } catch (error) {
      if (this.#context === undefined) throw error;
    }
    return this.#context;
  }

  #load(caPath: string | undefined): SecureContext {
    const { caFile, certFile, keyFile, keyPasswordFile } = this.#config;
    // Without any file the list that is compiled into the runtime serves.
    const ca = caPath === undefined ? undefined : read('ca_cert', caPath);
    // The system's own store is not ours to check, and large.
    if (ca !== undefined && caFile !== undefined) certificatesIn('ca_cert', caFile, ca);
    const common = ca === undefined ? {} : { ca };
    if (certFile === undefined) return createSecureContext(common);

    const cert = read('cert', certFile);
    const [leaf] = certificatesIn('cert', certFile, cert);
    const keyName = keyFile === undefined ? 'cert' : 'key';
    const keyPath = keyFile ?? certFile;
    const keyPem = keyFile === undefined ? cert : read('key', keyFile);
    const password =
      keyPasswordFile === undefined ? undefined : withoutLineEnd(read('key_password_file', keyPasswordFile));
    const key = privateKeyIn(keyPath, keyName, keyPem, password);
    if (leaf?.checkPrivateKey(key) !== true) {
      throw new TlsFileError(
        'tls-pair',
        `the private key in ${keyName} "${keyPath}" does not belong to the certificate in cert "${certFile}"`,
        'set cert and key to a pair',
      );
    }
    return createSecureContext({ ...common, cert, key: key.export({ type: 'pkcs8', format: 'pem' }) });
  }
}
