import type { EtcdNode } from './etcd-node.ts';
import type { EtcdServer } from './etcd-server.ts';
import type { Machine } from './machine.ts';
import type { Direction, Link } from './network.ts';
import type { SimProcess } from './sim-process.ts';
import { DIRECTORY } from './contender.ts';
import type { LeaseId } from '../../src/cluster/member.ts';
import type { Author, Command } from './store.ts';
import type { World } from './world.ts';

/** Something that goes wrong at this moment, and right again by itself after a while. */
type Fault = (world: World) => void;

const ADMINISTRATOR: Author = { kind: 'administrator' };

/** Half of the faults are brief; some last for several leases. */
function lengthMs({ random, grantedTtlMs }: World): number {
  const kind = random.fraction();
  if (kind < 0.35) return random.between(50, 1_000);
  if (kind < 0.7) return random.between(500, 4_000);
  return random.between(0.5, 3) * grantedTtlMs;
}

/** Whether two calls to one endpoint can come to two members. */
export function isSpread({ traits }: World): boolean {
  return traits.balancing === 'calls' || traits.balancing === 'copies';
}

/** A later part of a fault; nothing once all of them have ended. */
function later(world: World, inMs: number, happen: () => void): void {
  world.timeline.after(inMs, () => {
    if (!world.areFaultsOver) happen();
  });
}

function aMember({ cluster, random }: World): EtcdNode {
  // Leaders get more than their share.
  return random.chance(0.5) ? cluster.leader.node : random.pick(cluster.nodes);
}

function aMachine({ random, machines, holder }: World): Machine {
  return holder !== undefined && random.chance(0.7) ? holder.process.machine : random.pick(machines);
}

function aProcess({ random, holder, contenders }: World): SimProcess | undefined {
  const living = contenders.filter(({ process }) => process.state === 'alive');
  if (holder !== undefined && random.chance(0.8)) return holder.process;
  return living.length === 0 ? undefined : random.pick(living).process;
}

function directionsOf({ random }: World): Direction[] {
  return random.pick<Direction[]>([['to', 'from'], ['to', 'from'], ['to'], ['from']]);
}

function crash(world: World, node: EtcdNode): void {
  if (!node.up) return;
  world.cluster.crash(node);
  for (const contender of world.contenders) for (const member of contender.members) member.onCrash(node);
  world.timeline.after(lengthMs(world), () => {
    restart(world, node);
  });
}

function restart(world: World, node: EtcdNode): void {
  if (node.up) return;
  const { random } = world;
  node.restart(random.integer(Math.max(1, node.applied - random.pick([0, 0, 3, 10])), node.applied));
  world.cluster.reconsider();
}

function freeze(world: World, node: EtcdNode): void {
  if (!node.up || node.frozen) return;
  node.freeze();
  world.cluster.reconsider();
  world.timeline.after(lengthMs(world), () => {
    thaw(world, node);
  });
}

function thaw(world: World, node: EtcdNode): void {
  if (!node.frozen) return;
  world.cluster.thaw(node);
}

function stick(world: World, node: EtcdNode): void {
  node.stick();
  world.cluster.reconsider();
  world.timeline.after(lengthMs(world), () => {
    node.unstick();
    world.cluster.reconsider();
  });
}

function partition(world: World, sideOf: (node: EtcdNode) => number): void {
  const { cluster, timeline } = world;
  for (const node of cluster.nodes) node.side = sideOf(node);
  cluster.reconsider();
  timeline.after(lengthMs(world), () => {
    unite(world);
  });
}

function unite({ cluster }: World): void {
  for (const node of cluster.nodes) node.side = 0;
  cluster.reconsider();
}

function spoil(world: World, links: readonly Link[], begin: (link: Link) => void): void {
  for (const link of links) begin(link);
  world.health.assess();
  world.timeline.after(lengthMs(world), () => {
    for (const link of links) mend(link);
    world.health.assess();
  });
}

/** Other users of etcd write, more than the log keeps if that is short. */
function writeMuch(world: World, overMs: number): void {
  const { cluster, timeline, random } = world;
  const entries = cluster.traits.keptEntries < 100 ? 3 * cluster.traits.keptEntries : random.integer(1, 5);
  for (let entry = 0; entry < entries; entry += 1) {
    timeline.after(random.between(0, overMs), () => {
      cluster.propose(
        cluster.leader.node,
        { kind: 'noise' },
        () => undefined,
        () => undefined,
      );
    });
  }
}

