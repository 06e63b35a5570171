import { type PlannedMutation, TWO_HOLDERS } from './planned-mutation.ts';

/**
 * Faults that docs/safety.md assumes not to happen: each, made to happen, has to give two holders, or the assumption would
 * not be needed.
 */
export const ASSUMPTION_MUTATIONS: readonly PlannedMutation[] = [
  {
    name: 'assumption: no revoke of a lessor that does not lead is carried out',
    file: 'test/sim/checker.ts',
    find: `if (author.kind === 'administrator' || author.kind === 'staleExpiry') {
      claim`,
    replace: `if (author.kind === 'administrator') {
      claim`,
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'assumption: a renewal gives a lease all of its TTL, whatever a checkpoint has left of it',
    file: 'test/sim/world.ts',
    find: `checkpointMs: random.chance(0.9) ? Infinity : random.between(500, 3_000),`,
    replace: `checkpointMs: 1_000,`,
    also: [{ file: 'test/sim/lessor.ts', find: `present.remainingS = 0;`, replace: `` }],
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'assumption: etcd is not restored from a backup under a living holder',
    file: 'test/sim/checker.ts',
    find: `if (author.kind === 'restore') {
      claim`,
    replace: `if (author.kind === 'administrator') {
      claim`,
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'assumption: no server clock is fast by the margin',
    file: 'test/sim/cluster.ts',
    find: `const pace = 1 + random.between(-traits.drift, traits.drift);`,
    replace: `const pace = 5 / 6;`,
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'assumption: the address of a leader does not lead to the process of an old one',
    file: 'test/sim/etcd-server.ts',
    find: `    const target = node.leader;
`,
    replace: `    const target = cluster.nodes.find((other) => other.leads && other !== node.leader) ?? node.leader;
`,
    also: [
      {
        file: 'test/sim/etcd-server.ts',
        find: `    else if (node.reaches(target)) {
`,
        replace: `    else {
`,
      },
    ],
    within: 20_000,
    only: TWO_HOLDERS,
  },
  {
    name: 'assumption: a member that does not lead does not renew by its own lessor',
    file: 'test/sim/etcd-server.ts',
    find: `    if (!node.leads) {
      this.#forwardRenewal(`,
    replace: `    if (!node.leads && !node.lessor.isPrimary) {
      this.#forwardRenewal(`,
    within: 100_000,
    only: TWO_HOLDERS,
  },
];
