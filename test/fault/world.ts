import { setTimeout as delay } from 'node:timers/promises';
import { EtcdCluster, type EtcdRelease } from '../support/etcd-cluster.ts';
import { marginMsOf } from '../../src/config/timing.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { waitFor } from '../support/wait.ts';
import type { Times } from './checker.ts';
import { EarlyRevokes } from './early-revokes.ts';
import { Gateway } from './gateway.ts';
import { type Claim, History } from './history.ts';
import { findLeftovers } from './leftovers.ts';
import { Network } from './network.ts';
import { CtdbNode } from './node.ts';
import { probe } from './probe.ts';

export const MEMBERS = ['m1', 'm2', 'm3'] as const;
export const NODES = ['n1', 'n2', 'n3'] as const;
export type MemberHost = (typeof MEMBERS)[number];

const LOCK = 'FAULTS';
export const DIRECTORY = `/_locks/_ctdb/${LOCK}/`;

// Beside the holder, as ctdbd does after each recovery; more often than in any real cluster.
const CHECK_EVERY_MS = 3_000;

// For a claim to be there that was just made, or will be by the next attempt: on a busy machine the news takes a while.
const STEADY_MS = 7_000;

export interface WorldOptions {
  readonly release: EtcdRelease;
  /** The packed helper. */
  readonly program: string;
  /** Seconds. */
  readonly lockTtl: number;
  readonly refresh: number;
  /** True: less of everything, for CI. */
  readonly isShort?: boolean;
  readonly etcdArgs?: readonly string[];
  /** More arguments for the member with this index alone. */
  readonly memberArgs?: (index: number) => readonly string[];
  /** The members were never made one cluster; see `ClusterOptions.separate`. */
  readonly separate?: 'unnamed' | 'named';
  /** True: each node lists the members beginning with another one. */
  readonly ownOrder?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** See `NodeOptions.prepare`. */
  readonly prepare?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** Three members, three contenders, a network between them, and the record of what happens. */
export class World implements AsyncDisposable {
  readonly options: WorldOptions;
  readonly network: Network;
  readonly cluster: EtcdCluster;
  readonly gateway: Gateway;
  readonly nodes: readonly CtdbNode[];
  readonly history: History;
  /** Facts that did not hold, found while the scenario ran. */
  readonly problems: string[] = [];
  /** Figures worth a place in the report. */
  readonly figures: Record<string, number> = {};
  readonly #over = new AbortController();
  readonly #earlyRevokes: EarlyRevokes;
  readonly #looks: Promise<void>[] = [];
  #checks: Promise<void> = Promise.resolve();

