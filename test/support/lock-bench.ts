import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EtcdCluster } from './etcd-cluster.ts';
import { ctdbEnvironment, MutexParent } from './mutex-parent.ts';
import type { Helper, HelperOptions } from './mutex-parent.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './processes.ts';
import { waitFor } from './wait.ts';
import type { WaitOptions } from './wait.ts';

/** Settings of the helper's config file; undefined leaves one out. */
export type Settings = Readonly<Record<string, string | number | undefined>>;

/** The value of the lock's key, as far as the tests look at it. */
export type LockValue = Readonly<Record<string, unknown>>;

let benches = 0;

/** One lock on one cluster, with a `CTDB_BASE` directory of its own and a parent that runs helpers. */
export class LockBench implements AsyncDisposable {
  readonly cluster: EtcdCluster;
  readonly name: string;
  /** `CTDB_BASE`; the helper's config file is `etcd` in it. */
  readonly base: string;
  parent: MutexParent;
  readonly #settings: Settings;
  readonly #wrap: readonly string[];

  private constructor(
    cluster: EtcdCluster,
    fields: { name: string; base: string; settings: Settings; wrap: readonly string[] },
  ) {
    this.cluster = cluster;
    this.name = fields.name;
    this.base = fields.base;
    this.#settings = fields.settings;
    this.#wrap = fields.wrap;
    this.parent = MutexParent.start(fields.wrap);
  }

  /**
   * @param settings are put into the config file beside `hosts` and `netbios_name`, or instead of them
   * @param wrap a command in front of the parent, see `MutexParent.start`
   */
  static async make(
    cluster: EtcdCluster,
    settings: Settings = {},
    wrap: readonly string[] = [],
  ): Promise<LockBench> {
    benches += 1;
    const name = `BENCH${benches}`;
    const base = await temporaryDirectory('bench');
    const bench = new LockBench(cluster, { name, base, settings, wrap });
    await bench.configure();
    return bench;
  }

  /** The lock's directory in etcd, where `etcdctl lock` would put its keys too. */
  get directory(): string {
    return `/_locks/_ctdb/${this.name}/`;
  }

  /** Writes the config file anew, with `settings` over those of the bench. */
  async configure(settings: Settings = {}): Promise<void> {
    const all: Settings = {
      hosts: this.cluster.hosts,
      netbios_name: this.name,
      ...this.#settings,
      ...settings,
    };
    const lines = Object.entries(all).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key} = ${value}\n`],
    );
    await writeFile(join(this.base, 'etcd'), lines.join(''));
  }

  /** Forks and executes one helper as CTDB does. */
  run(options: Partial<HelperOptions> = {}): Promise<Helper> {
    return this.parent.run({ ...options, env: { ...this.environment, ...options.env } });
  }

  get environment(): Record<string, string> {
    return ctdbEnvironment(this.base);
  }

  /** Runs a helper that has to answer `0`. */
  async hold(options: Partial<HelperOptions> = {}): Promise<Helper> {
    const helper = await this.run(options);
    const answer = await helper.answer();
    if (answer !== '0') throw new Error(`Helper answered "${answer}" instead of "0": ${helper.stderr}`);
    return helper;
  }

  /** A new parent in place of the old one, which was killed. */
  restartParent(): void {
    this.parent = MutexParent.start(this.#wrap);
  }

  /** Puts an executable shell script into `bin/` of the base and returns that directory, for `PATH`. */
  async script(name: string, body: string): Promise<string> {
    const directory = join(this.base, 'bin');
    await mkdir(directory, { recursive: true });
    // In one step: a helper may be about to run the one before.
    await writeFile(join(directory, `${name}.new`), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    await rename(join(directory, `${name}.new`), join(directory, name));
    return directory;
  }

  /** The lock's key, or undefined when nobody holds it; fails when there are two. */
  async key(): Promise<{ key: string; value: LockValue; leaseHex: string } | undefined> {
    const [key, ...more] = await this.cluster.keys(this.directory);
    if (more.length > 0) throw new Error(`${this.directory} holds ${more.length + 1} keys`);
    return key && { key: key.key, value: JSON.parse(key.value) as LockValue, leaseHex: key.leaseHex };
  }

  /** What is left in etcd: the keys of this lock, and all leases of the cluster. Empty when nothing is. */
  async leftovers(): Promise<string[]> {
    const [keys, leases] = await Promise.all([this.cluster.keys(this.directory), this.cluster.leases()]);
    return [...keys.map(({ key }) => `key ${key}`), ...leases.map((lease) => `lease ${lease}`)];
  }

  /** Resolves when the lease was seen to be renewed: the server's remaining time went up. */
  async renewed(leaseHex: string, options: WaitOptions = { withinMs: 15_000, everyMs: 100 }): Promise<void> {
    let before = Number.POSITIVE_INFINITY;
    await waitFor(
      `lease ${leaseHex} is renewed`,
      async () => {
        const { ttl } = await this.cluster.leaseTtl(leaseHex);
        if (ttl < 0) throw new Error(`Lease ${leaseHex} is gone`);
        const renewed = ttl > before;
        before = ttl;
        return renewed;
      },
      options,
    );
  }

  /** Ends the parent and its helpers, and forgets the lock in etcd. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.parent[Symbol.asyncDispose]();
    for (const { key, leaseHex } of await this.cluster.keys(this.directory)) {
      await this.cluster.tryEtcdctl(leaseHex === '0' ? ['del', key] : ['lease', 'revoke', leaseHex]);
    }
    removeTemporaryDirectory(this.base);
  }
}
