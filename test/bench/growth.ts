import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RUNTIME_FLAGS } from '../../packaging/build/flags.ts';
import type { Helper, MutexParent } from '../support/mutex-parent.ts';
import { helperEnvironment, startEtcd, writeConfig } from './contestants.ts';
import { countsOf } from './etcd-meter.ts';
import { footprintOf } from './process-figures.ts';
import { medianOf } from './samples.ts';
import type { Stage } from './stage.ts';

/** Ten times the usual pace. */
const REFRESH_S = 0.2;

// Until then pools fill and the code that holding needs is loaded.
const WARM_UP_SHARE = 0.2;

interface MemorySample {
  readonly atS: number;
  readonly rssKb: number;
  readonly privateDirtyKb: number;
}

interface HeapSample {
  readonly atS: number;
  /** Live objects: after a full garbage collection. */
  readonly heapKb: number;
  /** Outside V8's heap, kept by objects in it. */
  readonly externalKb: number;
}

/** How the memory of a holder went that renewed at ten times the usual pace. */
export interface Growth {
  readonly refreshS: number;
  /** Requests to etcd in that time, of both holders. */
  readonly requests: number;
  /** Of the packed binary. */
  readonly memory: readonly MemorySample[];
  /** Of the same program on the same runtime and options, with garbage collections on demand. */
  readonly heap: readonly HeapSample[];
}

/** How much more there is in the last third than in the one before; NaN for too few samples. */
export function growthOf<T extends { readonly atS: number }>(
  samples: readonly T[],
  pick: (sample: T) => number,
): number {
  const endS = samples.at(-1)?.atS ?? 0;
  const within = (from: number, to: number): number[] =>
    samples.filter(({ atS }) => atS >= from * endS && atS <= to * endS).map(pick);
  const middle = (1 + WARM_UP_SHARE) / 2;
  return medianOf(within(middle, 1)) - medianOf(within(WARM_UP_SHARE, middle));
}

async function hold(
  parent: MutexParent,
  stage: Stage,
  name: string,
  hosts: string,
  argv: readonly string[],
): Promise<Helper> {
  const base = writeConfig(stage, name, { hosts, netbios_name: name, refresh: REFRESH_S, lock_ttl: 9 });
  const [program = '', ...args] = argv;
  const helper = await parent.run({ program, args, env: helperEnvironment(base), root: stage.root });
  const answer = await helper.answer();
  if (answer !== '0') throw new Error(`The holder ${name} answered "${answer}": ${helper.stderr}`);
  return helper;
}

/** Holds for so long at ten times the usual pace of renewals. */
export async function runGrowth(
  stage: Stage,
  parent: MutexParent,
  forMs: number,
  everyMs: number,
): Promise<Growth> {
  await using etcd = await startEtcd();
  copyFileSync(
    fileURLToPath(new URL('heap-child.cjs', import.meta.url)),
    join(stage.files, 'heap-child.cjs'),
  );
  const packed = await hold(parent, stage, 'growth', etcd.hosts, ['/shared/dist/ctdb_etcd_lock']);
  const observed = await hold(parent, stage, 'heap', etcd.hosts, [
    ...['/shared/dist/bench/base', ...RUNTIME_FLAGS, '--expose-gc', '/shared/files/heap-child.cjs'],
    ...['/shared/dist/build/program.cjs', String(everyMs), '/shared/files/heap.jsonl'],
  ]);
  const before = await countsOf(etcd.member(0));
  const startedMs = performance.now();
  const memory: MemorySample[] = [];
  while (performance.now() - startedMs < forMs) {
    await delay(everyMs);
    for (const helper of [packed, observed]) {
      if (helper.endOfFileAtMs !== undefined) throw new Error(`A holder has ended: ${helper.stderr}`);
    }
    const { rssKb, privateDirtyKb } = footprintOf(packed.pid);
    memory.push({ atS: (performance.now() - startedMs) / 1_000, rssKb, privateDirtyKb });
  }
  const after = await countsOf(etcd.member(0));
  await packed.release();
  await observed.release();
  const notes = readFileSync(join(stage.files, 'heap.jsonl'), 'utf8').trimEnd().split('\n');
  return {
    refreshS: REFRESH_S,
    requests: after.requests - before.requests,
    memory,
    heap: notes.map((line) => JSON.parse(line) as HeapSample),
  };
}
