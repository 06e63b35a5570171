import { Deadline } from '../../src/lock/deadline.ts';
import { defaultRefreshMs, longestRefreshMs, timingOf, type Timing } from '../../src/config/timing.ts';
import { Checker } from './checker.ts';
import { Cluster, type ClusterTraits, type LeadershipCheck } from './cluster.ts';
import type { Contender } from './contender.ts';
import { CtdbNode } from './ctdb-node.ts';
import { EtcdServer } from './etcd-server.ts';
import { GrpcProxy } from './grpc-proxy.ts';
import { Health } from './health.ts';
import { History } from './history.ts';
import { Machine, OWN_PROC, type ProcTraits } from './machine.ts';
import { Network } from './network.ts';
import type { Property, Violation } from './properties.ts';
import { Random } from './random.ts';
import type { Balancing } from './route.ts';
import { runningContender } from './running.ts';
import type { SimProcess } from './sim-process.ts';
import { Timeline } from './timeline.ts';

export interface WorldTraits {
  readonly hasWatchdog: boolean;
  /** The one member that is configured, by its index; undefined when all are. */
  readonly onlyMember: number | undefined;
  readonly balancing: Balancing;
  /** Each endpoint is a store of its own: members that were started alone and never made one cluster. */
  readonly isSplit: boolean;
  /** Who may use the lock's keys may not see the member list. */
  readonly hidesMembers: boolean;
  /** No watchdog can be started here. */
  readonly watchdogFails: boolean;
  /** Clock rate error of the machines, a fraction. */
  readonly drift: number;
  readonly proc: ProcTraits;
}

// Further apart than any two seeds that are used.
const RARE_SEEDS = 2 ** 50;
const ADDED_SEEDS = 2 ** 51;

// What messages and commits of a healthy cluster may add to a proof: several hops, each late at times.
const PROOF_SLACK_MS = 700;

/** Everything that one schedule is made of, drawn from its seed. */
export class World {
  readonly seed: number;
  readonly random: Random;
  /** For what few schedules have, so that it leaves the others as they are. */
  readonly rare: Random;
  /** For what was added later, so that it leaves the schedules as they are in which it does not happen. */
  readonly added: Random;
  readonly timeline = new Timeline();
  readonly history: History;
  readonly traits: WorldTraits;
  readonly timing: Timing;
  readonly cluster: Cluster;
  readonly servers: readonly EtcdServer[];
  /** One before each member, for where there are proxies. */
  readonly proxies: readonly GrpcProxy[];
  readonly machines: readonly Machine[];
  readonly network: Network;
  readonly health: Health;
  readonly checker: Checker;
  readonly nodes: readonly CtdbNode[];
  readonly contenders: Contender[] = [];
  /** What happened at least once in this schedule. */
  readonly counts = new Set<string>();
  /** False once nobody may start a helper any more. */
  isOpen = true;
  /** Nothing breaks any more. */
  areFaultsOver = false;
  /** When the store was last restored from a backup. */
  restoredAtMs = -Infinity;
  /** Told of each helper before it runs. */
  onStart: (contender: Contender) => void = () => undefined;
  /** Told of each request as it leaves. */
  onSend: (sender: SimProcess, what: string) => void = () => undefined;
  readonly #pausedUntilMs = new Map<Machine, number>();
  readonly #suspendedUntilMs = new Map<Machine, number>();

