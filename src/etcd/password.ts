import type { LoginConfig } from '../config/config.ts';
import { readPasswordFile } from '../config/password-file.ts';
import { FileStamps } from '../connect/file-stamp.ts';
import { EtcdError } from '../base/errors.ts';

const passwords = new WeakMap<LoginConfig, Password>();

/** The password of a configuration. All members share it. */
export function passwordOf(config: LoginConfig): Password {
  const known = passwords.get(config);
  if (known !== undefined) return known;
  const password = new Password(config);
  passwords.set(config, password);
  return password;
}

/** The password for logins, read again for each of them. While the file system hangs, the one that was read last. */
class Password {
  readonly #config: LoginConfig;
  readonly #file: FileStamps;
  #last: string | undefined;

  constructor(config: LoginConfig) {
    this.#config = config;
    this.#file = new FileStamps(config.passwordFile === undefined ? [] : [config.passwordFile]);
  }

  /** @throws {EtcdError} for `endpoint` when the file cannot be read */
  async read(endpoint: string): Promise<string> {
    const { password, passwordFile } = this.#config;
    if (passwordFile === undefined) return password ?? '';
    // The first time needs no question: the file system has been asked at the start (config/named-files.ts).
    if (this.#last !== undefined && (await this.#file.now()) === undefined) return this.#last;
    const file = readPasswordFile(passwordFile, 'UTF-8');
    if (file.kind === 'password') {
      this.#last = file.bytes.toString();
      return this.#last;
    }
    const { problem, remedy = 'correct password_file' } = file;
    const message = `cannot read password_file "${passwordFile}": ${problem}`;
    throw new EtcdError('auth', endpoint, message, remedy, 'auth-file');
  }
}
