import { waitFor } from '../../support/wait.ts';
import type { CtdbCluster } from './cluster.ts';
import { sendSignal } from './node.ts';
import type { CtdbNode } from './node.ts';

/** Something that takes the leadership away from a node. */
export interface LeaderEvent {
  readonly name: string;
  /** In tables and charts. */
  readonly title: string;
  /** Whether the node that led is out of the game until `undo`. */
  readonly losesNode: boolean;
  happen(leader: CtdbNode): unknown;
  /** Brings the node back; all nodes are OK some time after. */
  undo(leader: CtdbNode, ctdb: CtdbCluster): unknown;
}

/** Starts CTDB again once the last of it has ended. */
async function startAgain(node: CtdbNode): Promise<void> {
  await waitFor('nothing of CTDB is left on the node', () => node.processes().length === 0, {
    withinMs: 90_000,
    everyMs: 100,
  });
  await node.startCtdb();
}

const nothing = (): void => undefined;

/** All that the benchmark lets happen to a leader. */
export const LEADER_EVENTS: readonly LeaderEvent[] = [
  {
    name: 'helper',
    title: 'SIGKILL of the helper only',
    losesNode: false,
    happen: (leader) => {
      for (const { pid } of leader.helpers()) sendSignal(pid, 'SIGKILL');
    },
    undo: nothing,
  },
  {
    name: 'ctdbd',
    title: 'SIGKILL of ctdbd only',
    losesNode: true,
    happen: (leader) => {
      const daemon = leader.ctdbd();
      if (daemon === undefined) throw new Error('ctdbd does not run');
      sendSignal(daemon.pid, 'SIGKILL');
    },
    undo: startAgain,
  },
  {
    name: 'everything',
    title: 'SIGKILL of everything',
    losesNode: true,
    happen: (leader) => {
      leader.killEverything();
    },
    undo: startAgain,
  },
  {
    name: 'stop',
    title: 'ctdb stop',
    losesNode: true,
    happen: (leader) => leader.ctdb('stop'),
    undo: (leader) => leader.ctdb('continue'),
  },
  {
    name: 'ban',
    title: 'ctdb ban',
    losesNode: true,
    happen: (leader) => leader.ctdb('ban', '600'),
    undo: (leader) => leader.ctdb('unban'),
  },
  {
    name: 'shutdown',
    title: 'ctdb shutdown',
    losesNode: true,
    happen: (leader) => leader.ctdb('shutdown'),
    undo: startAgain,
  },
  {
    name: 'network',
    title: 'network of the node cut',
    losesNode: true,
    happen: (leader) => leader.cable.cut(),
    undo: (leader, ctdb) => ctdb.rejoin(leader),
  },
];

/** What became of one event. */
export interface HandOver {
  /** Seconds to the first "Took cluster lock"; undefined for none in time. */
  readonly tookS: number | undefined;
  /** Seconds until the nodes that are left are all OK; undefined for not in time. */
  readonly okS: number | undefined;
  /** What the event itself ended with, if not well. */
  readonly failure?: unknown;
}

/** Lets an event happen to the leader and measures what follows, for `limitMs` at most. Does not undo it. */
export async function handOver(
  ctdb: CtdbCluster,
  leader: CtdbNode,
  event: LeaderEvent,
  limitMs: number,
): Promise<HandOver> {
  const left = event.losesNode ? ctdb.others(leader) : ctdb.nodes;
  const marks = left.map((node) => node.log.end);
  const fromMs = Date.now();
  const timeLeftMs = (): number => Math.max(1, fromMs + limitMs - Date.now());
  // `ctdb ban` and its like wait until the cluster has agreed, which one without a leader never does.
  let failure: unknown;
  const happened = Promise.resolve(event.happen(leader)).catch((error: unknown) => {
    failure = error;
  });
  const took = waitFor(
    'a node takes the lock',
    () =>
      left
        .flatMap((node, index) => node.log.grep(/^Took cluster lock/, marks[index]))
        .map(({ atMs }) => atMs)
        .sort((a, b) => a - b)[0],
    { withinMs: limitMs, everyMs: 50 },
  ).catch(() => undefined);
  await happened;
  const tookAtMs = await took;
  if (tookAtMs === undefined) return { tookS: undefined, okS: undefined, failure };
  const isOk = await ctdb.allOk(left, { withinMs: timeLeftMs(), everyMs: 100 }).catch(() => undefined);
  return {
    tookS: (tookAtMs - fromMs) / 1000,
    okS: isOk === undefined ? undefined : (Date.now() - fromMs) / 1000,
    failure,
  };
}
