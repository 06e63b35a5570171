import { ASSUMPTION_MUTATIONS } from './assumption-mutations.ts';
import type { PlannedMutation } from './planned-mutation.ts';
import { RULE_MUTATIONS } from './rule-mutations.ts';

/** Each mistake that the simulation has to find. */
export const MUTATIONS: readonly PlannedMutation[] = [
  ...RULE_MUTATIONS,
  ...ASSUMPTION_MUTATIONS,
  // Renewals
  {
    name: 'the deadline is counted from the reply',
    file: 'src/lock/renewal.ts',
    find: `return { kind: 'proven', sentAtMs, ttlMs`,
    replace: `return { kind: 'proven', sentAtMs: clock.now(), ttlMs`,
    within: 20_000,
  },
  {
    name: 'the deadline is counted from the keepalive',
    file: 'src/lock/renewal.ts',
    find: `  const sentAtMs = clock.now();
  const confirmed = await member.confirmKey(held.key, held.createRevision, call);`,
    replace: `  const confirmed = await member.confirmKey(held.key, held.createRevision, call);
  const sentAtMs = clock.now();`,
    within: 20_000,
  },
  {
    name: 'the margin is zero',
    file: 'src/config/timing.ts',
    find: `  return Math.max(SMALLEST_MARGIN_MS, ttlMs * MARGIN_SHARE);`,
    replace: `  return ttlMs * 0;`,
    within: 20_000,
  },
  {
    name: 'the transaction is skipped',
    file: 'src/lock/renewal.ts',
    find: `  const confirmed = await member.confirmKey(held.key, held.createRevision, call);`,
    replace: `  const peeked = await member.keepAlive(held.leaseId, call);
  const confirmed = { ...peeked, found: { ...held, value: '', modRevision: 0n } };`,
    within: 20_000,
  },
  {
    name: 'the read is serializable',
    file: 'test/sim/etcd-server.ts',
    find: `    node.reads.ask({
      onReady: () => {
        const shown`,
    replace: `    (({ onReady }) => {
      onReady();
    })({
      onReady: () => {
        const shown`,
    within: 20_000,
  },
  {
    name: 'the key is not looked at, only that there is one',
    file: 'src/lock/renewal.ts',
    find: `if (found.createRevision !== held.createRevision || found.leaseId !== held.leaseId) {`,
    replace: `if (found.key !== held.key) {`,
    within: 5_000,
  },
  // The deadline
  {
    name: 'a deadline that has passed is moved',
    file: 'src/lock/deadline.ts',
    find: `    if (this.hasPassed()) return false;
    if (atMs`,
    replace: `    if (atMs`,
    within: 20_000,
  },
  {
    name: 'the deadline has no timer of its own',
    file: 'src/lock/deadline.ts',
    find: `    return this.#clock.at(this.#atMs, () => {`,
    replace: `    return this.#clock.at(this.#atMs + 3_600_000, () => {`,
    within: 20_000,
  },
  {
    name: 'the 0 is written without a look at the deadline',
    file: 'src/lock/lifecycle.ts',
    find: ` || deadline.hasPassed()) {`,
    replace: `) {`,
    within: 20_000,
  },
  {
    name: 'the deadline of a grant counts from its last send',
    file: 'src/lock/lease.ts',
    find: `this.#firstSentAtMs ??= this.#clock.now();`,
    replace: `this.#firstSentAtMs = this.#clock.now();`,
    within: 20_000,
  },
  {
    name: 'the deadline of a grant counts from its answer',
    file: 'src/lock/lease.ts',
    find: `    const sentAtMs = this.#firstSentAtMs ?? -Infinity;`,
    replace: `    const sentAtMs = this.#clock.now();`,
    within: 20_000,
  },
  {
    name: 'the wall clock is used',
    file: 'src/lock/deadline.ts',
    find: `nowMs >= this.#atMs) {`,
    replace: `this.#clock.wallNow() - 1_700_000_000_000 >= this.#atMs) {`,
    within: 20_000,
  },
  // Loss
  {
    name: 'a renewal that finds the key or the lease gone is tried again',
    file: 'src/lock/renewal-loop.ts',
    find: `        return renewal;
      } else if`,
    replace: `        nextMs = clock.now() + 100;
      } else if`,
    within: 20_000,
  },
  {
    name: 'what the watch reports is ignored',
    file: 'src/lock/loss-watch.ts',
    find: `        seen.deleted = true;
        finish();`,
    replace: ``,
    within: 20_000,
  },
  {
    name: 'the watch starts after the deletion',
    file: 'src/lock/loss-watch.ts',
    find: `proofs.provenRevision + 1n`,
    replace: `proofs.provenRevision + 1_000n`,
    within: 20_000,
  },
  {
    name: 'a watch that says nothing proves the lock',
    file: 'src/lock/hold.ts',
    find: `    await watchForLoss(held, renewals, tools, signal);`,
    replace: `    const stopBelieving = clock.every(500, () => {
      deadline.extendTo(clock.now() + timing.ttlMs - timing.marginMs(timing.ttlMs));
      tools.watchdog.feed(deadline.atMs + 200);
    });
    signal.addEventListener('abort', stopBelieving);
    await watchForLoss(held, renewals, tools, signal);`,
    within: 20_000,
  },
  {
    name: 'a refusal is taken for the loss',
    file: 'src/lock/renewal-loop.ts',
    find: `      if (error.kind === 'otherStore') return {`,
    replace: `      if (error.kind === 'otherStore' || error.kind === 'permission') return {`,
    within: 20_000,
  },
  {
    name: 'a TTL of 0 is believed to be the loss',
    file: 'src/lock/renewal.ts',
    find: `  const ttlMs = provenTtlMs(confirmed, renewed, member.endpoint);`,
    replace: `  if (renewed.ttlMs === 0) return { kind: 'keyLost', how: 'the lease is unknown' };
  const ttlMs = provenTtlMs(confirmed, renewed, member.endpoint);`,
    within: 50_000,
  },
  {
    name: 'silence is taken for the loss',
    file: 'src/lock/renewal.ts',
    find: `  const renewed = await member.keepAlive(held.leaseId, call);`,
    replace: `  const renewed = await member.keepAlive(held.leaseId, call).catch(() => undefined);
  if (renewed === undefined) return { kind: 'keyLost', how: 'no answer' };`,
    within: 20_000,
  },
  {
    name: 'a jump of the wall clock is ignored',
    file: 'src/lock/wall-clock-watch.ts',
    find: `return gainMs > JUMP_MS;`,
    replace: `return gainMs > JUMP_MS * Infinity;`,
    within: 100_000,
  },
  {
    name: 'a doubt about the clock does not cut the deadline short',
    file: 'src/lock/renewal-loop.ts',
    find: `    this.#deadline.shortenTo(this.#trustedFromMs + 2 * timing.attemptMs);`,
    replace: ``,
    within: 100_000,
  },
  // Freezes
  {
    name: 'the watchdog is not fed after a renewal',
    file: 'src/lock/renewal-loop.ts',
    find: `        this.#feedWatchdog();
        this.#provenRevision`,
    replace: `        this.#provenRevision`,
    within: 1_000,
  },
  {
    name: 'the watchdog is not fed before the 0',
    file: 'src/lock/renewal-loop.ts',
    find: `    this.#provenRevision = held.createRevision;
    this.#feedWatchdog();`,
    replace: `    this.#provenRevision = held.createRevision;`,
    within: 20_000,
  },
  {
    name: 'the watchdog is given a whole lease from the reply',
    file: 'src/lock/renewal-loop.ts',
    find: `feed(this.#deadline.atMs + WATCHDOG_GRACE_MS);`,
    replace: `feed(this.#tools.clock.now() + this.#tools.timing.ttlMs);`,
    within: 20_000,
  },
  {
    name: 'the watchdog is fed but not started',
    file: 'src/lock/watchdog.ts',
    find: `process?.write(`,
    replace: `if (limitMs < 0) process?.write(`,
    within: 20_000,
  },
  {
    name: 'the watchdog is armed for a lock that came too late',
    file: 'src/lock/lifecycle.ts',
    find: `const holding = deadline.hasPassed() ? undefined : hold(`,
    replace: `const holding = hold(`,
    within: 50_000,
  },
  {
    name: 'the clock stands still in suspend',
    file: 'test/sim/world.ts',
    find: `    this.count('machine suspended');`,
    replace: `    this.count('machine suspended');
    this.timeline.after(forMs - 0.001, () => {
      machine.missedMs += forMs;
    });`,
    within: 20_000,
  },
  // Unknown outcomes and what is left behind
  {
    name: 'a transaction whose answer is lost counts as failed, without a revoke',
    file: 'src/lock/lifecycle.ts',
    find: `      answerPipe.answer(ANSWER.error);
      await release.run(maySplit(result.error));
      return EXIT.failed;
    case 'contended':`,
    replace: `      answerPipe.answer(ANSWER.error);
      return EXIT.failed;
    case 'contended':`,
    within: 50_000,
  },
  {
    name: 'contention leaves the lease behind',
    file: 'src/lock/lifecycle.ts',
    find: `      await release.run();
      return EXIT.contended;`,
    replace: `      return EXIT.contended;`,
    within: 5_000,
  },
  {
    name: 'the release skips the revoke',
    file: 'src/lock/release.ts',
    find: `Promise.all(this.#sessions.map((session) => session.revoke(byMs, giveUp.signal, isSplit))),`,
    replace: `Promise.resolve(),`,
    within: 5_000,
  },
  {
    name: 'the lock is revoked while stdout is open',
    file: 'src/lock/release.ts',
    find: `    answerPipe.close(); // the claim ends before another helper can take the lock`,
    replace: ``,
    within: 5_000,
  },
  {
    name: 'a revoke that finds no lease is believed although a grant is on its way',
    file: 'src/lock/lease.ts',
    find: `      if (!this.#mayYetArrive()) return true;`,
    replace: `      if (byMs > 0) return true;`,
    within: 100_000,
  },
  {
    name: 'a contender that is not wanted any more goes on',
    file: 'src/cluster/question.ts',
    find: `if (signal?.aborted === true) {`,
    replace: `if (signal?.aborted === true && byMs < 0) {`,
    within: 20_000,
  },
  {
    name: 'a hedge grants a second lease',
    file: 'src/lock/lease.ts',
    find: `const grant = member.grant(this.leaseId, this.#timing.ttlMs, call);`,
    replace: `const second = (BigInt(this.leaseId) + 1n).toString() as LeaseId;
      const grant = member.grant(this.#openGrants.size > 0 ? second : this.leaseId, this.#timing.ttlMs, call);`,
    within: 20_000,
  },
  {
    name: 'a lease that exists already is an error',
    file: 'src/lock/lease.ts',
    find: `error.kind === 'leaseExists') {`,
    replace: `error.kind === 'stale') {`,
    within: 20_000,
  },
  {
    name: 'the own key in the else branch is taken for contention',
    file: 'src/lock/lock-key.ts',
    find: `if (oldest.key === place.key && oldest.leaseId === leaseId) {`,
    replace: `if (oldest.key === place.directory && oldest.leaseId === leaseId) {`,
    within: 20_000,
  },
  // Neighbors
  {
    name: 'a neighbor is reclaimed whatever its boot ID',
    file: 'src/process/linux-host.ts',
    find: `    other.bootId === self.bootId &&
`,
    replace: ``,
    within: 5_000,
  },
  {
    name: 'a neighbor is reclaimed whatever its pid namespace',
    file: 'src/process/linux-host.ts',
    find: `    other.namespaces === self.namespaces &&
`,
    replace: ``,
    within: 20_000,
  },
  {
    name: 'a /proc of another pid namespace is believed',
    file: 'src/process/procfs.ts',
    find: `const foreignBecause = whyForeign(pid, access);`,
    replace: `const foreignBecause = undefined;`,
    within: 20_000,
  },
  {
    name: 'a /proc of another pid namespace is believed where the pid is the same by chance',
    file: 'src/process/procfs.ts',
    find: `return pids.length === 1 ? undefined :`,
    replace: `return pids.length > 0 ? undefined :`,
    within: 20_000,
  },
  {
    name: 'the watchdog compares the start time in a /proc of another pid namespace',
    file: 'test/sim/contender.ts',
    find: `const comparesStart = foreignBecause === undefined;`,
    replace: `const comparesStart = foreignBecause !== '';`,
    within: 20_000,
  },
  {
    name: 'an uptime that a program serves is believed',
    file: 'src/process/procfs.ts',
    find: `noUptimeBecause: whyNoUptime(access) };`,
    replace: `noUptimeBecause: undefined };`,
    within: 20_000,
  },
  {
    name: 'a store that has gone back is waited for',
    file: 'src/lock/endpoint-refusals.ts',
    find: `['wrongCluster', 'proxy', 'stale']`,
    replace: `['wrongCluster', 'proxy']`,
    within: 200_000,
  },
  {
    name: 'a zombie with threads that still hold its files is reclaimed',
    file: 'src/process/linux-host.ts',
    find: ` && stat.threads <= 1`,
    replace: ``,
    within: 20_000,
  },
  {
    name: 'start times are not compared',
    file: 'src/process/linux-host.ts',
    find: `    if (stat.startTicks !== other.startTicks) return true;`,
    replace: ``,
    within: 20_000,
  },
  {
    name: 'a dead neighbor is not reclaimed',
    file: 'src/lock/contention.ts',
    find: `    if (host.isDead(record.process)) {`,
    replace: `    if (host.isDead(record.process) && this.#giveUpMs < 0) {`,
    within: 5_000,
  },
  {
    name: 'every holder is waited for',
    file: 'src/lock/contention.ts',
    find: `  return sinceRenewalMs(left, record) >= Math.max(`,
    replace: `  return sinceRenewalMs(left, record) >= 0 * Math.max(`,
    within: 5_000,
  },
  // Members
  {
    name: 'the next member is asked only when the first has used up its time',
    file: 'src/cluster/question.ts',
    find: `this.#lastStartMs + this.#options.timing.hedgeDelayMs : nowMs;`,
    replace: `Infinity : nowMs;`,
    within: 50_000,
  },
  {
    name: 'a member without a leader speaks for the cluster',
    file: 'src/cluster/member-failures.ts',
    find: `    case 'noLeader':
    case 'stale':`,
    replace: `    case 'noLeader':
      return 'final';
    case 'stale':`,
    within: 50_000,
  },
  {
    name: 'a renewal that proves nothing ends the round',
    file: 'src/cluster/member-failures.ts',
    find: `    case 'unproven':
    case 'unknown':
      return 'askAgain';`,
    replace: `    case 'unknown':
      return 'askAgain';
    case 'unproven':
      return 'final';`,
    within: 50_000,
  },
  // Budgets
  {
    name: 'the answer takes its time',
    file: 'src/config/timing.ts',
    find: `const ANSWER_LIMIT_MS = 4_000;`,
    replace: `const ANSWER_LIMIT_MS = 9_000;`,
    within: 5_000,
  },
  {
    name: 'the release takes its time',
    file: 'src/config/timing.ts',
    find: `const RELEASE_LIMIT_MS = 2_000;`,
    replace: `const RELEASE_LIMIT_MS = 9_000;`,
    within: 20_000,
  },
  {
    name: 'the death of the parent is not noticed',
    file: 'src/lock/parent-watch.ts',
    find: `    return this.#host.parentPid() !== this.#parentPid;`,
    replace: `    return this.#host.parentPid() < 0;`,
    within: 5_000,
  },
];
