import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { run, runChecked } from '../support/processes.ts';

// All namespaces are `cel<pid of the run>w<number>-<host>`, so that runs do not meet and those of dead runs are known.
const PREFIX = 'cel';
const NAMESPACE = /^cel(\d+)w\d+-/;

// RFC 2544 sets 198.18.0.0/15 aside for benchmarks: nobody routes it. Each network takes 32 addresses of it.
const SUBNETS = 4096;

/** The number of a /27 in 198.18.0.0/15. */
type Subnet = number;

let networks = 0;

/** What stands on the way of packets to one host. */
interface Inbound {
  /** Hosts of which nothing gets through. */
  readonly cut: Set<string>;
  /** Hosts whose TCP segments are answered with a reset. */
  readonly refused: Set<string>;
  /** The share of packets from each host that is lost, 0 to 1. */
  readonly loss: Map<string, number>;
}

/**
 * Hosts that are network namespaces, on one bridge in a namespace of its own. The test process reaches them all by an
 * interface that no fault touches. Packets are dropped where they arrive, so that the sender never learns of it.
 */
export class Network implements AsyncDisposable {
  readonly prefix: string;
  readonly #hosts: readonly string[];
  readonly #subnet: Subnet;
  readonly #inbound = new Map<string, Inbound>();
  readonly #cleanUp: () => void;

