import { healAll, isSpread, plan, planAdded, planHardCase } from './faults.ts';
import type { Property, Violation } from './properties.ts';
import { World } from './world.ts';

export interface ScheduleResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly counts: ReadonlySet<string>;
  readonly history: readonly string[];
  readonly steps: number;
  readonly simulatedMs: number;
}

// After the faults: a leader, the longest lease from before in full, the lessor's own pace, and the next attempts of CTDB.
const LEASE_END_MS = 2_000;
const RETRIES_MS = 6_000 + 4_000;

// A process that was told to go is gone, with its release, within this.
const EXIT_MS = 2_300;

let current: World | undefined;

/** For the rejection of a promise that nobody listens to, which would end a real process. */
export function onUnhandled(error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  current?.checker.violated('a fault of the program', text);
}

/** One schedule from its seed: a cluster, contenders, faults; then healing, and everyone's end. */
export function runSchedule(seed: number, keepsHistory: boolean, only?: readonly Property[]): ScheduleResult {
  const world = new World(seed, keepsHistory, only);
  current = world;
  try {
    live(world);
  } catch (error) {
    onUnhandled(error);
  }
  return {
    seed,
    violation: world.violation,
    counts: world.counts,
    history: world.history.lines,
    steps: world.timeline.steps,
    simulatedMs: world.timeline.nowMs,
  };
}

function live(world: World): void {
  const { random, timeline, checker } = world;
  const isOver = (): boolean => world.violation !== undefined;
  const isHardCase = random.chance(isSpread(world) ? 0.5 : 0.12);
  const horizonMs = isHardCase ? 3_000 + 3 * world.grantedTtlMs : random.between(4_000, 16_000);

  for (const node of world.nodes)
    node.elect(random.chance(0.7) ? random.between(0, 300) : random.between(0, 5_000));
  if (isHardCase) planHardCase(world, random.between(300, 3_000));
  else {
    const faults = random.chance(0.08) ? 0 : random.integer(1, 5);
    for (let fault = 0; fault < faults; fault += 1) {
      plan(world, random.chance(0.3) ? random.between(0, 600) : random.between(0, horizonMs));
    }
  }
  planAdded(world, horizonMs);
  timeline.run(horizonMs, isOver);

  if (!isOver()) {
    world.onStart = () => undefined;
    world.onSend = () => undefined;
    healAll(world);
    const thawMs = 3 * world.grantedTtlMs; // the longest freeze, begun last
    const boundMs = world.electionLimitMs + world.longestLeaseMs + LEASE_END_MS + RETRIES_MS + thawMs;
    for (const node of world.nodes) node.elect(random.between(0, 5_000));
    let heldSinceMs = Infinity;
    timeline.run(timeline.nowMs + boundMs, () => {
      const { holder } = world;
      if (holder === undefined || holder.process.isFrozen) heldSinceMs = Infinity;
      else heldSinceMs = Math.min(heldSinceMs, timeline.nowMs);
      return isOver() || timeline.nowMs - heldSinceMs > 500;
    });
    if (!isOver() && heldSinceMs === Infinity && world.traits.balancing === 'none')
      checker.violated('nobody gets the lock', `${Math.round(boundMs)} ms after the faults`);
  }

  if (!isOver()) {
    world.isOpen = false;
    for (const node of world.nodes) node.endAll();
    // The longest freeze, and after it the longest hang of /proc/uptime.
    timeline.run(timeline.nowMs + EXIT_MS + 6 * world.grantedTtlMs, () => {
      return (
        isOver() ||
        world.contenders.every(({ process }) => process.state !== 'alive' && process.state !== 'ending')
      );
    });
    const late = world.contenders.find(({ process }) => process.state === 'alive');
    if (!isOver() && late !== undefined) checker.violated('the exit is late', `${late.name} is still there`);
  }

  if (!isOver()) {
    timeline.run(timeline.nowMs + 2 * world.longestLeaseMs + LEASE_END_MS, isOver);
    const { store } = world.cluster;
    if (!isOver() && (store.keys.length > 0 || store.leases.size > 0))
      checker.violated('something is left behind', `${store.keys.length} keys, ${store.leases.size} leases`);
  }
}
