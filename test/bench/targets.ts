import { growthOf } from './growth.ts';
import type { Measured, Results } from './results.ts';
import { medianOf } from './samples.ts';
import { megabytesOf } from './tables.ts';

/** One target and what became of it. */
export interface Verdict {
  readonly name: string;
  /** Both with their unit. */
  readonly wanted: string;
  readonly found: string;
  readonly isMet: boolean;
}

/** In the memory of a process, the steps in which a heap grows and shrinks again are no growth; in its objects, a few are. */
const FLAT_MEMORY_KB = 1_024;
const FLAT_HEAP_KB = 64;

const MB = 1e6;

/** A ratio that must not exceed a limit. */
function ratio(name: string, value: number, reference: number, limit: number): Verdict {
  const found = value / reference;
  return { name, wanted: `≤ ${limit}×`, found: `${found.toFixed(2)}×`, isMet: found <= limit };
}

function most(name: string, value: number, limit: number, unit: string, digits = 0): Verdict {
  const text = (number: number): string => `${number.toFixed(digits)}${unit}`;
  return { name, wanted: `≤ ${text(limit)}`, found: text(value), isMet: value <= limit };
}

const startOf = ({ start }: Measured): number => medianOf(start.freeMs);

const memoryOf = ({ hold }: Measured, field: 'privateDirtyKb' | 'rssKb', of: 'alone' | 'family'): number =>
  medianOf(hold.early.map((footprints) => footprints[of][field]));

/** All targets for which the run has what it takes. */
export function judge(results: Results): Verdict[] {
  const find = (id: string): Measured | undefined => results.contestants.find((one) => one.id === id);
  const [ours, testparm, python, node] = ['ours', 'testparm', 'python', 'node'].map(find);
  const { growth, sizes } = results;
  const verdicts: Verdict[] = [];
  const add = (...more: Verdict[]): void => {
    verdicts.push(...more);
  };
  if (ours === undefined) return verdicts;
  const contendedMs = medianOf(ours.start.contendedMs);
  add(most('contended answer against the free one', contendedMs / startOf(ours), 1, '×', 2));
  if (python !== undefined) {
    add(
      ratio('exec to byte against the Python helper', startOf(ours), startOf(python), 0.28),
      ratio(
        'the same, name from testparm',
        testparm === undefined ? NaN : startOf(testparm),
        startOf(python),
        0.4,
      ),
      ratio(
        'Private_Dirty against the Python helper',
        memoryOf(ours, 'privateDirtyKb', 'alone'),
        memoryOf(python, 'privateDirtyKb', 'alone'),
        0.5,
      ),
      ratio(
        'the same, watchdog included',
        memoryOf(ours, 'privateDirtyKb', 'family'),
        memoryOf(python, 'privateDirtyKb', 'alone'),
        0.5,
      ),
      ratio(
        'processor time while holding against the Python helper, watchdog included',
        cpuOf(ours),
        cpuOf(python),
        1.45,
      ),
    );
  }
  if (node !== undefined) {
    add(
      ratio('exec to byte against the bare runtime', startOf(ours), startOf(node), 3),
      most(
        'RSS above the bare runtime',
        megabytesOf(memoryOf(ours, 'rssKb', 'alone') - memoryOf(node, 'rssKb', 'alone')),
        16,
        ' MB',
        1,
      ),
    );
  }
  add(
    most('threads', Math.max(...ours.hold.early.map(({ alone }) => alone.threads)), 8, ''),
    // A renewal is one transaction through the log.
    most(
      'raft entries while holding, for each request',
      ours.hold.traffic.reduce((sum, { entries }) => sum + entries, 0) /
        Math.max(
          1,
          ours.hold.traffic.reduce((sum, { requests }) => sum + requests, 0),
        ),
      1,
      '',
      2,
    ),
    // A count that is taken in the middle of a renewal of the holder is off by one.
    most('raft entries of a contended attempt', medianOf(ours.start.contendedEntries), 0, ''),
    most('keys that a contended attempt leaves', Math.max(0, ...ours.start.keysLeft), 0, ''),
    most('binary', sizes.binary / MB, 109, ' MB', 1),
  );
  if (sizes.deb !== undefined) add(most('.deb', sizes.deb / MB, 29, ' MB', 1));
  add(
    most(
      'live objects, growth at 10× the renewals',
      growthOf(growth.heap, (one) => one.heapKb + one.externalKb),
      FLAT_HEAP_KB,
      ' kB',
    ),
    most(
      'Private_Dirty, growth at 10× the renewals',
      growthOf(growth.memory, (one) => one.privateDirtyKb),
      FLAT_MEMORY_KB,
      ' kB',
    ),
  );
  return verdicts;
}

function cpuOf({ hold }: Measured): number {
  return medianOf(hold.work.map(({ cpuMs }) => cpuMs));
}
