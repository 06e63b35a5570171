import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChecked } from './processes.ts';

/** The PEM files of one certificate. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** How a key is made: RSA by its bits, EC by its curve, or Ed25519. */
export type KeyType = 'rsa' | 'ec' | 'ed25519' | `rsa:${number}` | `ec:${string}`;

export interface CertificateWishes {
  /** '' for a certificate without CN. */
  readonly commonName?: string;
  /** As in openssl's subjectAltName: `DNS:localhost`, `IP:127.0.0.1`. */
  readonly names?: readonly string[];
  /** Days from now; both negative for one that has expired, both positive for one from the future. */
  readonly validFromDays?: number;
  readonly validToDays?: number;
  readonly keyType?: KeyType;
  readonly digest?: 'sha256' | 'sha384' | 'sha1';
  /** Lines of an extension file beside subjectAltName; one that is for servers and clients unless said otherwise. */
  readonly extensions?: readonly string[];
}

function asOpensslTime(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '');
}

function newKeyArguments(keyType: KeyType): string[] {
  const [kind = '', size] = keyType.split(':');
  if (kind === 'ec') return ['-newkey', kind, '-pkeyopt', `ec_paramgen_curve:${size ?? 'prime256v1'}`];
  return ['-newkey', kind === 'rsa' ? `rsa:${size ?? '2048'}` : kind];
}

const FOR_BOTH = ['extendedKeyUsage=serverAuth,clientAuth'];
const AUTHORITY = 'basicConstraints=critical,CA:true';

/** A certificate authority of a test, with its files in one directory. */
export class Authority {
  readonly certFile: string;
  readonly keyFile: string;
  readonly #directory: string;
  readonly #base: string;
  #issued = 0;

  private constructor(directory: string, files: CertificateFiles, base: string) {
    this.#directory = directory;
    this.certFile = files.certFile;
    this.keyFile = files.keyFile;
    this.#base = base;
  }

  /** An authority that signs itself. By default from yesterday for a month, with a key on P-256. */
  static async make(
    directory: string,
    name: string,
    wishes: Omit<CertificateWishes, 'names'> = {},
  ): Promise<Authority> {
    const base = join(directory, name);
    const files = { certFile: `${base}.pem`, keyFile: `${base}-key.pem` };
    const authority = new Authority(directory, files, base);
    await authority.#request(files.keyFile, `${base}.csr`, wishes.commonName ?? name, wishes.keyType);
    await authority.#sign(`${base}.csr`, files.certFile, base, { extensions: [AUTHORITY], ...wishes }, true);
    return authority;
  }

  /** The same authority, its certificate made anew in a file of its own: same name, same key. */
  async renewed(name: string, wishes: Omit<CertificateWishes, 'names' | 'keyType'> = {}): Promise<string> {
    const base = join(this.#directory, name);
    const all = { extensions: [AUTHORITY], ...wishes };
    await this.#sign(`${this.#base}.csr`, `${base}.pem`, base, all, true);
    return `${base}.pem`;
  }

  /** An authority that this one signs. */
  async intermediate(name: string, wishes: Omit<CertificateWishes, 'names'> = {}): Promise<Authority> {
    const files = await this.issue({ commonName: name, names: [], extensions: [AUTHORITY], ...wishes });
    return new Authority(this.#directory, files, files.certFile.replace(/\.pem$/, ''));
  }

  /** Issues a certificate for servers and clients alike; by default for this machine, from yesterday for a month. */
  async issue(wishes: CertificateWishes = {}): Promise<CertificateFiles> {
    this.#issued += 1;
    const base = `${this.#base}-${this.#issued}`;
    const files = { certFile: `${base}.pem`, keyFile: `${base}-key.pem` };
    await this.#request(files.keyFile, `${base}.csr`, wishes.commonName ?? 'test', wishes.keyType);
    await this.#sign(`${base}.csr`, files.certFile, base, wishes, false);
    return files;
  }

  /** A list of revoked certificates, in PEM, with these in it. */
  async revoke(certFiles: readonly string[]): Promise<string> {
    const base = `${this.#base}-crl`;
    await this.#configure(base);
    const own = ['-config', `${base}.cnf`, '-cert', this.certFile, '-keyfile', this.keyFile];
    for (const certFile of certFiles) await runChecked('openssl', ['ca', ...own, '-revoke', certFile]);
    await runChecked('openssl', ['ca', ...own, '-gencrl', '-crldays', '30', '-out', `${base}.pem`]);
    return `${base}.pem`;
  }

  async #request(
    keyFile: string,
    csrFile: string,
    commonName: string,
    keyType: KeyType = 'ec',
  ): Promise<void> {
    await runChecked('openssl', [
      ...['req', '-new', '-nodes', ...newKeyArguments(keyType)],
      ...['-subj', commonName === '' ? '/O=test' : `/CN=${commonName}`, '-keyout', keyFile, '-out', csrFile],
    ]);
  }

  async #configure(base: string): Promise<void> {
    const lines = [
      '[ca]',
      'default_ca=own',
      '[own]',
      `database=${base}.index`,
      `new_certs_dir=${this.#directory}`,
      'default_md=sha256',
      'policy=any',
      'rand_serial=yes',
      '[any]',
      'commonName=optional',
      'organizationName=optional',
      '',
    ];
    await writeFile(`${base}.cnf`, lines.join('\n'));
    await writeFile(`${base}.index`, '');
  }

  async #sign(
    csrFile: string,
    certFile: string,
    base: string,
    wishes: CertificateWishes,
    bySelf: boolean,
  ): Promise<void> {
    const { names = bySelf ? [] : ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'] } = wishes;
    const { validFromDays = -1, validToDays = 30, digest = 'sha256', extensions = FOR_BOTH } = wishes;
    const subjectAltName = names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`];
    await writeFile(`${base}.ext`, `${[...subjectAltName, ...extensions].join('\n')}\n`);
    await this.#configure(base);
    // `openssl x509 -req` cannot set the dates.
    await runChecked('openssl', [
      ...['ca', '-batch', '-notext', '-config', `${base}.cnf`, '-extfile', `${base}.ext`, '-md', digest],
      ...(bySelf ? ['-selfsign'] : ['-cert', this.certFile]),
      ...['-keyfile', this.keyFile, '-in', csrFile, '-out', certFile],
      ...['-startdate', asOpensslTime(validFromDays), '-enddate', asOpensslTime(validToDays)],
    ]);
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

/** Encrypts a private key with a password, as `openssl pkcs8` or `openssl pkey` does with these options. */
export async function encryptKey(
  keyFile: string,
  password: string,
  target: string,
  how: readonly string[] = ['pkey', '-aes256'],
): Promise<string> {
  await runChecked('openssl', [...how, '-passout', `pass:${password}`, '-in', keyFile, '-out', target]);
  return target;
}