/**
 * The hardest case for a proof: a machine reaches one member only, the leader, which stands still or is isolated. It
 * goes on renewing leases, or does so when it goes on, while others elect another leader and write; it comes back; and then it
 * is cut off from the machine too, so that what was believed of the last renewal cannot be put right by a later one.
 */
function reachOnlyAnOldLeader(world: World): void {
  const { cluster, network, random, timeline, grantedTtlMs } = world;
  const { node } = cluster.leader;
  const links = network.linksOf(aMachine(world));
  // Where its calls come to others as well, the machine goes on for as long as this lasts.
  const oldMs = (isSpread(world) ? random.between(0.6, 2) : random.between(0.35, 0.8)) * grantedTtlMs;
  for (const link of links) if (link.node !== node) cutBothWays(link);
  const kind = random.fraction();
  if (kind < 0.4) {
    if (node.up) node.freeze();
  } else if (kind < 0.75) node.stick();
  if (kind >= 0.75 || random.chance(0.5)) node.side = 1;
  cluster.reconsider();
  world.health.assess();
  if (random.chance(0.6)) writeMuch(world, oldMs);
  timeline.after(oldMs, () => {
    node.side = 0;
    node.unstick();
    thaw(world, node);
    cluster.reconsider();
  });
  later(world, oldMs + random.between(10, random.pick([600, 1_500])), () => {
    if (random.chance(0.8)) links.forEach(cutBothWays);
    world.health.assess();
  });
  timeline.after(oldMs + 1_500 + random.between(0.5, 1.4) * grantedTtlMs, () => {
    links.forEach(mend);
    world.health.assess();
  });
}

/** Once somebody has sent the next renewal, or a part of one, to this member. */
function onNextSend(world: World, node: EtcdNode, happen: () => void): void {
  let isOver = false;
  const before = world.onSend;
  world.onSend = (sender, what) => {
    before(sender, what);
    if (isOver || !/^(confirmKey|readKey|keepAlive)/.test(what) || !what.endsWith(`etcd${node.id}:2379`))
      return;
    isOver = true;
    happen();
  };
}

/** Another client reads through this member. */
function readThrough(world: World, node: EtcdNode): void {
  node.run(() => {
    world.servers[node.id]?.read(() => undefined, { answer: () => undefined, refuse: () => undefined });
  }, 'another client');
}

/**
 * The hardest case for a read: a leader stands still just when it has learnt that a read of a follower is confirmed, and before
 * the follower hears of it. The follower asks again; others elect another leader; and the old one, when it goes on, finds all
 * that has come to it meanwhile, also what the machine asked that reaches only this member.
 */
function freezeLeaderAtRead(world: World): void {
  const { cluster, network, random, timeline, grantedTtlMs } = world;
  const { node } = cluster.leader;
  if (!node.responsive || cluster.nodes.length < 3) return;
  const follower = random.pick(cluster.nodes.filter((other) => other !== node));
  const links = network.linksOf(aMachine(world));
  for (const link of links) if (link.node !== node) cutBothWays(link);
  world.health.assess();
  const oldMs = random.between(0.45, 0.8) * grantedTtlMs;
  const before = cluster.onConfirmed;
  const stop = (): void => {
    cluster.onConfirmed = before;
  };
  cluster.onConfirmed = (leader, by, reader) => {
    // What others have to say of it is still on its way then.
    if (leader !== node || node.frozen || by !== reader) return;
    stop();
    node.freeze();
    cluster.reconsider();
    later(world, random.between(550, 1_000), () => {
      node.side = 1;
      cluster.reconsider();
    });
    const goOn = (): void => {
      thaw(world, node);
      timeline.after(random.between(0, 200), () => {
        node.side = 0;
        cluster.reconsider();
      });
      later(world, random.between(5, random.pick([50, 600])), () => {
        links.forEach(cutBothWays);
        world.health.assess();
      });
    };
    later(world, oldMs, () => {
      // When a question of the machine's has just come.
      onNextSend(world, node, () => {
        later(world, random.between(1, 40), goOn);
      });
    });
  };
  for (let atMs = 0; atMs < 500; atMs += 20) {
    timeline.after(atMs, () => {
      if (!node.frozen) readThrough(world, follower);
    });
  }
  timeline.after(oldMs + 1_500 + random.between(0.8, 1.5) * grantedTtlMs, () => {
    stop();
    links.forEach(mend);
    world.health.assess();
  });
}

