import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { Bed } from './support/bed.ts';
import { claimsOf, overlaps, pauses } from './support/claims.ts';
import type { Death } from './support/claims.ts';
import { SOAK_ACTIONS } from './support/soak-actions.ts';

// Lets random things happen to a CTDB cluster and its etcd for as long as told, and looks whether there ever were two
// leaders, a pause or a ban that nothing explains, or a holder that grows.

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    logs: { type: 'string', default: join(tmpdir(), 'ctdb-soak') },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log('Usage: npm run soak:ctdb -- [--minutes N] [--seed N] [--logs DIR]');
  process.exit(0);
}
const minutes = Number(values.minutes);
const startMs = Date.now();
const endMs = startMs + minutes * 60_000;

// Half of each period spares the leader, so that one holder lives long enough for its memory to be looked at.
const PERIOD_MS = Math.max(10, minutes / 3) * 60_000;
const isCalm = (): boolean => minutes >= 10 && (Date.now() - startMs) % PERIOD_MS < PERIOD_MS / 2;

// After what its cause allows, a pause is CTDB's own: finding out (35 s for a lost host) and electing.
const LONGEST_PAUSE_MS = 60_000;

// How long after something has happened, a pause may still begin because of it.
const AFTERMATH_MS = 20_000;

// mulberry32: small, good enough to choose actions, and repeatable.
let state = Number(values.seed);
function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}

interface Deed {
  readonly name: string;
  readonly moves: boolean;
  /** The node that CTDB may make ban itself because of it. */
  readonly isolated: number | undefined;
  readonly fromMs: number;
  toMs: number;
}

interface Size {
  readonly atMs: number;
  readonly dirtyKb: number;
  readonly files: number;
}

const faults: string[] = [];
const deeds: Deed[] = [];
const deaths: Death[] = [];
const sizes = new Map<number, Size[]>();

const clock = (atMs: number): string => `${((atMs - startMs) / 1000).toFixed(1)} s`;

/** Memory that is the holder's own, and its descriptors; undefined when it has just ended. */
function sizeOf(pid: number): Size | undefined {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return {
      atMs: Date.now(),
      dirtyKb: Number(/^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1]),
      files: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return undefined;
  }
}

await using bed = await Bed.make();
const { ctdb } = bed;
console.log(`seed ${values.seed}, ${minutes} minutes`);

const ended = new AbortController();
const sampling = (async (): Promise<void> => {
  while (!ended.signal.aborted) {
    for (const node of ctdb.nodes) {
      const pid = node.holder()?.pid;
      const size = pid === undefined ? undefined : sizeOf(pid);
      if (pid !== undefined && size !== undefined) sizes.set(pid, [...(sizes.get(pid) ?? []), size]);
    }
    await delay(5_000, undefined, { signal: ended.signal }).catch(() => undefined);
  }
})();

while (Date.now() < endMs) {
  const leader = await ctdb.allOk().catch(() => undefined);
  if (leader === undefined) {
    faults.push(`the cluster did not come back within 120 s after "${deeds.at(-1)?.name ?? 'its start'}"`);
    break;
  }
  await delay(500 + random(4_000));
  const others = ctdb.others(leader);
  const other = others[random(others.length)];
  const choice = SOAK_ACTIONS.filter(({ moves }) => !(moves && isCalm()));
  const action = choice[random(choice.length)];
  if (action === undefined || other === undefined) throw new Error('Nothing to do');
  const deed: Deed = {
    name: action.name,
    moves: action.moves,
    isolated: action.isolates === true ? leader.pnn : undefined,
    fromMs: Date.now(),
    toMs: Infinity,
  };
  deeds.push(deed);
  console.log(`${clock(deed.fromMs)}: node ${leader.pnn} leads; ${action.name}`);
  try {
    await action.run({ bed, leader, other, random, deaths });
  } catch (error) {
    console.log(`  ${error instanceof Error ? error.message : String(error)}`);
  }
  deed.toMs = Date.now();
}
await ctdb.allOk().catch(() => undefined);
ended.abort();
await sampling;

