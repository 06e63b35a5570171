import type { Scenario } from './scenario.ts';
import { NETWORK_SCENARIOS } from './scenarios-network.ts';

/** Every scenario, in the order of the report. */
export const SCENARIOS: readonly Scenario[] = [...NETWORK_SCENARIOS];