/**
 * Leadership is handed over, and just then one of the two stands still: the one that had it, or the one that takes over,
 * between its look at whether it leads and the promotion of its lessor.
 */
function moveAndFreeze(world: World): void {
  const { cluster, random, timeline } = world;
  const from = cluster.leader.node;
  const others = cluster.nodes.filter((node) => node !== from && node.responsive);
  if (others.length === 0) return;
  if (!cluster.traits.racesPromotion || random.chance(0.3)) {
    later(world, random.between(0, 50), () => {
      freeze(world, from);
    });
  } else {
    cluster.onPromoting = (node) => {
      // Not in the middle of what it does.
      timeline.after(0, () => {
        freeze(world, node);
      });
    };
  }
  cluster.moveLeader(random.pick(others));
}

/**
 * A holder is frozen right after it has sent a keepalive, and finds the answer when it wakes up, which by then is old. Then
 * it is cut off, so that no later renewal puts right what it made of that answer.
 */
function freezeAtRenewal(world: World): void {
  const { holder, random, timeline, network, timing, grantedTtlMs } = world;
  if (holder === undefined) return;
  const { process } = holder;
  const windowMs = grantedTtlMs - timing.marginMs(grantedTtlMs);
  // Just within an attempt, so that the attempt is not given up, or for much longer.
  const frozenMs = random.chance(0.7)
    ? random.between(0.7, 1) * timing.attemptMs
    : random.between(0.2, 0.9) * windowMs;
  let isOver = false;
  const before = world.onSend;
  world.onSend = (sender, what) => {
    before(sender, what);
    if (isOver || !world.isOpen || sender !== process || !what.startsWith('confirmKey')) return;
    isOver = true;
    // Not in the middle of the run that sends.
    timeline.after(0.001, () => {
      process.freeze(frozenMs);
    });
    timeline.after(frozenMs + random.between(1, 300), () => {
      const links = network.linksOf(process.machine);
      links.forEach(cutBothWays);
      world.health.assess();
      timeline.after(grantedTtlMs + 2_000, () => {
        links.forEach(mend);
        world.health.assess();
      });
    });
  };
}

/**
 * A holder reaches one member only, which answers its transactions, but is late with the answer to one keepalive: it comes when the holder
 * waits for the answer to a later one, which does not arrive any more. Then the holder is cut off.
 */
function answerKeepaliveLate(world: World): void {
  const { holder, random, rare, timeline, network, timing, grantedTtlMs } = world;
  if (holder === undefined) return;
  const { process } = holder;
  const links = network.linksOf(process.machine);
  const before = world.onSend;
  let held: Link | undefined;
  let heldAtMs = Infinity;
  let isOver = false;
  world.onSend = (sender, what) => {
    before(sender, what);
    if (isOver || !world.isOpen || sender !== process || !what.startsWith('keepAlive')) return;
    if (held === undefined) {
      held = links.find(({ node }) => what.endsWith(`etcd${node.id}:2379`));
      if (held === undefined) return;
      heldAtMs = timeline.nowMs;
      for (const link of links) if (link !== held) cutBothWays(link);
      held.cut.from = true;
      world.health.assess();
      const mendInMs = rare.between(0.02, 1.2) * timing.attemptMs;
      timeline.after(mendInMs, () => held?.mend('from'));
      return;
    }
    if (timeline.nowMs - heldAtMs < timing.attemptMs || held.cut.from) return;
    isOver = true;
    held.cut.to = true;
    timeline.after(rare.between(100, 2_000), () => {
      links.forEach(cutBothWays);
    });
  };
  timeline.after(4 * timing.attemptMs + 2 * grantedTtlMs + random.between(0, 2_000), () => {
    isOver = true;
    links.forEach(mend);
    world.health.assess();
  });
}

/**
 * A virtual machine is paused for longer than its holder's lease has left, and finds itself cut off when it goes on: only
 * its wall clock, which is set right then, tells that the lock may be gone.
 */