const claims = claimsOf(ctdb.nodes, deaths);
for (const [first, second] of overlaps(claims)) {
  faults.push(
    `node ${second.pnn} took the lock at ${clock(second.fromMs)}, while node ${first.pnn} had it until ${clock(first.toMs)}`,
  );
}
const gaps = pauses(claims);
for (const { fromMs, toMs } of gaps) {
  const cause = deeds.find(
    (deed) => deed.moves && deed.fromMs <= fromMs + 50 && fromMs <= deed.toMs + AFTERMATH_MS,
  );
  const pause = `pause of ${((toMs - fromMs) / 1000).toFixed(1)} s at ${clock(fromMs)}`;
  if (cause === undefined) {
    const last = deeds.findLast((deed) => deed.fromMs <= fromMs);
    faults.push(`${pause} that nothing explains; last came "${last?.name ?? 'nothing'}"`);
  } else if (toMs - Math.max(fromMs, Math.min(cause.toMs, toMs)) > LONGEST_PAUSE_MS) {
    faults.push(`${pause} after "${cause.name}" is too long`);
  }
}
for (const node of ctdb.nodes) {
  // An administrator's ban is logged by ctdbd alone; this is recoverd's own.
  for (const { atMs, text } of node.log.grep(/^Banning node \d/)) {
    const isCaused = deeds.some(
      ({ isolated, fromMs, toMs }) =>
        isolated === node.pnn &&
        text.startsWith(`Banning node ${node.pnn} `) &&
        fromMs < atMs &&
        atMs < toMs + AFTERMATH_MS,
    );
    if (!isCaused) faults.push(`node ${node.pnn} at ${clock(atMs)}: ${text}`);
  }
}
let growth = '';
for (const [pid, all] of sizes) {
  // The first minute is start-up: first calls, first collections.
  const settled = all.filter(({ atMs }) => atMs > (all[0]?.atMs ?? 0) + 60_000);
  const [first, last] = [settled[0], settled.at(-1)];
  if (first === undefined || last === undefined || last.atMs - first.atMs < 120_000) continue;
  const lived = ((last.atMs - first.atMs) / 60_000).toFixed(1);
  growth += `  holder ${pid}: ${first.dirtyKb} kB and ${first.files} files, ${lived} minutes later ${last.dirtyKb} kB and ${last.files} files\n`;
  if (last.dirtyKb - first.dirtyKb > 4_096)
    faults.push(`holder ${pid} grew from ${first.dirtyKb} to ${last.dirtyKb} kB`);
  // One connection to a member may just be made or closed.
  if (last.files - first.files > 3) faults.push(`holder ${pid} had ${first.files} files, then ${last.files}`);
}
const lengths = gaps.map(({ fromMs, toMs }) => (toMs - fromMs) / 1000).sort((a, b) => a - b);
const [median = 0, longest = 0] = [lengths[lengths.length >> 1], lengths.at(-1)];
console.log(`${deeds.length} actions, ${claims.length} claims, ${gaps.length} pauses`);
console.log(`pauses: median ${median.toFixed(2)} s, longest ${longest.toFixed(2)} s`);
console.log(`holders that lived for three minutes and more:\n${growth === '' ? '  none\n' : growth}`);
console.log(faults.length === 0 ? 'no faults' : `FAULTS:\n${faults.join('\n')}`);
if (faults.length > 0) {
  await mkdir(values.logs, { recursive: true });
  for (const { pnn, log } of ctdb.nodes) await copyFile(log.file, join(values.logs, `node${pnn}.log`));
  console.log(`start was ${new Date(startMs).toISOString()}; CTDB's logs are in ${values.logs}`);
}
process.exitCode = faults.length === 0 ? 0 : 1;
