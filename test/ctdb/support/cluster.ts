import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EtcdCluster } from '../../support/etcd-cluster.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/processes.ts';
import { waitFor } from '../../support/wait.ts';
import type { WaitOptions } from '../../support/wait.ts';
import { nextSubnet } from './hub.ts';
import { CtdbNode, OUR_BINARY } from './node.ts';
import type { CtdbRelease } from './node.ts';

/** Who holds CTDB's lock: Samba's helpers on a shared file or in etcd v2, or the binary under test. */
export type LockKind = 'fcntl' | 'python' | 'ours';

export interface CtdbOptions {
  /** bookworm, which is CTDB 4.17, unless said otherwise. */
  readonly release?: CtdbRelease;
  /** `ours` unless said otherwise. */
  readonly lock?: LockKind;
  /** A lock by node number, instead of the same one for all: a cluster in the middle of an upgrade. */
  readonly lockOf?: (pnn: number) => LockKind;
  /** Follows the helper's path in the lock string, such as `-vv`. */
  readonly lockArguments?: string;
  /** The whole lock string by node number, instead of the same one for all. */
  readonly lockStringOf?: (pnn: number) => string;
  /** Needed by all locks but fcntl. */
  readonly etcd?: EtcdCluster;
  /** More lines for the helper's configuration file. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** The helper's configuration file in /shared, instead of /etc/ctdb/etcd on every node. */
  readonly configFile?: string;
  /** 3 unless said otherwise. */
  readonly nodes?: number;
}

/** What one node says of the cluster. */
export interface CtdbStatus {
  /** Flags by node number, such as `OK` or `BANNED|INACTIVE`. */
  readonly flags: readonly string[];
  readonly recovering: boolean;
  /** Undefined while unknown. */
  readonly leader: number | undefined;
}

/** Where every node has the helper. */
export const HELPER = '/usr/libexec/ctdb/ctdb_etcd_lock';

/** Where the lock of every cluster of these tests is, by the name in its smb.conf. */
export const LOCK_DIRECTORY = '/_locks/_ctdb/FSCLUSTER/';

let cables = 0;

/** A real CTDB cluster; its nodes end with this process, whatever happens to that. */
export class CtdbCluster implements AsyncDisposable {
  readonly nodes: readonly CtdbNode[];
  readonly etcd: EtcdCluster | undefined;
  readonly #directory: string;

  private constructor(nodes: readonly CtdbNode[], etcd: EtcdCluster | undefined, directory: string) {
    this.nodes = nodes;
    this.etcd = etcd;
    this.#directory = directory;
  }

  /** Boots the nodes, without CTDB. */
  static async boot(options: CtdbOptions = {}): Promise<CtdbCluster> {
    const { release = 'bookworm', lock = 'ours', etcd, settings = {} } = options;
    const directory = await temporaryDirectory('ctdb');
    const shared = join(directory, 'shared');
    await mkdir(shared);
    const subnet = nextSubnet();
    const addresses = Array.from({ length: options.nodes ?? 3 }, (_, pnn) => `${subnet}.${pnn + 1}`);
    const binary = join(directory, 'helper');
    // A copy, so that a build in the meantime does not change what runs here.
    const lockOf = options.lockOf ?? ((): LockKind => lock);
    if (addresses.some((_, pnn) => lockOf(pnn) === 'ours')) await copyFile(OUR_BINARY, binary);
    const config = (pnn: number): string | undefined =>
      etcd === undefined ? undefined : configFor(lockOf(pnn), etcd, settings);
    if (options.configFile !== undefined) await writeFile(join(shared, options.configFile), config(0) ?? '');
    const etcdLock = ['!' + HELPER, options.lockArguments ?? ''].join(' ').trim();
    const nodes = await Promise.all(
      addresses.map(async (_, pnn) => {
        const own = join(directory, `node${pnn}`);
        await mkdir(own);
        cables += 1;
        return CtdbNode.boot({
          release,
          pnn,
          addresses,
          directory: own,
          shared,
          clusterLock: options.lockStringOf?.(pnn) ?? (lock === 'fcntl' ? '/shared/lock' : etcdLock),
          etcdConfig: options.configFile === undefined ? config(pnn) : undefined,
          binary: lockOf(pnn) === 'ours' ? binary : undefined,
          cable: `node${cables}`,
        });
      }),
    );
    return new CtdbCluster(nodes, etcd, directory);
  }

