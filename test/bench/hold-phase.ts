import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from '../support/processes.ts';
import type { Helper, MutexParent } from '../support/mutex-parent.ts';
import { holdContestant, type Contestant } from './contestants.ts';
import { countsOf, type Counts } from './etcd-meter.ts';
import {
  familyFootprintOf,
  familyWorkOf,
  footprintOf,
  type Footprint,
  type Work,
} from './process-figures.ts';
import type { Stage } from './stage.ts';

/** What one contestant occupies, and does, while it holds its lock. */
export interface HoldFigures {
  /** Of the process itself, and with its watchdog where it has one; 10 s after the answer, one of each per holder. */
  readonly early: { readonly alone: Footprint; readonly family: Footprint }[];
  /** The same at the end. */
  late: { readonly alone: Footprint; readonly family: Footprint } | undefined;
  /** Each minute (`WINDOW_MS`), watchdog included. */
  readonly work: Work[];
  /** Each minute, of its etcd; empty without one. */
  readonly traffic: Counts[];
}

export const EARLY_MS = 10_000;
export const WINDOW_MS = 60_000;

interface Holding {
  readonly contestant: Contestant;
  readonly helper: Helper;
  readonly figures: HoldFigures;
}

function difference(after: Counts, before: Counts): Counts {
  return {
    requests: after.requests - before.requests,
    entries: after.entries - before.entries,
    keepAlives: after.keepAlives - before.keepAlives,
  };
}

const look = ({ pid }: Helper): { alone: Footprint; family: Footprint } => ({
  alone: footprintOf(pid),
  family: familyFootprintOf(pid),
});

export interface HoldPlan {
  /** How many holders of each are looked at after 10 s, one after the other; the last one holds on. */
  readonly holders: number;
  readonly windows: number;
  readonly windowMs: number;
}

/** All contestants hold at the same time, each in its own etcd. */
export async function runHoldPhase(
  stage: Stage,
  parent: MutexParent,
  contestants: readonly Contestant[],
  plan: HoldPlan,
  onStep: (text: string) => void,
): Promise<Map<string, HoldFigures>> {
  const all = new Map<string, HoldFigures>(
    contestants.map(({ id }) => [id, { early: [], late: undefined, work: [], traffic: [] }]),
  );
  for (let nth = 1; nth <= plan.holders; nth += 1) {
    const holdings = await startAll(stage, parent, contestants, all);
    await delay(EARLY_MS);
    for (const { helper, figures } of holdings) figures.early.push(look(helper));
    onStep(`holders ${nth} of ${plan.holders} looked at`);
    if (nth === plan.holders) await measureWindows(holdings, plan, onStep);
    for (const { helper } of holdings) await helper.release(30_000);
  }
  return all;
}

async function startAll(
  stage: Stage,
  parent: MutexParent,
  contestants: readonly Contestant[],
  all: ReadonlyMap<string, HoldFigures>,
): Promise<Holding[]> {
  const holdings: Holding[] = [];
  for (const contestant of contestants) {
    const helper = await holdContestant(parent, stage, contestant, 'free');
    const figures = all.get(contestant.id);
    if (figures !== undefined) holdings.push({ contestant, helper, figures });
  }
  return holdings;
}

interface Reading {
  readonly work: Work;
  readonly counts: Counts | undefined;
}

async function read({ contestant, helper }: Holding): Promise<Reading> {
  if (!isRunning(helper.pid))
    throw new Error(`${contestant.title} has ended with ${JSON.stringify(helper.exit)}: ${helper.stderr}`);
  const member = contestant.etcd?.member(0);
  return { work: familyWorkOf(helper.pid), counts: member && (await countsOf(member)) };
}

async function measureWindows(
  holdings: readonly Holding[],
  plan: HoldPlan,
  onStep: (text: string) => void,
): Promise<void> {
  let before = await Promise.all(holdings.map(read));
  for (let window = 1; window <= plan.windows; window += 1) {
    await delay(plan.windowMs);
    const after = await Promise.all(holdings.map(read));
    for (const [index, { figures }] of holdings.entries()) {
      const [first, last] = [before[index], after[index]];
      if (first === undefined || last === undefined) continue;
      figures.work.push({
        cpuMs: last.work.cpuMs - first.work.cpuMs,
        contextSwitches: last.work.contextSwitches - first.work.contextSwitches,
      });
      if (first.counts !== undefined && last.counts !== undefined)
        figures.traffic.push(difference(last.counts, first.counts));
    }
    before = after;
    onStep(`window ${window} of ${plan.windows}`);
  }
  for (const { helper, figures } of holdings) figures.late = look(helper);
}
