import type { Growth } from './growth.ts';
import type { HoldFigures } from './hold-phase.ts';
import type { Busyness } from './machine.ts';
import type { Sizes } from './sizes.ts';
import type { StartFigures } from './start-phase.ts';

/** What was measured of one contestant. */
export interface Measured {
  readonly id: string;
  readonly title: string;
  readonly colour: string;
  readonly canContend: boolean;
  readonly start: StartFigures;
  readonly hold: HoldFigures;
}

/** One run of the comparison. */
export interface Results {
  readonly startedAt: string;
  readonly machine: string;
  /** Whether all that was measured, etcd included, had real-time priority over everything else. */
  readonly isAhead: boolean;
  readonly rounds: number;
  readonly holders: number;
  readonly holdMinutes: number;
  readonly whileStarting: Busyness;
  readonly whileHolding: Busyness;
  readonly contestants: readonly Measured[];
  readonly growth: Growth;
  readonly sizes: Sizes;
}