function pauseAndCutOff(world: World): void {
  const { holder, random, timeline, network, grantedTtlMs } = world;
  if (holder === undefined) return;
  const { machine } = holder.process;
  const pausedMs = random.between(0.8, 2) * grantedTtlMs;
  world.pause(machine, pausedMs);
  const links = network.linksOf(machine);
  links.forEach(cutBothWays);
  world.health.assess();
  timeline.after(pausedMs + grantedTtlMs + 2_000, () => {
    links.forEach(mend);
    world.health.assess();
  });
}

/** An administrator deletes the key and puts it back, as from a backup, and no watch tells of it. */
function replaceUnseen(world: World): void {
  const { cluster, random, timeline, health } = world;
  const key = aKey(world);
  if (key === undefined) return;
  for (const node of cluster.nodes) {
    node.refusesWatches = true;
    node.endWatches('refused');
  }
  health.assess();
  const node = random.pick(cluster.nodes);
  const put: Command = { kind: 'put', key, value: 'by hand', lease: 'none', author: ADMINISTRATOR };
  timeline.after(random.between(0, 500), () => {
    const putBack = (): void => {
      cluster.propose(
        node,
        put,
        () => undefined,
        () => undefined,
      );
    };
    cluster.propose(node, { kind: 'delete', key, author: ADMINISTRATOR }, putBack, () => undefined);
  });
  timeline.after(lengthMs(world), () => {
    for (const each of cluster.nodes) each.refusesWatches = false;
    health.assess();
  });
}

/**
 * etcd is restored from a backup under a living holder, by an administrator who did not stop CTDB: the lock may not be in it.
 * Now and then the holder is cut off, so that it does not see that.
 */
function restoreUnderHolder(world: World): void {
  const { cluster, added, timeline, network, holder, grantedTtlMs } = world;
  if (world.traits.isSplit) return;
  const endAll = (): void => {
    for (const node of cluster.nodes) {
      if (!node.up) continue;
      cluster.crash(node);
      for (const contender of world.contenders) for (const member of contender.members) member.onCrash(node);
    }
  };
  endAll();
  const links = holder !== undefined && added.chance(0.4) ? network.linksOf(holder.process.machine) : [];
  links.forEach(cutBothWays);
  later(world, added.between(100, 0.4 * grantedTtlMs), () => {
    // Those that another fault has started again meanwhile.
    endAll();
    cluster.restore(added.integer(1, cluster.store.lastIndex));
    world.restoredAtMs = timeline.nowMs;
    world.health.assess();
    for (const node of world.nodes) node.elect(added.between(0, 1_500));
  });
  timeline.after(1.5 * grantedTtlMs, () => {
    links.forEach(mend);
    world.health.assess();
  });
}

/** The program that serves /proc/uptime hangs, or begins again at 0; then a holder stands still. */
function spoilUptime(world: World): void {
  const { added, timeline, grantedTtlMs, holder, machines } = world;
  const machine = holder?.process.machine ?? added.pick(machines);
  const forMs = added.between(0.5, 3) * grantedTtlMs;
  if (added.chance(0.5)) machine.uptimeHangsUntilMs = timeline.nowMs + forMs;
  else machine.uptimeOffsetMs = -machine.localMs(timeline.nowMs);
  later(world, added.between(0, 1_000), () => {
    world.holder?.process.freeze(forMs);
  });
}

function mend(link: Link): void {
  link.mend('to');
  link.mend('from');
  link.slowMs = 0;
  link.lossPercent = 0;
  link.losesAnswers = false;
}

function cutLinks(world: World, links: readonly Link[]): void {
  const directions = directionsOf(world);
  spoil(world, links, (link) => {
    for (const direction of directions) link.cut[direction] = true;
  });
}

function cutBothWays(link: Link): void {
  link.cut.to = true;
  link.cut.from = true;
}

function linksTo(world: World, node: EtcdNode): Link[] {
  return world.network.links.filter((link) => link.node === node);
}

function refuse(world: World, begin: (server: EtcdServer) => void): void {
  for (const server of world.servers) begin(server);
  world.health.assess();
  world.timeline.after(lengthMs(world), () => {
    allow(world);
  });
}

function allow(world: World): void {
  for (const server of world.servers) {
    server.refusal = undefined;
    server.noSpace = false;
  }
  world.health.assess();
}

