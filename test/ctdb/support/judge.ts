import assert from 'node:assert/strict';
import { availableParallelism, loadavg } from 'node:os';
import { waitFor } from '../../support/wait.ts';
import type { CtdbCluster } from './cluster.ts';
import { LOCK_DIRECTORY } from './cluster.ts';
import type { CtdbNode } from './node.ts';

/** What CTDB logs when a lock misbehaves. */
const COMPLAINTS = [
  /High RECLOCK latency/,
  /Unexpected error when testing recovery lock/,
  /Time out getting recovery lock/,
  /able to take recovery lock/,
  /Took recovery lock from daemon/,
  /Unable to take cluster lock - (timeout|unknown error)/,
  /Banning node/,
  /banning credits/,
];

const LATENCY = /High RECLOCK latency/;

/** A machine with this many more processes ready to run than cores to run them says nothing about anybody's latency. */
const isOverloaded = (): boolean => (loadavg()[0] ?? 0) > 1.5 * availableParallelism();

/**
 * How long a cluster may be without a leader when only its helper has ended, in seconds: what a new helper takes to start, and
 * on an overloaded machine at least no round of CTDB, which is 5 s, more than that.
 */
export const longestElectionS = (): number => (isOverloaded() ? 4.5 : 1.5);

/** Looks at what happens in a cluster from its making on. */
export class Judge {
  readonly #cluster: CtdbCluster;
  readonly #marks: Map<CtdbNode, number>;

  constructor(cluster: CtdbCluster) {
    this.#cluster = cluster;
    this.#marks = new Map(cluster.nodes.map((node) => [node, node.log.end]));
  }

  /** The place in a node's log at which this judge began to look. */
  since(node: CtdbNode): number {
    return this.#marks.get(node) ?? 0;
  }

  /** The first line that matches, on any of the nodes; resolves to the node and the line's time. */
  async awaitLine(
    pattern: RegExp,
    nodes: readonly CtdbNode[] = this.#cluster.nodes,
    withinMs = 60_000,
  ): Promise<{ readonly node: CtdbNode; readonly atMs: number; readonly text: string }> {
    return waitFor(
      `a log has a line ${String(pattern)}`,
      () =>
        nodes
          .flatMap((node) => node.log.grep(pattern, this.since(node)).map((line) => ({ node, ...line })))
          .sort((a, b) => a.atMs - b.atMs)[0],
      { withinMs, everyMs: 50 },
    );
  }

  /** Every line that matches, as `node N: text`. */
  lines(pattern: RegExp): string[] {
    return this.#cluster.nodes.flatMap((node) =>
      node.log.grep(pattern, this.since(node)).map(({ text }) => `node ${node.pnn}: ${text}`),
    );
  }

  /** CTDB found nothing wrong with its lock, and banned nobody; `except` names complaints that are expected. */
  assertNoComplaint(...except: readonly RegExp[]): void {
    if (isOverloaded()) except = [...except, LATENCY];
    const complaints = COMPLAINTS.flatMap((pattern) => this.lines(pattern)).filter(
      (line) => !except.some((pattern) => pattern.test(line)),
    );
    assert.deepEqual(complaints, []);
  }

  /** etcd holds one key and one lease, those of the leader's helper, and no node has a zombie. */
  async assertTidy(leader: CtdbNode): Promise<void> {
    const { etcd, nodes } = this.#cluster;
    assert.ok(etcd !== undefined);
    const look = async (): Promise<unknown> => {
      const keys = await etcd.keys(LOCK_DIRECTORY);
      return {
        holders: keys.map(({ value }) => (JSON.parse(value) as { host: string }).host),
        leases: await etcd.leases(),
        ours: keys.map(({ leaseHex }) => leaseHex),
        zombies: nodes.flatMap((node) => node.zombies()),
        helpers: nodes.map((node) => node.helpers().length),
      };
    };
    const wanted = (found: Awaited<ReturnType<typeof look>>): boolean => {
      try {
        const { leases } = found as { leases: string[] };
        assert.equal(leases.length, 1);
        assert.deepEqual(found, {
          holders: [`fs${leader.pnn}`],
          leases,
          ours: leases,
          zombies: [],
          helpers: nodes.map((node) => (node === leader ? 1 : 0)),
        });
        return true;
      } catch {
        return false;
      }
    };
    // A recovery or a takeover may just be going on; it ends.
    let seen: unknown;
    await waitFor(
      'etcd and the nodes are tidy',
      async () => {
        seen = await look();
        return wanted(seen);
      },
      { withinMs: 5_000, everyMs: 250 },
    ).catch(() => assert.fail(`etcd and the nodes are not tidy: ${JSON.stringify(seen)}`));
  }
}
