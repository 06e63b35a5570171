import type { ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataParent } from './data-parent.ts';
import { DEFAULT_RELEASE, etcdProgram, etcdTakes, type EtcdRelease, hasProgram } from './etcd-programs.ts';
import { freePort } from './ports.ts';
import { removeTemporaryDirectory, run, runChecked, spawnTied, temporaryDirectory } from './processes.ts';
import type { Finished } from './processes.ts';
import { waitFor } from './wait.ts';

export { ETCD_RELEASES, etcdPackageVersion, etcdProgram, type EtcdRelease } from './etcd-programs.ts';

export interface ClusterTls {
  /** PEM files. The server certificate has to name every member's address. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** True: clients have to show a certificate signed by `caFile`. */
  readonly clientCertAuth?: boolean;
}

export interface ClusterOptions {
  /** `DEFAULT_RELEASE` unless said otherwise. */
  readonly release?: EtcdRelease;
  /** How many members; 1 unless said otherwise. */
  readonly members?: number;
  /** Encrypts the client ports; peers always talk plainly. */
  readonly tls?: ClusterTls;
  /** More arguments for every member, such as `--quota-backend-bytes=16777216`. */
  readonly args?: readonly string[];
  /** More arguments for the member with this index alone. */
  readonly memberArgs?: (index: number) => readonly string[];
  /**
   * Makes every member a cluster of its own. `unnamed`: with etcd's defaults, as when somebody has forgotten to join them;
   * all of them then have one and the same cluster ID and member ID, and each needs a network namespace of its own.
   * `named`: with names and tokens of their own, and so with unlike IDs.
   */
  readonly separate?: 'unnamed' | 'named';
  /** The address of the member with this index; 127.0.0.1 unless said otherwise. */
  readonly address?: (index: number) => string;
  /**
   * Keeps the data on the disk that other temporary files are on, for measurements that include its fsync. Otherwise
   * the data is in memory where there is room: the disk of a busy machine can stall for seconds, which is longer than
   * the leases of most tests allow.
   */
  readonly onDisk?: boolean;
  /** A command in front of the member's own, which has to exec it, such as `['ip', 'netns', 'exec', NAME]`. */
  readonly wrap?: (index: number) => readonly string[];
}

/** What `etcdctl` is told beside its command; TLS files are given by the cluster's own options. */
export interface EtcdctlOptions {
  /** Comma separated; all members unless said otherwise. */
  readonly endpoints?: string;
  /** `name:password`. */
  readonly user?: string;
  readonly limitMs?: number;
  /** PEM files of a client certificate. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface KeyFound {
  readonly key: string;
  readonly value: string;
  /** Lower-case hex; '0' without a lease. */
  readonly leaseHex: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
}

/** One etcd process with a data directory of its own, which can be killed, frozen and started again. */
export class EtcdMember {
  readonly name: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly healthPort: number;
  readonly dataDirectory: string;
  /** Everything the member said, over all its starts. */
  readonly logFile: string;
  readonly #command: readonly string[];
  #process: ChildProcess | undefined;

  constructor(fields: {
    name: string;
    address: string;
    ports: readonly [client: number, peer: number, health: number];
    directory: string;
    command: readonly string[];
  }) {
    this.name = fields.name;
    this.address = fields.address;
    [this.clientPort, this.peerPort, this.healthPort] = fields.ports;
    this.dataDirectory = join(fields.directory, fields.name);
    this.logFile = join(fields.directory, `${fields.name}.log`);
    this.#command = fields.command;
  }

  /** `address:port`, as in the helper's `hosts`. */
  get endpoint(): string {
    return `${this.address}:${this.clientPort}`;
  }

  /** The pid of the running member; throws when it does not run. */
  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error(`etcd member ${this.name} does not run`);
    return pid;
  }

  /** Starts the member, for the first time or again on its data and ports. It need not be healthy at once. */
  start(): void {
    if (this.#process !== undefined) throw new Error(`etcd member ${this.name} runs already`);
    const [command, ...args] = this.#command;
    if (command === undefined) throw new Error(`etcd member ${this.name} has no command`);
    const child = spawnTied(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(this.logFile, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    this.#process = child;
  }

  /** Ends the member with a signal, SIGKILL unless said otherwise, and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** SIGSTOP: connections stay open and are accepted by the kernel, and nothing is answered. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** True when the member itself says that it has a leader and can read. Needs no TLS and no login. */
  async isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`http://${this.address}:${this.healthPort}/health`, {
        signal: AbortSignal.timeout(2_000),
      });
      const body = (await answer.json()) as { health?: string };
      return body.health === 'true';
    } catch {
      return false;
    }
  }

  /** Resolves when the member is healthy; rejects with the end of its log after `withinMs`. */
  async healthy(withinMs = 20_000): Promise<void> {
    try {
      await waitFor(`etcd member ${this.name} is healthy`, () => this.isHealthy(), { withinMs, everyMs: 50 });
    } catch (error) {
      const log = readFileSync(this.logFile, 'utf8').split('\n').slice(-15).join('\n');
      throw new Error(`etcd member ${this.name} did not become healthy; the end of its log:\n${log}`, {
        cause: error,
      });
    }
  }
}