/** As an administrator does it: through any member, with no regard for the lock. */
function command({ cluster, random }: World, what: Command): void {
  cluster.propose(
    random.pick(cluster.nodes),
    what,
    () => undefined,
    () => undefined,
  );
}

function aKey({ cluster }: World): string | undefined {
  return cluster.store.keys[0]?.key;
}

const FAULTS: readonly (readonly [name: string, weight: number, fault: Fault])[] = [
  [
    'member killed',
    4,
    (world) => {
      crash(world, aMember(world));
    },
  ],
  [
    'all members killed',
    1,
    (world) => {
      for (const node of world.cluster.nodes) crash(world, node);
    },
  ],
  [
    'member frozen',
    4,
    (world) => {
      freeze(world, aMember(world));
    },
  ],
  [
    'all members frozen',
    1,
    (world) => {
      for (const node of world.cluster.nodes) freeze(world, node);
    },
  ],
  [
    'leader stands still inside',
    5,
    (world) => {
      stick(world, world.cluster.leader.node);
    },
  ],
  [
    'leader isolated from its peers',
    6,
    (world) => {
      partition(world, (node) => (node === world.cluster.leader.node ? 1 : 0));
    },
  ],
  [
    'only an old leader is reached',
    4,
    (world) => {
      reachOnlyAnOldLeader(world);
    },
  ],
  [
    'leader frozen as it confirms a read',
    2,
    (world) => {
      freezeLeaderAtRead(world);
    },
  ],
  [
    'others read',
    2,
    (world) => {
      for (let times = 0; times < 5; times += 1)
        world.timeline.after(world.random.between(0, 2_000), () => {
          readThrough(world, world.random.pick(world.cluster.nodes));
        });
    },
  ],
  [
    'members split',
    2,
    (world) => {
      partition(world, () => world.random.integer(0, 1));
    },
  ],
  [
    'leader moved',
    3,
    (world) => {
      world.cluster.moveLeader(world.random.pick(world.cluster.nodes));
    },
  ],
  [
    'leader moved, then frozen',
    3,
    (world) => {
      moveAndFreeze(world);
    },
  ],
  [
    'machine cut off from etcd',
    5,
    (world) => {
      cutLinks(world, world.network.linksOf(aMachine(world)));
    },
  ],
  [
    'machine cut off from one member',
    4,
    (world) => {
      const links = world.network.linksOf(aMachine(world));
      cutLinks(world, [world.random.pick(links)]);
    },
  ],
  [
    'member cut off from its clients',
    3,
    (world) => {
      cutLinks(world, linksTo(world, aMember(world)));
    },
  ],
  [
    'slow network',
    3,
    (world) => {
      const slowMs = world.random.between(50, 2_500);
      spoil(world, world.network.linksOf(aMachine(world)), (link) => {
        link.slowMs = slowMs;
      });
    },
  ],
  [
    'slow member',
    3,
    (world) => {
      const slowMs = world.random.between(50, 2_500);
      spoil(world, linksTo(world, aMember(world)), (link) => {
        link.slowMs = slowMs;
      });
    },
  ],
  [
    'lossy network',
    2,
    (world) => {
      const lossPercent = world.random.between(5, 60);
      spoil(world, world.network.linksOf(aMachine(world)), (link) => {
        link.lossPercent = lossPercent;
      });
    },
  ],
  [
    'answers lost after commit',
    5,
    (world) => {
      spoil(world, world.network.linksOf(aMachine(world)), (link) => {
        link.losesAnswers = true;
      });
    },
  ],
  [
    'slow disk',
    3,
    (world) => {
      world.cluster.slowMs = world.random.between(100, 3_000);
      world.health.assess();
      world.timeline.after(lengthMs(world), () => {
        world.cluster.slowMs = 0;
        world.health.assess();
      });
    },
  ],
  [
    'lessors hesitate',
    2,
    (world) => {
      const { cluster } = world;
      cluster.hesitates = true;
      cluster.isHesitant = true;
      world.health.assess();
      const forMs = lengthMs(world);
      world.timeline.after(forMs, () => {
        cluster.hesitates = false;
      });
      world.timeline.after(forMs + 2_000, () => {
        cluster.isHesitant = cluster.hesitates;
        world.health.assess();
      });
    },
  ],
  [
    'member lags behind',
    2,
    (world) => {
      const node = aMember(world);
      node.lagMs = world.random.between(60, 4_000);
      world.health.assess();
      world.timeline.after(lengthMs(world), () => {
        node.lagMs = 2;
        world.cluster.catchUp(node);
        world.health.assess();
      });
    },
  ],
  [
    'member answers reads from the past',
    2,
    (world) => {
      const node = aMember(world);
      node.readsBack = world.random.integer(1, 12);
      world.health.assess();
      world.timeline.after(lengthMs(world), () => {
        node.readsBack = 0;
        world.health.assess();
      });
    },
  ],
  [
    'process frozen',
    8,
    (world) => {
      aProcess(world)?.freeze(lengthMs(world));
    },
  ],
  [
    'process frozen in the middle of a run',
    8,
    (world) => {
      const process = aProcess(world);
      if (process === undefined) return;
      process.ambush = { looksLeft: world.random.integer(1, 25), lengthMs: lengthMs(world) };
    },
  ],
  [
    'process frozen while it renews, then cut off',
    4,
    (world) => {
      freezeAtRenewal(world);
    },
  ],
  [
    'process frozen after its start',
    5,
    (world) => {
      const before = world.onStart;
      world.onStart = (contender) => {
        before(contender);
        const looksLeft = world.random.integer(1, 60);
        if (world.random.chance(0.5)) contender.process.ambush = { looksLeft, lengthMs: lengthMs(world) };
      };
    },
  ],
  [
    'machine suspended',
    2,
    (world) => {
      world.suspend(aMachine(world), lengthMs(world));
    },
  ],
  [
    'virtual machine paused',
    1,
    (world) => {
      world.pause(aMachine(world), lengthMs(world));
    },
  ],
  [
    'wall clock stepped',
    2,
    (world) => {
      const machine = aMachine(world);
      machine.wallOffsetMs += world.random.pick([-3_600_000, -5_000, -900, 900, 5_000, 3_600_000]);
      if (world.timeline.nowMs < machine.stoppedUntilMs) machine.hidPause = true;
    },
  ],
  [
    'holder killed',
    5,
    (world) => {
      const lingerMs = world.random.chance(0.8)
        ? world.random.between(0, 30)
        : world.random.between(0, 2_000);
      const process = world.holder?.process;
      if (process === undefined) return;
      process.isKilledFromOutside = true;
      process.kill(lingerMs);
    },
  ],
  [
    'ctdbd killed',
    3,
    (world) => {
      const leading = world.nodes.find((node) => node.leads);
      (leading ?? world.random.pick(world.nodes)).die();
    },
  ],
  [
    'released by CTDB',
    5,
    (world) => {
      world.nodes.find((node) => node.leads)?.stepDown();
    },
  ],
  [
    'CTDB gives up early',
    3,
    (world) => {
      for (const contender of world.contenders) if (contender.byte === undefined) contender.terminate();
    },
  ],
  [
    'watchdog killed',
    1,
    (world) => {
      world.holder?.watchdogProcess?.kill();
    },
  ],
  [
    'watchdog frozen',
    1,
    (world) => {
      world.holder?.watchdogProcess?.freeze(lengthMs(world));
    },
  ],
  [
    'key deleted by hand',
    2,
    (world) => {
      const key = aKey(world);
      if (key !== undefined) command(world, { kind: 'delete', key, author: ADMINISTRATOR });
    },
  ],
  [
    'lease revoked by hand',
    2,
    (world) => {
      const leaseId = world.cluster.store.keys[0]?.leaseId;
      if (leaseId !== undefined) command(world, { kind: 'revoke', leaseId, author: ADMINISTRATOR });
    },
  ],
  [
    'key written by hand',
    2,
    (world) => {
      const key = world.random.chance(0.7) ? aKey(world) : undefined;
      const lease = world.random.chance(0.6) ? 'keep' : 'none';
      const value = 'by hand';
      command(world, { kind: 'put', key: key ?? `${DIRECTORY}hand`, value, lease, author: ADMINISTRATOR });
    },
  ],
  [
    'key replaced by hand while nobody may watch',
    2,
    (world) => {
      replaceUnseen(world);
    },
  ],
  [
    'permission denied',
    2,
    (world) => {
      refuse(world, (server) => {
        server.refusal = { kind: 'permission', message: 'etcdserver: permission denied' };
      });
    },
  ],
  [
    'no space',
    1,
    (world) => {
      refuse(world, (server) => {
        server.noSpace = true;
      });
    },
  ],
  [
    'others write',
    3,
    (world) => {
      writeMuch(world, lengthMs(world));
    },
  ],
  [
    'compaction',
    2,
    (world) => {
      const { store } = world.cluster;
      for (let times = 0; times < 3; times += 1) command(world, { kind: 'noise' });
      store.compactedRevision = store.revision;
    },
  ],
];