  /** @param only the properties that are looked at; all of them when undefined. */
  constructor(seed: number, keepsHistory: boolean, only?: readonly Property[]) {
    this.seed = seed;
    const random = new Random(seed);
    this.random = random;
    this.rare = new Random(seed + RARE_SEEDS);
    this.added = new Random(seed + ADDED_SEEDS);
    this.history = new History(this.timeline, keepsHistory);
    const isSplit = random.chance(0.03);
    const drawn = drawCluster(random);
    const electionMs = isSplit ? [1_000] : drawn.electionMs;
    const onlyMember = random.chance(0.08) ? random.integer(0, electionMs.length - 1) : undefined;
    const balancing = drawBalancing(random, this.rare, isSplit);
    const clusterTraits = { ...drawn, electionMs, areCopies: balancing === 'copies' };
    this.traits = {
      onlyMember,
      isSplit,
      balancing,
      hidesMembers: this.rare.chance(0.1),
      hasWatchdog: random.chance(0.8),
      watchdogFails: random.chance(0.1),
      drift: random.chance(0.1) ? 0.02 : 0.0005,
      proc: drawProc(this.added),
    };
    this.timing = drawTiming(random);
    this.checker = new Checker(this, only);
    const { timeline, checker } = this;
    const newCluster = (place?: number): Cluster =>
      new Cluster(clusterTraits, timeline, random, checker, place);
    this.cluster = newCluster(isSplit ? 0 : undefined);
    const others = isSplit
      ? Array.from({ length: random.integer(1, 2) }, (_, index) => newCluster(index + 1))
      : [];
    this.servers = [this.cluster, ...others].flatMap((cluster) =>
      cluster.nodes.map((node) => new EtcdServer(cluster, node)),
    );
    this.proxies = this.servers.map((server) => new GrpcProxy(server));
    for (const server of this.servers) server.hidesMembers = this.traits.hidesMembers;
    this.machines = drawMachines(this);
    const nodes = this.servers.map(({ node }) => node);
    this.network = new Network(this.machines, nodes, this.timeline, random);
    this.health = new Health(this);
    this.cluster.onChange = () => {
      this.health.assess();
    };
    this.cluster.onSnapshot = (node) => {
      this.count('member catches up by a raft snapshot');
      this.history.tell('etcd', () => `etcd${node.id} has restored a raft snapshot`);
    };
    this.cluster.onLatePromotion = (node) => {
      this.count('lessor promoted after its demotion');
      this.history.tell(
        'etcd',
        () => `etcd${node.id} promotes its lessor although it does not lead any more`,
      );
    };
    this.cluster.onStale = (node) => {
      this.count('stale linearizable read');
      this.history.tell('etcd', () => `etcd${node.id} answers a linearizable read from the past`);
    };
    this.cluster.onElection = (node, term) => {
      this.count('leader elected');
      this.history.tell('etcd', () => `etcd${node.id} is elected in term ${term}`);
    };
    const ctdbNodes = random.integer(1, 10) === 1 ? 1 : random.integer(2, 4);
    this.nodes = Array.from(
      { length: ctdbNodes },
      (_, index) => new CtdbNode(this, random.pick(this.machines), `node${index}`),
    );
    this.history.tell('world', () => this.#describe());
  }

  get violation(): Violation | undefined {
    return this.checker.violations[0];
  }

  /** The TTL that a holder asks for, which is what it may count on. */
  get grantedTtlMs(): number {
    return this.timing.ttlMs;
  }

  /** For how long a lease can outlive its last renewal, by the lessor with the largest TTL of its own. */
  get longestLeaseMs(): number {
    return Math.max(
      ...this.cluster.nodes.map(
        ({ lessor, electionMs }) => Math.max(this.timing.ttlMs, lessor.minTtlS * 1000) + electionMs,
      ),
    );
  }

  /** Within this a cluster whose members are well has a leader that serves. */
  get electionLimitMs(): number {
    return 2 * Math.max(...this.cluster.nodes.map(({ electionMs }) => electionMs)) + 1_000;
  }

  /** For how long etcd has to be well so that a renewal must have been proven, whatever was tried before. */
  get proofMs(): number {
    const { attemptMs, hedgeDelayMs, retryDelayMs } = this.timing;
    return attemptMs + hedgeDelayMs * (this.servers.length - 1) + retryDelayMs + PROOF_SLACK_MS;
  }

  count(what: string): void {
    this.counts.add(what);
  }

  /** The contender whose claim lives, if one does. */
  get holder(): Contender | undefined {
    for (const contender of this.checker.claims.keys()) return contender;
    return undefined;
  }

  electSomebody(withinMs: number): void {
    this.random.pick(this.nodes).elect(this.random.between(10, withinMs));
  }

  onElected(node: CtdbNode): void {
    this.count('lock taken');
    const { random } = this;
    if (random.chance(0.6)) node.check(random.between(50, 2_500));
    if (random.chance(0.4)) node.check(random.between(50, 8_000));
    if (random.chance(0.3)) random.pick(this.nodes).check(random.between(50, 5_000));
  }

  /** The machine stands still with all its processes; its clock goes on when it wakes up as if it had never stopped. */
  suspend(machine: Machine, forMs: number): void {
    if (machine.stoppedUntilMs > this.timeline.nowMs) return;
    if (machine.proc.uptimeBy !== 'kernel') {
      // The monotonic clock stands still, and nothing else counts: as in a pause, only the wall clock shows it.
      this.pause(machine, forMs);
      return;
    }
    this.count('machine suspended');
    this.#suspendedUntilMs.set(machine, this.timeline.nowMs + forMs);
    this.#stop(machine, forMs);
  }

  /** Like suspend, but none of its own clocks notices; the wall clock is set right when it goes on. */
  pause(machine: Machine, forMs: number): void {
    if (machine.stoppedUntilMs > this.timeline.nowMs) return;
    // The rest of a run that was cut in two has seen a clock that counts the pause already.
    if (this.contenders.some(({ process }) => process.machine === machine && process.isFrozen)) return;
    this.count('virtual machine paused');
    machine.wasPaused = true;
    this.#pausedUntilMs.set(machine, this.timeline.nowMs + forMs);
    this.#stop(machine, forMs);
    this.timeline.after(forMs - 0.001, () => {
      machine.missedMs += forMs;
      machine.wallOffsetMs += forMs;
    });
  }

  /** How long after it has thawed a process may go on before it sees that its deadline has passed. */
  wakeUpMs(machine: Machine): number {
    if (machine.wasPaused) return this.#wallProofMs;
    return this.timeline.nowMs <= (this.#suspendedUntilMs.get(machine) ?? -Infinity) ? 520 : 5;
  }

  /** By when the claim of this process has to end, if a pause of its machine that nobody could see is why it lives. */
  pauseExcuse({ machine, lastFreezeMs, lastThawMs }: SimProcess): number | undefined {
    // No clock shows the pause. The deadline is late by its length, and no longer than a lease.
    if (machine.hidPause) return this.timeline.nowMs + this.grantedTtlMs;
    const wokeUpMs = Math.max(
      this.#pausedUntilMs.get(machine) ?? -Infinity,
      this.#suspendedUntilMs.get(machine) ?? -Infinity,
    );
    // Frozen before it could look at its clocks, it looks when it goes on; no watchdog knows of the pause either.
    const couldNotLook = lastThawMs > wokeUpMs && lastFreezeMs < wokeUpMs + this.#wallProofMs;
    const byMs = (couldNotLook ? lastThawMs : wokeUpMs) + this.#wallProofMs;
    return this.timeline.nowMs < byMs ? byMs : undefined;
  }

  /** What it takes to see that the wall clock has jumped, and to prove the lock anew or give it up. */
  get #wallProofMs(): number {
    return this.timing.parentCheckMs + 2 * this.timing.attemptMs + 250;
  }

  #stop(machine: Machine, forMs: number): void {
    machine.stoppedUntilMs = Math.max(machine.stoppedUntilMs, this.timeline.nowMs + forMs);
    for (const contender of this.contenders) {
      if (contender.process.machine !== machine) continue;
      contender.process.freeze(forMs, 500);
      contender.watchdogProcess?.freeze(forMs);
    }
  }

