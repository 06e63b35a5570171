import { createPrivateKey, type KeyObject } from 'node:crypto';
import { shellWord } from '../config/named-files.ts';
import { derOf, type PemBlock } from './pem.ts';
import { TlsFileError } from './tls-file-error.ts';

/** Where a private key was read, for messages: `key "/etc/ctdb/etcd-key.pem"`. */
export interface KeySource {
  /** The key of the configuration that names the file. */
  readonly name: string;
  readonly path: string;
}

// Object identifiers, without their tag, of encryptions that OpenSSL 3 has only in its legacy provider, which this
// program does not contain: PKCS#5 v1.5 (RFC 8018, appendix A.3), PKCS#12 (RFC 7292, appendix C), and old ciphers
// inside PBES2.
const OLD_ENCRYPTIONS: readonly (readonly [oid: string, name: string])[] = [
  ['06092a864886f70d010501', 'PBE-MD2-DES'],
  ['06092a864886f70d010503', 'PBE-MD5-DES'],
  ['06092a864886f70d010504', 'PBE-MD2-RC2-64'],
  ['06092a864886f70d010506', 'PBE-MD5-RC2-64'],
  ['06092a864886f70d01050a', 'PBE-SHA1-DES'],
  ['06092a864886f70d01050b', 'PBE-SHA1-RC2-64'],
  ['060a2a864886f70d010c0101', 'PBE-SHA1-RC4-128'],
  ['060a2a864886f70d010c0102', 'PBE-SHA1-RC4-40'],
  ['060a2a864886f70d010c0105', 'PBE-SHA1-RC2-128'],
  ['060a2a864886f70d010c0106', 'PBE-SHA1-RC2-40'],
  ['06052b0e030207', 'DES-CBC'],
  ['06082a864886f70d0302', 'RC2-CBC'],
  ['06092b0601040197550102', 'BF-CBC'],
  ['06092a864886f67d07420a', 'CAST5-CBC'],
  ['06082a831a8c9a440104', 'SEED-CBC'],
  ['060b2b06010401813c07010102', 'IDEA-CBC'],
];

// The algorithm is within the first bytes, before the encrypted key.
const ALGORITHM_BYTES = 120;

/** How a key is encrypted, by the header of traditional PEM or by an object identifier of PKCS#8. */
function encryptionOf(block: PemBlock): string {
  const header = /^DEK-Info:\s*([\w-]+)/m.exec(block.body)?.[1];
  if (header !== undefined) return header;
  const head = derOf(block)?.subarray(0, ALGORITHM_BYTES).toString('hex') ?? '';
  return OLD_ENCRYPTIONS.find(([oid]) => head.includes(oid))?.[1] ?? 'an unknown algorithm';
}

function isEncrypted({ label, body }: PemBlock): boolean {
  return label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:\s*4,\s*ENCRYPTED/m.test(body);
}

export function isPrivateKey({ label }: PemBlock): boolean {
  return label.endsWith('PRIVATE KEY');
}

function pemOf({ label, body }: PemBlock): string {
  return `-----BEGIN ${label}-----\n${body.trim()}\n-----END ${label}-----\n`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/**
 * Reads one private key.
 * @param password of an encrypted key
 * @throws {TlsFileError} when the block is not a usable key; the message says why
 */
export function readPrivateKey(
  block: PemBlock,
  { name, path }: KeySource,
  password: Buffer | undefined,
): KeyObject {
  const what = `the private key in ${name} "${path}"`;
  if (block.label === 'OPENSSH PRIVATE KEY') {
    throw new TlsFileError(
      'tls-format',
      `${what} is in OpenSSH format`,
      `run ssh-keygen -p -m PKCS8 -f ${shellWord(path)}`,
    );
  }
  if (isEncrypted(block) && password === undefined)
    throw new TlsFileError('tls-key-password', `${what} needs a password`, 'set key_password_file');
  try {
    return createPrivateKey({
      key: pemOf(block),
      ...(password === undefined ? {} : { passphrase: password }),
    });
  } catch (error) {
    if (!isEncrypted(block)) {
      throw new TlsFileError(
        'tls-no-key',
        `${what} cannot be read`,
        `set ${name} to the PEM file with the private key of cert`,
      );
    }
    if (codeOf(error) === 'ERR_OSSL_EVP_UNSUPPORTED') {
      const [from, to] = [shellWord(path), shellWord(`${path}.aes`)];
      throw new TlsFileError(
        'tls-key-cipher',
        `${what} is encrypted with ${encryptionOf(block)}, which OpenSSL 3 cannot read`,
        `convert it, and use the new file: openssl pkey -provider legacy -provider default -in ${from} -aes256 -out ${to}`,
      );
    }
    throw new TlsFileError(
      'tls-key-wrong',
      `${what} cannot be decrypted with the given password`,
      'correct the password in key_password_file',
    );
  }
}