const WEIGHT = FAULTS.reduce((sum, [, weight]) => sum + weight, 0);

function happen(world: World, name: string, fault: Fault): void {
  if (!world.isOpen) return;
  world.count(`fault: ${name}`);
  world.history.tell('FAULT', () => name);
  fault(world);
}

/** Lets one fault happen at some time. */
export function plan(world: World, atMs: number): void {
  let left = world.random.fraction() * WEIGHT;
  const chosen = FAULTS.find(([, weight]) => (left -= weight) < 0);
  if (chosen === undefined) return;
  const [name, , fault] = chosen;
  world.timeline.at(atMs, () => {
    happen(world, name, fault);
  });
}

const HARDEST: readonly (readonly [string, Fault])[] = [
  ['only an old leader is reached', reachOnlyAnOldLeader],
  ['only an old leader is reached', reachOnlyAnOldLeader],
  ['leader frozen as it confirms a read', freezeLeaderAtRead],
  ['leader frozen as it confirms a read', freezeLeaderAtRead],
  ['leader moved, then frozen', moveAndFreeze],
  ['process frozen while it renews, then cut off', freezeAtRenewal],
  ['virtual machine paused, then cut off', pauseAndCutOff],
];

/** Where each call can come to another member, an old leader among them. */
const HARDEST_FOR_SPREAD_CALLS: typeof HARDEST = [['only an old leader is reached', reachOnlyAnOldLeader]];

