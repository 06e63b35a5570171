import { X509Certificate } from 'node:crypto';
import { nameOfCharacter } from '../base/character.ts';
import { readSmallFile } from '../base/small-file.ts';
import { shellWord } from '../config/named-files.ts';
import { withoutByteOrderMark } from '../config/text-encoding.ts';
import { foreignFormatOf, type Wanted } from './file-format.ts';
import { contentOf, pemBlocks, type PemBlock } from './pem.ts';
import { isPrivateKey } from './private-key.ts';
import { TlsFileError } from './tls-file-error.ts';

/** A certificate, and its place in the file. */
export interface FiledCertificate {
  readonly certificate: X509Certificate;
  /** Counted from 1. */
  readonly line: number;
  /** The certificate alone, in PEM. */
  readonly pem: string;
}

/** The content of a PEM file. */
export interface PemFile {
  readonly certificates: readonly FiledCertificate[];
  readonly privateKeys: readonly PemBlock[];
  /** The first lines of lists of revoked certificates, which nothing reads. */
  readonly revocationLines: readonly number[];
}

// Ten times the size of a distribution's trust store.
const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file that `key` of the configuration names.
 * @throws {TlsFileError} when it cannot be read
 */
export function readTlsFile(key: string, path: string): Buffer {
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind === 'file') return Buffer.from(file.bytes);
  const problem = file.kind === 'absent' ? 'there is no such file' : file.problem;
  throw new TlsFileError('tls-file', `cannot read ${key} "${path}": ${problem}`, `correct ${key}`);
}

// The second label is an older name of the first.
const CERTIFICATE_LABELS = ['CERTIFICATE', 'X509 CERTIFICATE'];

/** True for a block that may be in the file beside certificates. It is read elsewhere or not at all. */
const isBeside = (block: PemBlock): boolean =>
  isPrivateKey(block) || block.label === 'PUBLIC KEY' || block.label.endsWith('PARAMETERS');

/** The command that converts a block with another label to certificates in PEM. */
function remedyFor(label: string, path: string): string {
  const [from, to] = [shellWord(path), shellWord(`${path}.pem`)];
  switch (label) {
    case 'TRUSTED CERTIFICATE':
      return `convert it, and use the new file: openssl storeutl -certs -out ${to} ${from}`;
    case 'PKCS7':
    case 'PKCS #7 SIGNED DATA':
    case 'CMS':
      return `convert it, and use the new file: openssl pkcs7 -in ${from} -print_certs -out ${to}`;
    case 'CERTIFICATE REQUEST':
    case 'NEW CERTIFICATE REQUEST':
      return 'it is a request: use the certificate that the authority issued for it';
    default:
      return 'remove that block, or label it CERTIFICATE if it is one';
  }
}

function certificateIn(key: string, path: string, block: PemBlock): FiledCertificate {
  const fail = (problem: string, line = block.line): TlsFileError =>
    new TlsFileError(
      'tls-pem-line',
      `${key} "${path}" line ${line}: ${problem}`,
      `set ${key} to a PEM file with certificates`,
    );
  const content = contentOf(block);
  if (!('der' in content))
    throw fail(`the certificate has ${nameOfCharacter(content.wrong)}, which is not base64`, content.line);
  const { der } = content;
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    throw fail('the certificate cannot be read');
  }
  // Two blocks that were joined without their boundaries, for example. TLS would ignore what follows the first.
  if (certificate.raw.length < der.length)
    throw fail('the certificate is followed by other data in its block');
  return { certificate, line: block.line, pem: certificate.toString() };
}

/**
 * Reads a whole PEM file. A block that may have been meant as a certificate is never skipped: without it TLS would
 * refuse members, and no message would say why.
 * @param key of the configuration, for messages
 * @throws {TlsFileError} that names the line
 */
export function readPemFile(key: string, path: string, bytes: Buffer, wanted: Wanted): PemFile {
  const foreign = foreignFormatOf(bytes, path, wanted);
  if (foreign !== undefined)
    throw new TlsFileError('tls-format', `${key} "${path}" is ${foreign.name}`, foreign.remedy);
  const blocks = pemBlocks(Buffer.from(withoutByteOrderMark(bytes)).toString('latin1'));
  if ('problem' in blocks) {
    const { line, problem } = blocks;
    const what = wanted === 'key' ? 'the private key' : 'certificates';
    throw new TlsFileError(
      'tls-pem-line',
      `${key} "${path}" line ${line} ${problem}`,
      `set ${key} to a PEM file with ${what}`,
    );
  }
  const certificates: FiledCertificate[] = [];
  const revocationLines: number[] = [];
  for (const block of blocks) {
    if (CERTIFICATE_LABELS.includes(block.label)) certificates.push(certificateIn(key, path, block));
    else if (block.label === 'X509 CRL') revocationLines.push(block.line);
    else if (!isBeside(block)) {
      throw new TlsFileError(
        'tls-pem-line',
        `${key} "${path}" line ${block.line} begins a ${block.label}, want a CERTIFICATE`,
        remedyFor(block.label, path),
      );
    }
  }
  return { certificates, privateKeys: blocks.filter(isPrivateKey), revocationLines };
}
