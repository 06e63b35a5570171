import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from './lock-bench.ts';
import { ctdbEnvironment, MutexParent, type Helper, type HelperOptions } from './mutex-parent.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './processes.ts';

/**
 * A `CTDB_BASE` with a config file for whatever the tests put behind the endpoints, and a parent that runs helpers.
 * Unlike `LockBench` it asks etcd nothing itself, so it does not care about logins or whether there is an etcd at all.
 */
export class HelperBase implements AsyncDisposable {
  readonly directory: string;
  readonly #parent: MutexParent;

  private constructor(directory: string, wrap: readonly string[]) {
    this.directory = directory;
    this.#parent = MutexParent.start(wrap);
  }

  /** @param wrap a command in front of the parent, see `MutexParent.start` */
  static async make(settings: Settings, wrap: readonly string[] = []): Promise<HelperBase> {
    const base = new HelperBase(await temporaryDirectory('base'), wrap);
    await base.configure(settings);
    return base;
  }

  get configFile(): string {
    return join(this.directory, 'etcd');
  }

  /** Writes the config file anew; nobody else may read it, for it can hold a password. */
  async configure(settings: Settings): Promise<void> {
    const lines = Object.entries(settings).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} = ${value}\n`],
    );
    await writeFile(this.configFile, lines.join(''), { mode: 0o600 });
  }

  run(options: Partial<HelperOptions> = {}): Promise<Helper> {
    const env = { ...ctdbEnvironment(this.directory), ...options.env };
    return this.#parent.run({ ...options, env });
  }

  /** Ends the parent and its helpers. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parent[Symbol.asyncDispose]();
    removeTemporaryDirectory(this.directory);
  }
}
