import type { Mutation } from './hooks.ts';
import type { Property } from './properties.ts';

/** A mistake that somebody could make, and within how many schedules the simulation has to find it. */
export interface PlannedMutation extends Mutation {
  readonly within: number;
  /** The only properties that are looked at, where a weaker one would speak first; all of them when there is none. */
  readonly only?: readonly Property[];
}

/** Two holders, or one whose lock is free to be taken. */
export const TWO_HOLDERS: readonly Property[] = ['two claims overlap', 'a claim outlives its key'];