/** A throw-away cluster on free local ports. It ends with the test process, whatever happens to that. */
export class EtcdCluster implements AsyncDisposable {
  readonly release: EtcdRelease;
  readonly members: readonly EtcdMember[];
  readonly #founding: { readonly directory: string; readonly initialCluster: string };
  readonly #tls: ClusterTls | undefined;

  private constructor(
    release: EtcdRelease,
    members: readonly EtcdMember[],
    founding: { readonly directory: string; readonly initialCluster: string },
    tls: ClusterTls | undefined,
  ) {
    this.release = release;
    this.members = members;
    this.#founding = founding;
    this.#tls = tls;
  }

  /** Starts all members and resolves when every one of them is healthy. */
  static async start(options: ClusterOptions = {}): Promise<EtcdCluster> {
    const release = options.release ?? DEFAULT_RELEASE;
    const directory = await temporaryDirectory('etcd', options.onDisk === true ? tmpdir() : dataParent());
    const places = await Promise.all(
      Array.from({ length: options.members ?? 1 }, async (_, index) => {
        const address = options.address?.(index) ?? '127.0.0.1';
        // An address inside a network namespace cannot be tried from here. Its ports are free, because the namespace is new.
        const tryOn = address.startsWith('127.') ? address : '127.0.0.1';
        const ports = [await freePort(tryOn), await freePort(tryOn), await freePort(tryOn)] as const;
        return { name: `member${index + 1}`, address, ports, directory };
      }),
    );
    const initialCluster = places
      .map(({ name, address, ports }) => `${name}=http://${address}:${ports[1]}`)
      .join(',');
    const scheme = options.tls === undefined ? 'http' : 'https';
    const members = places.map((place, index) => {
      const { name, address, ports } = place;
      const clientUrl = `${scheme}://${address}:${ports[0]}`;
      const peerUrl = `http://${address}:${ports[1]}`;
      const command = [
        ...(options.wrap?.(index) ?? []),
        etcdProgram(release, 'etcd'),
        `--data-dir=${join(directory, name)}`,
        `--listen-client-urls=${clientUrl}`,
        `--advertise-client-urls=${clientUrl}`,
        `--listen-metrics-urls=http://${address}:${ports[2]}`,
        ...(options.separate === 'unnamed'
          ? []
          : [
              `--name=${name}`,
              `--listen-peer-urls=${peerUrl}`,
              `--initial-advertise-peer-urls=${peerUrl}`,
              `--initial-cluster=${options.separate === 'named' ? `${name}=${peerUrl}` : initialCluster}`,
              `--initial-cluster-token=${options.separate === 'named' ? `${directory}-${name}` : directory}`,
            ]),
        ...(etcdTakes(release, '--logger') ? ['--logger=zap'] : []),
        ...tlsArguments(options.tls),
        ...(options.args ?? []),
        ...(options.memberArgs?.(index) ?? []),
      ];
      return new EtcdMember({ ...place, command });
    });
    const cluster = new EtcdCluster(release, members, { directory, initialCluster }, options.tls);
    try {
      for (const member of members) member.start();
      await Promise.all(members.map((member) => member.healthy()));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** All members' `address:port`, comma separated, as in the helper's `hosts`. */
  get hosts(): string {
    return this.members.map((member) => member.endpoint).join(',');
  }

  member(index: number): EtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`The cluster has no member ${index}`);
    return member;
  }

  /** Kills all members and removes their data. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    removeTemporaryDirectory(this.#founding.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Saves the store into a file, as for a backup. */
  async saveSnapshot(file: string): Promise<void> {
    await this.etcdctl(['snapshot', 'save', file], { endpoints: this.member(0).endpoint });
  }