  private constructor(fields: {
    options: WorldOptions;
    network: Network;
    cluster: EtcdCluster;
    nodes: readonly CtdbNode[];
    history: History;
  }) {
    this.options = fields.options;
    this.network = fields.network;
    this.cluster = fields.cluster;
    this.nodes = fields.nodes;
    this.history = fields.history;
    this.gateway = new Gateway(fields.cluster);
    this.#earlyRevokes = new EarlyRevokes(fields.cluster.members, fields.history);
    void probe(this.gateway, this.history, this.#over.signal);
    for (const member of this.cluster.members) {
      void this.gateway.watch(
        member,
        DIRECTORY,
        (change) => {
          const ended = this.history.keyChanged(change);
          if (ended !== undefined) this.#looks.push(this.#earlyRevokes.look(ended));
        },
        this.#over.signal,
      );
    }
  }

  static async make(options: WorldOptions): Promise<World> {
    const history = new History();
    const network = await Network.make([...MEMBERS, ...NODES]);
    const hostOf = (index: number): string => MEMBERS[index] ?? '';
    try {
      const cluster = await EtcdCluster.start({
        release: options.release,
        members: MEMBERS.length,
        address: (index) => network.address(hostOf(index)),
        wrap: (index) => network.on(hostOf(index)),
        args: options.etcdArgs ?? [],
        ...(options.memberArgs === undefined ? {} : { memberArgs: options.memberArgs }),
        ...(options.separate === undefined ? {} : { separate: options.separate }),
      });
      const nodes: CtdbNode[] = [];
      const elect = (): void => {
        for (const node of nodes) node.elect();
      };
      for (const [index, host] of NODES.entries()) {
        const endpoints = cluster.members.map(({ endpoint }) => endpoint);
        const first = options.ownOrder === true ? index : 0;
        const settings = {
          hosts: [...endpoints.slice(first), ...endpoints.slice(0, first)].join(','),
          netbios_name: LOCK,
          lock_ttl: options.lockTtl,
          refresh: options.refresh,
          ...options.settings,
        };
        const { program, env = {}, prepare = '' } = options;
        nodes.push(
          await CtdbNode.make({ program, network, host, history, settings, env, prepare, onClaimEnd: elect }),
        );
      }
      return new World({ options, network, cluster, nodes, history });
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  get ttlMs(): number {
    return this.options.lockTtl * 1000;
  }

  get times(): Times {
    return { windowMs: this.ttlMs - marginMsOf(this.ttlMs), refreshMs: this.options.refresh * 1000 };
  }

  /** The node that holds the lock. */
  get holder(): CtdbNode | undefined {
    return this.nodes.find((node) => node.held !== undefined);
  }

  node(index: number): CtdbNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`No node ${index}`);
    return node;
  }

  /** Starts to contend on all nodes, and resolves when one holds and the others were told so. */
  async settle(): Promise<CtdbNode> {
    for (const node of this.nodes) node.contend();
    const holder = await this.someoneHolds(15_000);
    await waitFor(
      'all nodes have an answer',
      () =>
        this.nodes.every((node) =>
          this.history.attempts.some((attempt) => attempt.node === node.host && attempt.answer !== undefined),
        ),
      { withinMs: 15_000 },
    );
    this.#checks = this.#checkBesideHolder();
    return holder;
  }

  /** Resolves to the node that holds the lock, as soon as one does. */
  async someoneHolds(withinMs: number): Promise<CtdbNode> {
    return waitFor('someone holds the lock', () => this.holder, { withinMs, everyMs: 10 });
  }

  note(text: string): void {
    this.history.note(text);
  }

  /** Notes that a fact does not hold, and goes on. */
  expect(fact: string, holds: boolean): void {
    if (holds) return;
    this.note(`NOT TRUE: ${fact}`);
    this.problems.push(`not true: ${fact}`);
  }

  /** Waits for a fact; a problem, not an exception, when it does not come true in time. Resolves to the time it took. */
  async expectWithin(fact: string, withinMs: number, look: () => unknown): Promise<number> {
    const startedAtMs = monotonicMs();
    try {
      await waitFor(fact, async () => Boolean(await look()), { withinMs, everyMs: 20 });
    } catch {
      this.expect(`${fact} (within ${withinMs} ms)`, false);
    }
    return monotonicMs() - startedAtMs;
  }

  /** Runs `faults`, then waits until `forMs` have passed since its start; the lock must not have changed hands. */
  async expectKept(
    what: string,
    forMs: number,
    faults: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    const claim = await this.#steadyClaim();
    const startedAtMs = monotonicMs();
    this.note(`begin: ${what}`);
    await faults();
    await delay(Math.max(0, forMs - (monotonicMs() - startedAtMs)));
    this.note(`end: ${what}`);
    await Promise.all(this.#looks);
    const isKept = claim !== undefined && (claim.toMs === undefined || claim.revokedBy !== undefined);
    this.expect(`the lock is kept: ${what}`, isKept);
  }

  /** The claim must end within the time; resolves to the time it took. */
  async expectLost(claim: Claim | undefined, withinMs: number): Promise<number> {
    if (claim === undefined) throw new Error('Nobody holds the lock');
    return this.expectWithin(`the claim of ${claim.node} ends`, withinMs, () => claim.toMs !== undefined);
  }

  /** Resolves after `forMs`. */
  async pause(forMs: number): Promise<void> {
    await delay(forMs);
  }

  /** Lets everybody go, and reports what is left where nothing should be. */
  async finish(): Promise<string[]> {
    this.#over.abort();
    await this.#checks;
    await Promise.all(this.#looks);
    return findLeftovers(this);
  }

  /** After a scenario that broke off: lets packets through and members run again. */
  async mendAll(): Promise<void> {
    const hosts = [...MEMBERS, ...NODES];
    await this.network.mendBoth(hosts, hosts);
    for (const member of this.cluster.members) {
      try {
        member.thaw();
      } catch {
        member.start(); // it did not run
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await Promise.allSettled(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.cluster.stop();
    await this.network[Symbol.asyncDispose]();
  }

  /** The claim of somebody who was not told to let go; undefined when there is none soon. */
  async #steadyClaim(): Promise<Claim | undefined> {
    const look = (): Claim | undefined => {
      const { openClaim } = this.history;
      return openClaim?.deed === undefined ? openClaim : undefined;
    };
    return waitFor('somebody holds', look, { withinMs: STEADY_MS, everyMs: 10 }).catch(() => undefined);
  }

  async #checkBesideHolder(): Promise<void> {
    const { signal } = this.#over;
    try {
      for (;;) {
        await delay(CHECK_EVERY_MS, undefined, { signal });
        await this.holder?.check().catch((error: unknown) => {
          this.note(`a check cannot be started: ${String(error)}`);
        });
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
