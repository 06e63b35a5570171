import type { KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { TlsConfig } from '../config/config.ts';
import { readPasswordFile } from '../config/password-file.ts';
import { STRONG_DIGEST, STRONG_KEY, nameInLine, weakDigestOf, weakKeyOf } from './certificate-facts.ts';
import { FileStamps, stampOf, stampsIn } from './file-stamp.ts';
import { readPemFile, readTlsFile, type FiledCertificate, type PemFile } from './pem-file.ts';
import { readPrivateKey } from './private-key.ts';
import { TlsFileError } from './tls-file-error.ts';

// Where the distributions keep their trusted authorities: Debian and its relatives, RHEL and its relatives (new and old
// place), openSUSE (new and old place), Alpine. Go's crypto/x509 looks in the same places (root_linux.go).
const SYSTEM_TRUST_STORES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/var/lib/ca-certificates/ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The content of the configuration's files. */
export interface LoadedTls {
  /** The context for new connections. */
  readonly context: SecureContext;
  /** The content of `ca_cert`; undefined without that key. */
  readonly authorities: PemFile | undefined;
  /** The client's own certificate; undefined without `cert`. */
  readonly own: X509Certificate | undefined;
  /** The client's own certificate and those that are sent after it; empty without `cert`. */
  readonly ownChain: readonly FiledCertificate[];
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
    `set ${key} to a PEM file with certificates`,
  );
}

/** The client certificate with its key, and the intermediate authorities that are sent with it. */
interface OwnPair {
  readonly chain: readonly FiledCertificate[];
  readonly leaf: FiledCertificate;
  readonly key: KeyObject;
}

/**
 * Reads the pair of `cert` and `key`. The order in the files does not matter: the certificate that belongs to the key
 * is the client's own, and the others are sent after it.
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
  let unusable: TlsFileError | undefined;
  for (const block of privateKeys) {
    let key: KeyObject;
    try {
      key = readPrivateKey(block, source, password);
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error;
      unusable ??= error; // another key in the file may be the right one
      continue;
    }
    const leaf = certificates.find(({ certificate }) => certificate.checkPrivateKey(key));
    if (leaf !== undefined)
      return { chain: [leaf, ...certificates.filter((other) => other !== leaf)], leaf, key };
  }
  if (unusable !== undefined) throw unusable;
  throw new TlsFileError(
    'tls-pair',
    `the private key in ${source.name} "${source.path}" does not belong to the certificate in cert "${certFile}"`,
    'set cert and key to a matching pair',
  );
}

/** Why OpenSSL refuses the pair: which part of it is too weak. */
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
    'reissue it with an EC key on P-256 and a SHA-256 signature',
  );
}

/**
 * The certificates, keys and authorities for connections. The files are checked before each connection and read again
 * when they have changed. While the new files cannot be used, because they are half written or do not match, the old
 * ones are used.
 */
export class TlsFiles {
  readonly #config: TlsConfig;
  readonly #systemTrustStores: readonly string[];
  #loaded: LoadedTls | undefined;
  #stamps = '';
  /** The files of the last `load`. */
  #files = new FileStamps([]);

  constructor(config: TlsConfig, systemTrustStores: readonly string[] = SYSTEM_TRUST_STORES) {
    this.#config = config;
    this.#systemTrustStores = systemTrustStores;
  }

  /**
   * The context for a new connection.
   * @throws {TlsFileError} when the files could never be read since the start
   */
  context(): SecureContext {
    return this.load().context;
  }

  /**
   * The content of the files.
   * @throws {TlsFileError} when the files could never be read since the start
   */
  load(): LoadedTls {
    const { caFile, certFile, keyFile, keyPasswordFile } = this.#config;
    const caPath = caFile ?? this.#systemTrustStores.find((path) => stampOf(path) !== undefined);
    const paths = [caPath, certFile, keyFile, keyPasswordFile].filter((path) => path !== undefined);
    const stamps = stampsIn(paths, paths.map(stampOf));
    if (this.#loaded !== undefined && stamps === this.#stamps) return this.#loaded;
    try {
      this.#loaded = this.#read(caPath);
      this.#files = new FileStamps(paths);
      // Set only after success, so that files that failed are tried again each time.
      this.#stamps = stamps;
    } catch (error) {
      if (this.#loaded === undefined) throw error;
    }
    return this.#loaded;
  }

  /**
   * As `load`, but does not wait for a file system that hangs: the files then count as they were read last. The first time
   * is left to `load`; the file systems have been asked at the start (config/named-files.ts).
   */
  async loadInTime(): Promise<LoadedTls> {
    const { caFile, certFile } = this.#config;
    if (this.#loaded === undefined || (caFile === undefined && certFile === undefined)) return this.load();
    const stamps = await this.#files.now();
    return stamps === undefined || stamps === this.#stamps ? this.#loaded : this.load();
  }

  #read(caPath: string | undefined): LoadedTls {
    const { caFile, certFile } = this.#config;
    // Without a trust store, the list inside the runtime is used.
    const bytes = caPath === undefined ? undefined : readTlsFile('ca_cert', caPath);
    // The system's own store is large and is not checked.
    const authorities =
      bytes === undefined || caFile === undefined
        ? undefined
        : withCertificates('ca_cert', caFile, readPemFile('ca_cert', caFile, bytes, 'authorities'));
    const ca = authorities?.certificates.map(({ pem }) => pem) ?? bytes;
    const common = {
      ...(ca === undefined ? {} : { ca }),
      // Each certificate in ca_cert is trusted, also an intermediate authority or a member's own certificate, as
      // etcdctl does.
      allowPartialTrustChain: true,
    };
    if (certFile === undefined)
      return { context: createSecureContext(common), authorities, own: undefined, ownChain: [] };

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
        ownChain: pair.chain,
      };
    } catch (error) {
      throw refusedPair(certFile, pair, error);
    }
  }
}

/**
 * The client certificate in the file now, followed by those that are sent after it; empty when they cannot be read.
 */
export function ownCertificates(tls: TlsConfig): readonly X509Certificate[] {
  try {
    return new TlsFiles(tls).load().ownChain.map(({ certificate }) => certificate);
  } catch (error) {
    if (error instanceof TlsFileError) return [];
    throw error;
  }
}
