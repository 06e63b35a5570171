import type { Scenario } from './scenario.ts';
import { HELPER_SCENARIOS } from './scenarios-helper.ts';
import { LATENCY_SCENARIOS } from './scenarios-latency.ts';
import { LOG_SCENARIOS } from './scenarios-log.ts';
import { MEMBER_SCENARIOS } from './scenarios-members.ts';
import { NETWORK_SCENARIOS } from './scenarios-network.ts';
import { PROOF_SCENARIOS } from './scenarios-proof.ts';
import { STORE_SCENARIOS } from './scenarios-store.ts';

/** Every scenario, in the order of the report. */
export const SCENARIOS: readonly Scenario[] = [
  ...NETWORK_SCENARIOS,
  ...LATENCY_SCENARIOS,
  ...MEMBER_SCENARIOS,
  ...PROOF_SCENARIOS,
  ...LOG_SCENARIOS,
  ...STORE_SCENARIOS,
  ...HELPER_SCENARIOS,
];
