import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChecked } from './processes.ts';

/** The PEM files of one certificate. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateWishes {
  readonly commonName?: string;
  /** As in openssl's subjectAltName: `DNS:localhost`, `IP:127.0.0.1`. */
  readonly names?: readonly string[];
  /** Days from now; both negative for one that has expired, both positive for one from the future. */
  readonly validFromDays?: number;
  readonly validToDays?: number;
  readonly keyType?: 'rsa' | 'ec';
}

function asOpensslTime(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '');
}

function newKeyArguments(keyType: 'rsa' | 'ec'): string[] {
  return keyType === 'ec'
    ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    : ['-newkey', 'rsa:2048'];
}

/** A certificate authority of a test, with its files in one directory. */
export class Authority {
  readonly certFile: string;
  readonly #keyFile: string;
  readonly #directory: string;
  #issued = 0;

  private constructor(directory: string, name: string) {
    this.#directory = directory;
    this.certFile = join(directory, `${name}.pem`);
    this.#keyFile = join(directory, `${name}-key.pem`);
  }

  static async make(directory: string, name: string): Promise<Authority> {
    const authority = new Authority(directory, name);
    await runChecked('openssl', [
      ...['req', '-x509', '-nodes', '-days', '30', ...newKeyArguments('ec')],
      ...['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:true'],
      ...['-keyout', authority.#keyFile, '-out', authority.certFile],
    ]);
    return authority;
  }

  /** Issues a certificate for servers and clients alike; by default for this machine, from yesterday for a month. */
  async issue(wishes: CertificateWishes = {}): Promise<CertificateFiles> {
    const { commonName = 'test', names = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'] } = wishes;
    const { validFromDays = -1, validToDays = 30, keyType = 'ec' } = wishes;
    this.#issued += 1;
    const base = `${this.certFile.replace(/\.pem$/, '')}-${this.#issued}`;
    const files = { certFile: `${base}.pem`, keyFile: `${base}-key.pem` };
    await runChecked('openssl', [
      ...['req', '-new', '-nodes', ...newKeyArguments(keyType)],
      ...['-subj', `/CN=${commonName}`, '-keyout', files.keyFile, '-out', `${base}.csr`],
    ]);
    const extensions = names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`;
    await writeFile(`${base}.ext`, `${extensions}extendedKeyUsage=serverAuth,clientAuth\n`);
    await writeFile(
      `${base}.cnf`,
      [
        '[ca]',
        'default_ca=own',
        '[own]',
        `database=${base}.index`,
        `new_certs_dir=${this.#directory}`,
        'default_md=sha256',
        'policy=any',
        'rand_serial=yes',
        '[any]',
        'commonName=supplied',
        '',
      ].join('\n'),
    );
    await writeFile(`${base}.index`, '');
    // `openssl x509 -req` cannot set the dates.
    await runChecked('openssl', [
      ...['ca', '-batch', '-notext', '-config', `${base}.cnf`, '-extfile', `${base}.ext`],
      ...['-cert', this.certFile, '-keyfile', this.#keyFile, '-in', `${base}.csr`, '-out', files.certFile],
      ...['-startdate', asOpensslTime(validFromDays), '-enddate', asOpensslTime(validToDays)],
    ]);
    return files;
  }
}

/** Makes one PEM file of several, in that order. */
export async function joinFiles(path: string, parts: readonly string[]): Promise<string> {
  const texts = await Promise.all(parts.map((part) => readFile(part, 'utf8')));
  await writeFile(path, texts.join(''));
  return path;
}

/** Puts a copy of `source` in the place of `target` in one step, as tools that rotate certificates do. */
export async function replaceFile(target: string, source: string): Promise<void> {
  await copyFile(source, `${target}.new`);
  await rename(`${target}.new`, target);
}

/** Encrypts a private key with a password. */
export async function encryptKey(keyFile: string, password: string, target: string): Promise<string> {
  await runChecked('openssl', [
    'pkey',
    '-aes256',
    '-passout',
    `pass:${password}`,
    '-in',
    keyFile,
    '-out',
    target,
  ]);
  return target;
}