  #describe(): string {
    const { timing, cluster } = this;
    return `seed ${this.seed}: ttl ${timing.ttlMs} ms, refresh ${timing.refreshMs} ms, ${JSON.stringify(cluster.traits)}, ${JSON.stringify(this.traits)}`;
  }
}

function drawTiming(random: Random): Timing {
  const ttlMs = random.pick([2, 3, 3, 4, 4, 5, 6, 7, 9, 9]) * 1_000;
  const refreshMs = random.chance(0.6)
    ? defaultRefreshMs(ttlMs)
    : random.between(longestRefreshMs(ttlMs) / 4, longestRefreshMs(ttlMs));
  return timingOf({ ttlMs, refreshMs, readTimeoutMs: undefined });
}

function drawBalancing(random: Random, rare: Random, isSplit: boolean): Balancing {
  if (isSplit) return 'none';
  if (!random.chance(0.94)) return random.pick<Balancing>(['connections', 'calls', 'calls']);
  return rare.chance(0.03) ? rare.pick<Balancing>(['copies', 'copies', 'proxy']) : 'none';
}

function drawCluster(random: Random): Omit<ClusterTraits, 'areCopies'> {
  const size = random.pick([1, 3, 3, 3, 3, 3, 3, 5]);
  return {
    electionMs: drawElections(random, size),
    checksLeadership: random.pick<LeadershipCheck>(['never', 'always', 'unlessTicked', 'unlessTicked']),
    reusesReadIds: random.chance(0.5),
    hesitates: random.chance(0.2),
    racesPromotion: random.chance(0.2),
    keptEntries: random.chance(0.5) ? random.integer(2, 10) : 5_000,
    checkpointMs: random.chance(0.9) ? Infinity : random.between(500, 3_000),
    forgetsFreshLeases: random.chance(0.2),
    renewsRevoked: random.chance(0.2),
    keysGoFirstMs: random.chance(0.2) ? 200 : 0,
    commitMs: random.chance(0.8) ? [1, 8] : [5, 60],
    drift: 0.0005,
  };
}

