import type { Mutation } from './hooks.ts';

/** A mistake that somebody could make, and within how many schedules the simulation has to find it. */
export interface PlannedMutation extends Mutation {
  readonly within: number;
}

const LOOSE_READ = `    if (this.#isRefused(reply)) return;
    const { node } = this;
    this.#confirmIndex(READ_TRIES, reply, (index) => {
      node.whenApplied(index, () => {
        reply.answer({ header: node.header(), oldest: select(node.store.keysAt(node.applied)) ?? null });
      });
    });`;

export const MUTATIONS: readonly PlannedMutation[] = [
  // Renewals
  {
    name: 'the deadline is counted from the reply',
    file: 'src/renewal.ts',
    find: `return { kind: 'proven', sentAtMs, ttlMs`,
    replace: `return { kind: 'proven', sentAtMs: clock.now(), ttlMs`,
    within: 20_000,
  },
  {
    name: 'the deadline is counted from the answer to the keepalive',
    file: 'src/renewal.ts',
    find: `  const sentAtMs = clock.now();
  const renewed = await member.keepAlive(held.leaseId, call);`,
    replace: `  const renewed = await member.keepAlive(held.leaseId, call);
  const sentAtMs = clock.now();`,
    within: 20_000,
  },
  {
    name: 'the margin is zero',
    file: 'src/timing.ts',
    find: `  return Math.max(SMALLEST_MARGIN_MS, ttlMs * MARGIN_SHARE);`,
    replace: `  return ttlMs * 0;`,
    within: 20_000,
  },
  {
    name: 'the read is skipped',
    file: 'src/renewal.ts',
    find: `const read = await member.readKey(held.key, call);`,
    replace: `const read = { header: renewed.header, oldest: { ...held, value: '', modRevision: 0n } };`,
    within: 20_000,
  },
  {
    name: 'the read is serializable',
    file: 'test/sim/etcd-server.ts',
    find: LOOSE_READ,
    replace: `    const { node } = this;
    reply.answer({ header: node.header(), oldest: select(node.store.keysAt(node.applied)) ?? null });`,
    within: 20_000,
  },
  {
    name: 'the read is sent together with the keepalive',
    file: 'src/renewal.ts',
    find: `  const renewed = await member.keepAlive(held.leaseId, call);
  const read = await member.readKey(held.key, call);`,
    replace: `  const [renewed, read] = await Promise.all([member.keepAlive(held.leaseId, call), member.readKey(held.key, call)]);`,
    within: 50_000,
  },
  {
    name: 'the raft terms are not compared',
    file: 'src/renewal.ts',
    find: `if (renewed.header.raftTerm !== read.header.raftTerm) {`,
    replace: `if (renewed.header.raftTerm > read.header.raftTerm) {`,
    within: 50_000,
  },
  {
    name: 'a TTL of 0 counts as renewed',
    file: 'src/renewal.ts',
    find: `  if (renewed.ttlMs <= 0) {`,
    replace: `  if (renewed.ttlMs <= 0) renewed.ttlMs = 4_000;
  if (renewed.ttlMs < 0) {`,
    within: 20_000,
  },
  {
    name: 'a TTL of 0 is believed to be the loss',
    file: 'src/renewal.ts',
    find: `  const read = await member.readKey(held.key, call);`,
    replace: `  if (renewed.ttlMs <= 0) return { kind: 'leaseLost', how: 'the lease is unknown' };
  const read = await member.readKey(held.key, call);`,
    within: 20_000,
  },
  {
    name: 'the key is not looked at, only that there is one',
    file: 'src/renewal.ts',
    find: `if (found.createRevision !== held.createRevision || found.leaseId !== held.leaseId) {`,
    replace: `if (found.key !== held.key) {`,
    within: 50_000,
  },
  // The deadline
  {
    name: 'a deadline that has passed is moved',
    file: 'src/deadline.ts',
    find: `    if (this.hasPassed()) return false;
    if (atMs`,
    replace: `    if (atMs`,
    within: 20_000,
  },
  {
    name: 'the deadline has no timer of its own',
    file: 'src/deadline.ts',
    find: `    return this.#clock.at(this.#atMs, () => {`,
    replace: `    return this.#clock.at(this.#atMs + 3_600_000, () => {`,
    within: 20_000,
  },
  {
    name: 'the 0 is written without a look at the deadline',
    file: 'src/lifecycle.ts',
    find: `if (holding === undefined || deadline.hasPassed()) {`,
    replace: `if (holding === undefined) {`,
    within: 50_000,
  },
  {
    name: 'the deadline of a grant counts from its last send',
    file: 'src/session.ts',
    find: `this.#firstSentAtMs ??= this.#clock.now();`,
    replace: `this.#firstSentAtMs = this.#clock.now();`,
    within: 20_000,
  },
  {
    name: 'the deadline of a grant counts from its answer',
    file: 'src/session.ts',
    find: `    const sentAtMs = this.#firstSentAtMs ?? -Infinity;`,
    replace: `    const sentAtMs = this.#clock.now();`,
    within: 20_000,
  },
  {
    name: 'the wall clock is used',
    file: 'src/deadline.ts',
    find: `this.#clock.now() >= this.#atMs) {`,
    replace: `this.#clock.wallNow() - 1_700_000_000_000 >= this.#atMs) {`,
    within: 20_000,
  },
  // Loss
  {
    name: 'the deletion that the watch reports is ignored, and so is the key that is gone',
    file: 'src/renewals.ts',
    find: `      } else if (renewal.kind !== 'proven') {
        return renewal;`,
    replace: `      } else if (renewal.kind !== 'proven') {
        nextMs = clock.now() + 100;`,
    within: 20_000,
  },
  {
    name: 'a watch that says nothing proves the lock',
    file: 'src/loss-watch.ts',
    find: `  while (!signal.aborted && members.preferred === member) {`,
    replace: `  while (!signal.aborted && members.preferred === member) {
    proved();`,
    within: 20_000,
  },
  // Unknown outcomes and what is left behind
  {
    name: 'a transaction whose answer is lost counts as failed, without a revoke',
    file: 'src/lifecycle.ts',
    find: `        log.error(\`Cannot take the cluster lock: \${textOf(answer.error)}\`);
        status.answer(STATUS.error);
        await letGo();`,
    replace: `        log.error(\`Cannot take the cluster lock: \${textOf(answer.error)}\`);
        status.answer(STATUS.error);`,
    within: 50_000,
  },
];