/** Lets one of the hardest cases happen, with nothing else before it and time to work itself out. */
export function planHardCase(world: World, atMs: number): void {
  const isOfRareKind = !isSpread(world) && world.rare.chance(0.2);
  const kinds = isSpread(world) ? HARDEST_FOR_SPREAD_CALLS : HARDEST;
  const [name, fault]: readonly [string, Fault] = isOfRareKind
    ? ['keepalive answered late, then cut off', answerKeepaliveLate]
    : world.random.pick(kinds);
  world.timeline.at(atMs, () => {
    happen(world, name, fault);
  });
}

/** What happens in few schedules, beside the rest. */
export function planAdded(world: World, horizonMs: number): void {
  const { added, timeline, traits } = world;
  const planAt = (name: string, fault: Fault): void => {
    timeline.at(added.between(500, horizonMs), () => {
      happen(world, name, fault);
    });
  };
  if (traits.proc.uptimeBy !== 'kernel') planAt('/proc/uptime hangs or begins again', spoilUptime);
  if (added.chance(0.03)) planAt('etcd restored from a backup', restoreUnderHolder);
}

/** Ends every fault that has not ended by itself. */
export function healAll(world: World): void {
  world.history.tell('FAULT', () => 'all faults end');
  for (const node of world.cluster.nodes) {
    restart(world, node);
    thaw(world, node);
    node.unstick();
    node.lagMs = 2;
    node.readsBack = 0;
    node.refusesWatches = false;
  }
  for (const { process } of world.contenders) process.ambush = undefined;
  for (const machine of world.machines) machine.uptimeHangsUntilMs = -Infinity;
  world.cluster.slowMs = 0;
  world.cluster.hesitates = false;
  world.cluster.onConfirmed = () => undefined;
  world.cluster.onPromoting = undefined;
  world.areFaultsOver = true;
  unite(world);
  for (const link of world.network.links) mend(link);
  allow(world);
  tidyUp(world);
}

/** The administrator removes keys that were written by hand and no lease will ever end, now and from time to time. */
function tidyUp(world: World): void {
  for (const { key, leaseId } of world.cluster.store.keys) {
    if (leaseId === ('0' as LeaseId)) command(world, { kind: 'delete', key, author: ADMINISTRATOR });
  }
  world.timeline.after(2_000, () => {
    tidyUp(world);
  });
}