  /** Boots the nodes, starts CTDB on all of them, and resolves when all are OK. */
  static async start(options: CtdbOptions = {}): Promise<CtdbCluster> {
    const cluster = await CtdbCluster.boot(options);
    try {
      await Promise.all(cluster.nodes.map((node) => node.startCtdb()));
      await cluster.allOk();
    } catch (error) {
      const logs = cluster.nodes.map((node) =>
        node.log.lines.slice(-20).map(({ program, text }) => `node ${node.pnn} ${program}: ${text}`),
      );
      await cluster.stop();
      throw new Error(`The cluster did not start; the end of its logs:\n${logs.flat().join('\n')}`, {
        cause: error,
      });
    }
    return cluster;
  }

  node(pnn: number): CtdbNode {
    const node = this.nodes[pnn];
    if (node === undefined) throw new Error(`The cluster has no node ${pnn}`);
    return node;
  }

  /** Every node but those. */
  others(...without: readonly CtdbNode[]): CtdbNode[] {
    return this.nodes.filter((node) => !without.includes(node));
  }

  /** What a node says; undefined when it does not say. */
  async status(node: CtdbNode): Promise<CtdbStatus | undefined> {
    const { status, stdout } = await node.run('/usr/bin/ctdb', ['-T', '5', 'status'], 8_000);
    if (status !== 0) return undefined;
    const leader = /^Leader:(\d+)$/m.exec(stdout)?.[1];
    return {
      flags: [...stdout.matchAll(/^pnn:\d+ \S+ +(\S+)/gm)].map(([, flags]) => flags ?? ''),
      recovering: !stdout.includes('Recovery mode:NORMAL'),
      leader: leader === undefined ? undefined : Number(leader),
    };
  }

  /**
   * Resolves to the leader once `nodes` agree on one, are out of recovery and find each other OK; all unless said
   * otherwise.
   */
  async allOk(nodes: readonly CtdbNode[] = this.nodes, options: WaitOptions = {}): Promise<CtdbNode> {
    let said: readonly (CtdbStatus | undefined)[] = [];
    const agree = async (): Promise<CtdbNode | undefined> => {
      said = await Promise.all(nodes.map((node) => this.status(node)));
      const leader = said[0]?.leader;
      const isOk = said.every(
        (one) =>
          one !== undefined &&
          !one.recovering &&
          one.leader === leader &&
          nodes.every(({ pnn }) => one.flags[pnn] === 'OK'),
      );
      return isOk ? nodes.find(({ pnn }) => pnn === leader) : undefined;
    };
    const what = `nodes ${nodes.map(({ pnn }) => pnn).join(', ')} are OK`;
    try {
      return await waitFor(what, agree, { withinMs: 120_000, everyMs: 250, ...options });
    } catch (error) {
      throw new Error(`It did not come true that ${what}; last they said ${JSON.stringify(said)}`, {
        cause: error,
      });
    }
  }

  /**
   * Mends the network of a node that was cut off. A leader that CTDB isolates bans itself for 300 s when it finds that it
   * leads without the lock ("Cluster lock not held - abort recovery, ban node"); that ban is lifted as an administrator would.
   */
  async rejoin(node: CtdbNode): Promise<void> {
    await node.cable.mend();
    const [observer] = this.others(node);
    if (observer === undefined) return;
    // The ban comes only when the node has tried to recover the others, so that it is seen again says nothing yet.
    await waitFor(
      `node ${node.pnn} has joined the others again`,
      async () => {
        const [own, seen] = await Promise.all([this.status(node), this.status(observer)]);
        if (own?.flags[node.pnn]?.includes('BANNED') === true) await node.run('/usr/bin/ctdb', ['unban']);
        return (
          own?.leader !== undefined &&
          own.leader === seen?.leader &&
          !own.recovering &&
          seen.flags[node.pnn] === 'OK'
        );
      },
      { withinMs: 120_000, everyMs: 500 },
    );
  }

  /** Pulls the plug on all nodes and removes their files. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.powerOff()));
    removeTemporaryDirectory(this.#directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function configFor(
  lock: LockKind,
  etcd: EtcdCluster,
  settings: Readonly<Record<string, string | number>>,
): string {
  // The helper in Python knows one host only.
  const [first] = etcd.members;
  const where =
    lock === 'python' && first !== undefined
      ? { host: first.address, port: first.clientPort }
      : { hosts: etcd.hosts };
  return Object.entries({ ...where, ...settings })
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
}
