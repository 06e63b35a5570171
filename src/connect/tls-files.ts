import type { KeyObject, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { readPasswordFile } from '../config/password-file.ts';
import { STRONG_DIGEST, STRONG_KEY, nameInLine, weakDigestOf, weakKeyOf } from './certificate-facts.ts';
import { readPemFile, readTlsFile, type FiledCertificate, type PemFile } from './pem-file.ts';
import { readPrivateKey } from './private-key.ts';
import { TlsFileError } from './tls-file-error.ts';

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

/** All that the configuration's files come to. */
export interface LoadedTls {
  /** What connections are made with. */
  readonly context: SecureContext;
  /** What `ca_cert` holds; undefined without that key. */
  readonly authorities: PemFile | undefined;
  /** The client certificate itself; undefined without `cert`. */
  readonly own: X509Certificate | undefined;
}

/** Changes whenever the file does: also when another one of the same size and time is moved into its place. */
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'unreadable';
  }
}

function passwordIn(path: string): Buffer {
  const file = readPasswordFile(path, 'any');
  if (file.kind === 'password') return file.bytes;
  const { problem, remedy = 'correct key_password_file' } = file;
  throw new TlsFileError('tls-file', `cannot read key_password_file "${path}": ${problem}`, remedy);
}

function withCertificates(key: string, path: string, file: PemFile): PemFile {
  if (file.certificates.length > 0) return file;
  throw new TlsFileError(
    'tls-no-pem',
    `${key} "${path}" has no certificate in it`,
    `make ${key} a PEM file with certificates`,
  );
}

/** The client certificate with its key, and the authorities between that are shown with it. */
interface OwnPair {
  readonly chain: readonly FiledCertificate[];
  readonly leaf: FiledCertificate;
  readonly key: KeyObject;
}

/**
 * The pair of `cert` and `key`. In whichever order the files hold them, the certificate that the key belongs to is the
 * client's own, and the others are sent after it.
 */
function readPair(config: TlsConfig, certFile: string): OwnPair {
  const { keyFile, keyPasswordFile } = config;
  const cert = readPemFile('cert', certFile, readTlsFile('cert', certFile), 'certificate');
  const { certificates } = withCertificates('cert', certFile, cert);
  const source = { name: keyFile === undefined ? 'cert' : 'key', path: keyFile ?? certFile };
  const { privateKeys } =
    keyFile === undefined ? cert : readPemFile('key', keyFile, readTlsFile('key', keyFile), 'key');
  if (privateKeys.length === 0) {
    throw new TlsFileError(
      'tls-no-key',
      `${source.name} "${source.path}" has no private key in it`,
      'set key to the PEM file with the private key of cert',
    );
  }
  const password = keyPasswordFile === undefined ? undefined : passwordIn(keyPasswordFile);
  for (const block of privateKeys) {
    const key = readPrivateKey(block, source, password);
    const leaf = certificates.find(({ certificate }) => certificate.checkPrivateKey(key));
    if (leaf !== undefined)
      return { chain: [leaf, ...certificates.filter((other) => other !== leaf)], leaf, key };
  }
  throw new TlsFileError(
    'tls-pair',
    `the private key in ${source.name} "${source.path}" does not belong to the certificate in cert "${certFile}"`,
    'set cert and key to a pair',
  );
}

/** Why OpenSSL does not take the pair, by what is weak in it. */
function refusedPair(certFile: string, { chain }: OwnPair, error: unknown): TlsFileError {
  for (const { certificate, line } of chain) {
    const what = `cert "${certFile}" line ${line}: ${nameInLine(certificate.subject)}`;
    const key = weakKeyOf(certificate);
    if (key !== undefined)
      return new TlsFileError('tls-weak', `${what} has ${key}, which TLS refuses`, STRONG_KEY);
    const digest = weakDigestOf(certificate);
    if (digest !== undefined)
      return new TlsFileError(
        'tls-weak',
        `${what} is signed with ${digest}, which TLS refuses`,
        STRONG_DIGEST,
      );
  }
  const text = error instanceof Error ? error.message : String(error);
  const reason = text.split(':').at(-1) ?? text;
  return new TlsFileError(
    'tls-weak',
    `TLS refuses the certificate in cert "${certFile}": ${reason}`,
    'issue it anew with a key of EC on P-256 and a signature of SHA-256',
  );
}

/**
 * The certificates, keys and authorities that connections are made with. Files are looked at before each connection and
 * read again when they changed; while the new ones make no sense, half written or not matching, the old ones serve.
 */
export class TlsFiles {
  readonly #config: TlsConfig;
  readonly #systemTrustStores: readonly string[];
  #loaded: LoadedTls | undefined;
  #stamps = '';

  constructor(config: TlsConfig, systemTrustStores: readonly string[] = SYSTEM_TRUST_STORES) {
    this.#config = config;
    this.#systemTrustStores = systemTrustStores;
  }

  /** What connections are made with. @throws {TlsFileError} when the files have made no sense since the start */
  context(): SecureContext {
    return this.load().context;
  }

  /** Everything that the files hold. @throws {TlsFileError} when the files have made no sense since the start */
  load(): LoadedTls {
    const { caFile, certFile, keyFile, keyPasswordFile } = this.#config;
    const caPath = caFile ?? this.#systemTrustStores.find((path) => stampOf(path) !== 'unreadable');
    const paths = [caPath, certFile, keyFile, keyPasswordFile].filter((path) => path !== undefined);
    const stamps = paths.map((path) => `${path} ${stampOf(path)}`).join('\n');
    if (this.#loaded !== undefined && stamps === this.#stamps) return this.#loaded;
    try {
      this.#loaded = this.#read(caPath);
      // Only now: a set of files that failed is tried again each time.
      this.#stamps = stamps;
    } catch (error) {
      if (this.#loaded === undefined) throw error;
    }
    return this.#loaded;
  }

  #read(caPath: string | undefined): LoadedTls {
    const { caFile, certFile } = this.#config;
    // Without any file the list that is compiled into the runtime serves.
    const bytes = caPath === undefined ? undefined : readTlsFile('ca_cert', caPath);
    // The system's own store is not ours to check, and large.
    const authorities =
      bytes === undefined || caFile === undefined
        ? undefined
        : withCertificates('ca_cert', caFile, readPemFile('ca_cert', caFile, bytes, 'authorities'));
    const ca = authorities?.certificates.map(({ pem }) => pem) ?? bytes;
    const common = {
      ...(ca === undefined ? {} : { ca }),
      // What stands in ca_cert is trusted, also an authority between or a member's own certificate: as etcdctl does it.
      allowPartialTrustChain: true,
    };
    if (certFile === undefined) return { context: createSecureContext(common), authorities, own: undefined };

    const pair = readPair(this.#config, certFile);
    const own = {
      cert: pair.chain.map(({ pem }) => pem).join(''),
      key: pair.key.export({ type: 'pkcs8', format: 'pem' }),
    };
    try {
      return {
        context: createSecureContext({ ...common, ...own }),
        authorities,
        own: pair.leaf.certificate,
      };
    } catch (error) {
      throw refusedPair(certFile, pair, error);
    }
  }
}

/** The client certificate as it is on disk; undefined when it cannot be read. */
export function ownCertificate(tls: TlsConfig): X509Certificate | undefined {
  try {
    return new TlsFiles(tls).load().own;
  } catch (error) {
    if (error instanceof TlsFileError) return undefined;
    throw error;
  }
}