  /**
   * Kills all members and puts the store of a backup in the place of their data, with the names, URLs and token that they
   * had, so that the cluster keeps its ID. The members are to be started after it.
   */
  async restoreSnapshot(file: string): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    const { directory, initialCluster } = this.#founding;
    // 3.6 has moved it from etcdctl to etcdutl.
    const tool = hasProgram(this.release, 'etcdutl') ? 'etcdutl' : 'etcdctl';
    for (const { name, address, peerPort, dataDirectory } of this.members) {
      rmSync(dataDirectory, { recursive: true });
      const restore = [
        ...['snapshot', 'restore', file, `--name=${name}`, `--data-dir=${dataDirectory}`],
        ...[`--initial-cluster=${initialCluster}`, `--initial-cluster-token=${directory}`],
        `--initial-advertise-peer-urls=http://${address}:${peerPort}`,
      ];
      await runChecked(etcdProgram(this.release, tool), restore, {
        env: { ...process.env, ETCDCTL_API: '3' },
      });
    }
  }

  /** The arguments by which `etcdctl` finds this cluster. */
  etcdctlArguments(options: EtcdctlOptions = {}): string[] {
    const scheme = this.#tls === undefined ? '' : 'https://';
    const endpoints = (options.endpoints ?? this.hosts)
      .split(',')
      .map((endpoint) => `${scheme}${endpoint}`)
      .join(',');
    return [
      `--endpoints=${endpoints}`,
      ...(this.#tls === undefined ? [] : [`--cacert=${this.#tls.caFile}`]),
      ...(options.certFile === undefined ? [] : [`--cert=${options.certFile}`]),
      ...(options.keyFile === undefined ? [] : [`--key=${options.keyFile}`]),
      ...(options.user === undefined ? [] : [`--user=${options.user}`]),
    ];
  }

  /** Runs `etcdctl` to its end, whatever that is. */
  tryEtcdctl(args: readonly string[], options: EtcdctlOptions = {}): Promise<Finished> {
    return run(etcdProgram(this.release, 'etcdctl'), [...this.etcdctlArguments(options), ...args], {
      env: { ...process.env, ETCDCTL_API: '3' },
      ...(options.limitMs === undefined ? {} : { limitMs: options.limitMs }),
    });
  }

  /** Runs `etcdctl`, rejects unless it succeeds, and resolves to what it wrote on stdout. */
  async etcdctl(args: readonly string[], options: EtcdctlOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.tryEtcdctl(args, options);
    if (status !== 0)
      throw new Error(`etcdctl ${args.join(' ')} ended with ${String(status)}: ${stderr.trim()}`);
    return stdout;
  }

  /** All keys that start with `prefix`, oldest first. */
  async keys(prefix: string, options: EtcdctlOptions = {}): Promise<KeyFound[]> {
    const answer = parseJson(
      await this.etcdctl(['get', '--prefix', '--write-out=json', prefix], options),
    ) as {
      kvs?: { key: string; value?: string; lease?: string; create_revision: string; mod_revision: string }[];
    };
    return (answer.kvs ?? [])
      .map((kv) => ({
        key: Buffer.from(kv.key, 'base64').toString(),
        value: Buffer.from(kv.value ?? '', 'base64').toString(),
        leaseHex: BigInt(kv.lease ?? 0).toString(16),
        createRevision: BigInt(kv.create_revision),
        modRevision: BigInt(kv.mod_revision),
      }))
      .sort((a, b) => Number(a.createRevision - b.createRevision));
  }

  /** The IDs of all leases, in lower-case hex without leading zeros. */
  async leases(options: EtcdctlOptions = {}): Promise<string[]> {
    const answer = parseJson(await this.etcdctl(['lease', 'list', '--write-out=json'], options)) as {
      leases?: { id: string }[];
    };
    return (answer.leases ?? []).map(({ id }) => BigInt(id).toString(16));
  }

  /** Seconds left and granted of a lease, as the server says; `ttl` is -1 when there is no such lease. */
  async leaseTtl(leaseHex: string, options: EtcdctlOptions = {}): Promise<{ ttl: number; granted: number }> {
    const answer = parseJson(
      await this.etcdctl(['lease', 'timetolive', '--write-out=json', leaseHex], options),
    ) as { ttl?: string; 'granted-ttl'?: string };
    return { ttl: Number(answer.ttl ?? 0), granted: Number(answer['granted-ttl'] ?? 0) };
  }

  /** In hex, as etcd's logs have it. */
  async clusterId(): Promise<string> {
    const answer = await this.etcdctl(['member', 'list', '--write-out=json']);
    // A uint64: more digits than a number of JSON holds.
    const id = /"cluster_id":(\d+)/.exec(answer)?.[1];
    if (id === undefined) throw new Error(`etcdctl names no cluster: ${answer}`);
    return BigInt(id).toString(16);
  }

  /** The index of the member that is raft leader, as the first member that answers says. */
  async leaderIndex(): Promise<number> {
    for (const member of this.members) {
      const { status, stdout } = await this.tryEtcdctl(['endpoint', 'status', '--write-out=json'], {
        endpoints: member.endpoint,
      });
      if (status !== 0) continue;
      const [answer] = parseJson(stdout) as { Status: { leader?: string; header: { member_id: string } } }[];
      const leader = answer?.Status.leader ?? '0';
      for (const [index, other] of this.members.entries()) {
        const said = await this.tryEtcdctl(['endpoint', 'status', '--write-out=json'], {
          endpoints: other.endpoint,
        });
        if (said.status !== 0) continue;
        const [status2] = parseJson(said.stdout) as { Status: { header: { member_id: string } } }[];
        if (status2?.Status.header.member_id === leader) return index;
      }
    }
    throw new Error('No member says who is leader');
  }
}

function tlsArguments(tls: ClusterTls | undefined): string[] {
  if (tls === undefined) return [];
  return [
    `--cert-file=${tls.certFile}`,
    `--key-file=${tls.keyFile}`,
    // To etcd an authority alone means that clients must have a certificate, too.
    ...(tls.clientCertAuth === true ? [`--trusted-ca-file=${tls.caFile}`, '--client-cert-auth'] : []),
  ];
}

/** Parses etcdctl's JSON, in which IDs and revisions are numbers of 64 bits: those become strings. */
function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/([:[,])\s*(-?\d+)(?=[,}\]\s])/g, '$1"$2"'));
}
