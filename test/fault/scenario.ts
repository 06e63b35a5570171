import type { Excuses } from './checker.ts';
import type { World, WorldOptions } from './world.ts';

/** One kind of fault and what has to come of it. */
export interface Scenario {
  readonly name: string;
  /** What must hold, for people; the code says the same to the machine. */
  readonly expectation: string;
  /** For how long two may claim the lock: only where docs/safety.md says that it cannot be prevented. 0 unless said otherwise. */
  readonly documentedOverlapMs?: number;
  /** What its world needs beside the usual. */
  readonly world?: Partial<Omit<WorldOptions, 'release' | 'program'>>;
  /**
   * Starts in a fresh world in which nobody contends yet. Problems are noted in the world; an exception is one too.
   * Whatever it leaves broken is mended by its end, because leftovers are looked for after it. Resolves to what excuses
   * losses, where that is more than the history's own excuses.
   */
  readonly run: (world: World) => Promise<Excuses | undefined> | Promise<void>;
}