function drawProc(added: Random): ProcTraits {
  const kind = added.fraction();
  if (kind < 0.04)
    return {
      ...OWN_PROC,
      isOwn: false,
      showsItself: added.chance(0.8),
      hasSamePids: added.chance(0.4),
    };
  if (kind < 0.08) return { ...OWN_PROC, uptimeBy: added.pick(['mounted file', 'other file system']) };
  return OWN_PROC;
}

/** Mostly the default; or another; or, as in a rolling change of it, a different one for each member. */
function drawElections(random: Random, size: number): number[] {
  const kind = random.fraction();
  const same = kind < 0.75 ? 1_000 : 3_000;
  const choose = (): number =>
    kind < 0.85 ? same : random.pick([100, 500, 1_000, 1_000, 3_000, 8_000, 20_000]);
  return Array.from({ length: size }, choose);
}

function drawMachines(world: World): Machine[] {
  const { random, timeline, traits } = world;
  const isOneKernel = random.chance(0.15);
  return Array.from({ length: random.integer(1, 3) }, (_, index) => {
    // Containers on one kernel share its boot ID and differ in their pid namespaces; clones differ in the boot ID.
    const bootId = isOneKernel ? 'boot' : `boot-${index}`;
    const pidNamespace = isOneKernel ? String(4026531836 + index) : '4026531836';
    return new Machine(`host${index}`, timeline, random, {
      bootId,
      pidNamespace,
      drift: traits.drift,
      proc: traits.proc,
    });
  });
}

// The shipped one-way door, watched: who moves it, and when.
const extendTo = Reflect.get<Deadline, 'extendTo'>(Deadline.prototype, 'extendTo');
const shortenTo = Reflect.get<Deadline, 'shortenTo'>(Deadline.prototype, 'shortenTo');
const hasPassed = Reflect.get<Deadline, 'hasPassed'>(Deadline.prototype, 'hasPassed');
Deadline.prototype.extendTo = function (atMs) {
  const contender = runningContender();
  const [beforeMs, nowMs] = [this.atMs, contender.process.peek()];
  const result = extendTo.call(this, atMs);
  contender.deadlineMs = this.atMs;
  contender.world.checker.onDeadlineMoved(contender, beforeMs, this.atMs, nowMs);
  return result;
};
Deadline.prototype.hasPassed = function () {
  runningContender().knownDeadlineMs = this.atMs;
  return hasPassed.call(this);
};
Deadline.prototype.shortenTo = function (atMs) {
  const contender = runningContender();
  shortenTo.call(this, atMs);
  contender.deadlineMs = this.atMs;
  contender.shortenedAtMs = contender.process.peek();
  contender.world.count('deadline cut short');
};