  private constructor(prefix: string, subnet: Subnet, hosts: readonly string[]) {
    this.prefix = prefix;
    this.#subnet = subnet;
    this.#hosts = hosts;
    for (const host of hosts)
      this.#inbound.set(host, { cut: new Set(), refused: new Set(), loss: new Map() });
    this.#cleanUp = () => {
      spawnSync('sh', ['-c', removal(this.#namespaces)]);
    };
    process.once('exit', this.#cleanUp);
  }

  static async make(hosts: readonly string[]): Promise<Network> {
    networks += 1;
    const prefix = `${PREFIX}${process.pid}w${networks}`;
    const network = new Network(prefix, await freeSubnet(), hosts);
    try {
      await runChecked('sh', ['-ec', network.#creation()]);
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** The network namespace of a host. */
  namespace(host: string): string {
    return `${this.prefix}-${host}`;
  }

  /** A command in front of another that puts it on a host; the process keeps its pid. */
  on(host: string): string[] {
    return ['ip', 'netns', 'exec', this.namespace(host)];
  }

  address(host: string): string {
    const index = this.#hosts.indexOf(host);
    if (index === -1) throw new Error(`No host ${host} in network ${this.prefix}`);
    return addressIn(this.#subnet, 2 + index);
  }

  /** Drops all that `from` sends to `to`; for both ways, cut both. */
  async cut(from: readonly string[], to: readonly string[]): Promise<void> {
    await this.#change(from, to, (inbound, source) => inbound.cut.add(source));
  }

  /** Resets the TCP connections from `from` to `to`, and refuses new ones, as a firewall that rejects does. */
  async refuse(from: readonly string[], to: readonly string[]): Promise<void> {
    await this.#change(from, to, (inbound, source) => inbound.refused.add(source));
  }

  async cutBoth(some: readonly string[], others: readonly string[]): Promise<void> {
    await Promise.all([this.cut(some, others), this.cut(others, some)]);
  }

  /** Lets what `from` sends to `to` through again. */
  async mend(from: readonly string[], to: readonly string[]): Promise<void> {
    await this.#change(from, to, (inbound, source) => {
      inbound.cut.delete(source);
      inbound.refused.delete(source);
    });
  }

  async mendBoth(some: readonly string[], others: readonly string[]): Promise<void> {
    await Promise.all([this.mend(some, others), this.mend(others, some)]);
  }

  /** Loses this share of the packets from `from` to `to`; 0 ends it. */
  async lose(share: number, from: readonly string[], to: readonly string[]): Promise<void> {
    await this.#change(from, to, (inbound, source) => inbound.loss.set(source, share));
  }

  /** True when packets from `from` reach `to`, apart from those lost at random. */
  reaches(from: string, to: string): boolean {
    const inbound = this.#inbound.get(to);
    return inbound?.cut.has(from) !== true && inbound?.refused.has(from) !== true;
  }

  /** The names of the two ends of a host's cable, both in the bridge's namespace, for a relay; and of that namespace. */
  cable(host: string): { namespace: string; port: string } {
    return { namespace: this.namespace('switch'), port: `p-${host}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.removeListener('exit', this.#cleanUp);
    await run('sh', ['-c', removal(this.#namespaces)]);
  }

  get #namespaces(): string[] {
    return ['switch', ...this.#hosts].map((host) => this.namespace(host));
  }

  async #change(
    from: readonly string[],
    to: readonly string[],
    apply: (inbound: Inbound, source: string) => unknown,
  ): Promise<void> {
    await Promise.all(
      to.map(async (target) => {
        const inbound = this.#inbound.get(target);
        if (inbound === undefined) throw new Error(`No host ${target} in network ${this.prefix}`);
        for (const source of from) if (source !== target) apply(inbound, source);
        const rules = [
          ...[...inbound.cut].map((source) => `-A INPUT -s ${this.address(source)} -j DROP`),
          ...[...inbound.refused].map(
            (source) => `-A INPUT -s ${this.address(source)} -p tcp -j REJECT --reject-with tcp-reset`,
          ),
          ...[...inbound.loss]
            .filter(([, share]) => share > 0)
            .map(
              ([source, share]) =>
                `-A INPUT -s ${this.address(source)} -m statistic --mode random --probability ${share} -j DROP`,
            ),
        ];
        const table = ['*filter', ':INPUT ACCEPT', ...rules, 'COMMIT', ''].join('\n');
        const load = `printf '%s' "$1" | exec ip netns exec "$2" iptables-restore -w`;
        await runChecked('sh', ['-c', load, 'sh', table, this.namespace(target)]);
      }),
    );
  }

  #creation(): string {
    const { prefix } = this;
    const sw = this.namespace('switch');
    return [
      `ip netns add ${sw}`,
      `ip -n ${sw} link add bridge type bridge`,
      `ip -n ${sw} link set bridge up`,
      `ip link add ${prefix} type veth peer name p-driver netns ${sw}`,
      `ip addr add ${addressIn(this.#subnet, 1)}/27 dev ${prefix}`,
      `ip link set ${prefix} up`,
      `ip -n ${sw} link set p-driver master bridge up`,
      ...this.#hosts.flatMap((host) => {
        const ns = this.namespace(host);
        return [
          `ip netns add ${ns}`,
          `ip -n ${ns} link set lo up`,
          `ip -n ${sw} link add p-${host} type veth peer name eth0 netns ${ns}`,
          `ip -n ${sw} link set p-${host} master bridge up`,
          `ip -n ${ns} addr add ${this.address(host)}/27 dev eth0`,
          `ip -n ${ns} link set eth0 up`,
        ];
      }),
    ].join('\n');
  }
}

function addressIn(subnet: Subnet, host: number): string {
  const offset = subnet * 32 + host;
  return `198.${18 + (offset >> 16)}.${(offset >> 8) & 255}.${offset & 255}`;
}

/** One that no interface of ours uses; at random, because another run may be looking at the same moment. */
async function freeSubnet(): Promise<Subnet> {
  const used = await runChecked('ip', ['-o', '-4', 'addr']);
  for (;;) {
    const subnet = Math.floor(Math.random() * SUBNETS);
    if (!used.includes(` ${addressIn(subnet, 1)}/`)) return subnet;
  }
}

/** Deletes namespaces, with their interfaces, once nothing runs in them. */
function removal(namespaces: readonly string[]): string {
  return namespaces
    .map(
      (name) =>
        `[ ! -e /run/netns/${name} ] || { for pid in $(ip netns pids ${name}); do kill -KILL $pid; done; ip netns delete ${name}; }`,
    )
    .join('\n');
}

function isFaultRun(pid: string): boolean {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) && readFileSync(file, 'latin1').includes('fault');
}

/** The namespaces of this run, or with `dead` those of runs that are no more. */
export async function namespacesOf(whose: 'us' | 'dead'): Promise<string[]> {
  const names = (await runChecked('ip', ['netns', 'list']))
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  return names.filter((name) => {
    const pid = NAMESPACE.exec(name)?.[1];
    if (pid === undefined) return false;
    return whose === 'us' ? pid === String(process.pid) : !isFaultRun(pid);
  });
}

/** Removes what runs left behind that were killed; resolves to the names of the namespaces. */
export async function removeStaleNamespaces(): Promise<string[]> {
  const stale = await namespacesOf('dead');
  await run('sh', ['-c', removal(stale)]);
  return stale;
}
