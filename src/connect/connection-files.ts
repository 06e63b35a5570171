import type { Notice } from '../base/log.ts';
import type { Config } from '../config/config.ts';
import { readPasswordFile } from '../config/password-file.ts';
import { stampLater, stampOf } from './file-stamp.ts';
import { TlsFileError } from './tls-file-error.ts';
import { TlsFiles } from './tls-files.ts';

/**
 * The files that the configuration names for connections and logins: `ca_cert`, `cert`, `key` and the two password
 * files.
 */
export class ConnectionFiles {
  readonly #config: Pick<Config, 'tls' | 'login'>;
  readonly #paths: readonly string[];

  constructor(config: Pick<Config, 'tls' | 'login'>) {
    this.#config = config;
    const { caFile, certFile, keyFile, keyPasswordFile } = config.tls;
    const paths = [caFile, certFile, keyFile, keyPasswordFile, config.login?.passwordFile];
    this.#paths = paths.filter((path) => path !== undefined);
  }

  /** False when the configuration names no file. */
  get areAny(): boolean {
    return this.#paths.length > 0;
  }

  /**
   * A text that changes whenever one of the files changes. It blocks while a file system hangs, so it is used only
   * before the lock is held.
   */
  stampsNow(): string {
    return this.#paths.map((path) => stampOf(path) ?? '').join('\n');
  }

  /** Like `stampsNow`, but does not block the process while a file system hangs. Used by a holder. */
  async stamps(): Promise<string> {
    const stamps = await Promise.all(this.#paths.map(stampLater));
    return stamps.map((stamp) => stamp ?? '').join('\n');
  }

  /** Why the files as they are on disk cannot be used for a connection or a login; undefined when they can. */
  problem(): Notice | undefined {
    const { tls, login } = this.#config;
    try {
      new TlsFiles(tls).load();
    } catch (error) {
      if (!(error instanceof TlsFileError)) throw error;
      return {
        id: 'warn-files',
        text: `The files of TLS were changed and cannot be used: ${error.message}; this holder goes on with the old ones, another helper cannot connect; ${error.remedy}`,
      };
    }
    if (login?.passwordFile === undefined) return undefined;
    const file = readPasswordFile(login.passwordFile, 'UTF-8');
    if (file.kind === 'password') return undefined;
    const { problem, remedy = 'correct password_file' } = file;
    return {
      id: 'warn-files',
      text: `password_file "${login.passwordFile}" was changed and cannot be used: ${problem}; the lock is lost at the next login, another helper cannot log in; ${remedy}`,
    };
  }
}
