import { EXIT } from '../../src/lock/lifecycle.ts';
import type { KeyValue, LeaseId } from '../../src/cluster/member.ts';
import type { Claim } from './claim.ts';
import type { Audience, Contender } from './contender.ts';
import { Duties } from './duties.ts';
import type { Property, Violation } from './properties.ts';
import type { Traffic } from './sim-member.ts';
import type { SimProcess } from './sim-process.ts';
import type { Agreement, Author, Entry } from './store.ts';
import type { World } from './world.ts';

interface Presence {
  readonly key: string;
  readonly contender: Contender | undefined;
  readonly fromMs: number;
  untilMs: number;
  /** Somebody else has written to it since, so it may not be its holder's record any more. */
  isTouched: boolean;
}

// What must hold where each endpoint is a store of its own, which is refused sooner or later. A key of the same name can be in
// several of them, so that its end in one says nothing.
const MISCONFIGURED: readonly Property[] = [
  'two claims overlap',
  'a passed deadline moves',
  'a deadline is later than its lease allows',
  'more than one byte',
  'no byte',
  'the answer is late',
  'the exit is late',
  'a fault of the program',
];

// What timers and the ends of processes may add to a limit.
const SLACK_MS = 120;

const ANSWER_LIMIT_MS = 4_000;
const EXIT_LIMIT_MS = 2_000;

// A helper notices that its parent is gone within this, and then has its exit's time (docs/safety.md).
const ORPHAN_LIMIT_MS = 1_000;

// A take is three questions, of which one meets the members that do not answer; messages and commits can be late.
const TAKE_LIMIT_MS = 1_000;

// A contender that finds a holder alive answers within this, members that do not answer included.
const CONTENTION_LIMIT_MS = 1_600;

// The least jump of the wall clock that the helper takes seriously.
const WALL_JUMP_MS = 1_000;

// In a calm network a watch stands, if it broke, after CALM_MS, and tells of a deletion within WATCH_MS.
const CALM_MS = 2_000;
const WATCH_MS = 450;

// After a restore, claims are looked at this often; where every member answers at once, a renewal takes no longer than that.
const RESTORE_LOOK_MS = 200;
const PROOF_IN_CALM_MS = 300;

// Timers stand still in suspend, and are looked after within this (src/base/clock.ts).
const LATE_TIMERS_MS = 520;

/** Whether the watchdog must act; a pause that no clock of the machine noticed is beyond it. */
function isWatched({ watchdogProcess, process }: Contender): boolean {
  return watchdogProcess?.isWatching === true && !process.machine.wasPaused;
}

/** Watches the cluster, the contenders and CTDB's side of their pipes, and says so when a property does not hold. */
export class Checker implements Agreement, Audience, Traffic {
  readonly violations: Violation[] = [];
  readonly claims = new Map<Contender, Claim>();
  readonly #world: World;
  readonly #ownerOfLease = new Map<LeaseId, Contender>();
  readonly #presences: Presence[] = [];
  readonly #removedBy = new Map<string, Author>();
  readonly #committedGrants = new Map<LeaseId, number>();
  readonly #duties: Duties;

  readonly #only: readonly Property[] | undefined;

  constructor(world: World, only?: readonly Property[]) {
    this.#world = world;
    this.#only = only;
    this.#duties = new Duties(world, this.violated.bind(this));
  }

  violated(property: Property, text: string): void {
    if (this.#only?.includes(property) === false) return;
    if (this.#world.traits.isSplit && !MISCONFIGURED.includes(property)) return;
    this.#world.history.tell('CHECKER', () => `${property}: ${text}`);
    this.violations.push({ property, atMs: this.#world.timeline.nowMs, text });
  }

  onNewLease(contender: Contender, leaseId: LeaseId): void {
    this.#ownerOfLease.set(leaseId, contender);
  }

  // What the cluster agrees upon

  onCommit({ command, outcome, index, term }: Entry): void {
    const { history, timeline } = this.#world;
    if (command.kind === 'grant' && outcome.kind === 'done') {
      this.#committedGrants.set(command.leaseId, timeline.nowMs);
      const owner = this.#ownerOfLease.get(command.leaseId);
      if (owner !== undefined) this.#duties.onLateGrant(owner, command.leaseId, timeline.nowMs);
    }
    history.tell('etcd', () => {
      const about = 'leaseId' in command ? command.leaseId : 'key' in command ? command.key : '';
      const by =
        'author' in command
          ? ` by ${'name' in command.author ? command.author.name : command.author.kind}`
          : '';
      return `commits ${command.kind} ${about}${by}: ${outcome.kind} (index ${index}, term ${term})`;
    });
  }

  onPut({ key, leaseId }: KeyValue, author: Author): void {
    const world = this.#world;
    const contender = this.#ownerOfLease.get(leaseId);
    const present = this.#presences.find((each) => each.key === key && each.untilMs === Infinity);
    if (present === undefined)
      this.#presences.push({
        key,
        contender,
        fromMs: world.timeline.nowMs,
        untilMs: Infinity,
        // A backup can contain what an administrator had written over the holder's record.
        isTouched: this.#presences.some((each) => each.key === key && each.isTouched),
      });
    else if (author.kind !== 'contender' || author.name !== present.contender?.name) present.isTouched = true;
    if (author.kind !== 'contender' || contender === undefined) return;
    // What another store grants is no lock yet: it is compared with the others before it is claimed.
    if (world.traits.isSplit) return;
    for (const claim of this.claims.values()) {
      if (claim.contender !== contender && claim.excuse === undefined)
        this.violated(
          'two claims overlap',
          `${contender.name} is granted the lock that ${claim.contender.name} claims`,
        );
    }
  }

  onDelete({ key }: KeyValue, author: Author): void {
    const presence = this.#presences.find((each) => each.key === key && each.untilMs === Infinity);
    if (presence !== undefined) presence.untilMs = this.#world.timeline.nowMs;
    this.#removedBy.set(key, author);
    for (const claim of this.claims.values()) if (claim.key === key) this.#judgeLoss(claim, author);
  }

  // What contenders do

  onSend(process: SimProcess, what: string, leaseId: LeaseId | undefined): void {
    const { history } = this.#world;
    history.tell(process.label, () => `sends ${what}${leaseId === undefined ? '' : `, lease ${leaseId}`}`);
    this.#world.onSend(process, what);
    const sender = this.#world.contenders.find((each) => each.process === process);
    if (sender !== undefined) this.#duties.onSend(sender, what, leaseId);
    if (leaseId === undefined || !what.startsWith('revoke')) return;
    const owner = this.#ownerOfLease.get(leaseId);
    if (owner === undefined || owner.process === process) return;
    this.#world.count('neighbor reclaimed');
    const { state } = owner.process;
    if (state === 'alive' || state === 'ending')
      this.violated(
        'a living process loses its lease to a contender',
        `${process.label} revokes the lease of ${owner.name}, which is ${state}`,
      );
  }

  onGranted(leaseId: LeaseId): void {
    const owner = this.#ownerOfLease.get(leaseId);
    if (owner !== undefined) this.#duties.onGranted(owner, leaseId);
  }

  onByte(contender: Contender, byte: string): void {
    const world = this.#world;
    const { process, startedAtMs } = contender;
    const { nowMs } = world.timeline;
    if (contender.byte !== undefined)
      this.violated('more than one byte', `${contender.name} answers ${byte} as well`);
    const tookMs = nowMs - startedAtMs - process.frozenMs;
    const lateTimersMs = process.frozenMs > 0 ? LATE_TIMERS_MS : 0;
    if (tookMs > ANSWER_LIMIT_MS + lateTimersMs)
      this.violated('the answer is late', `${contender.name} answers after ${Math.round(tookMs)} ms`);
    world.count(`answered ${byte}`);
    if (byte === '0' && contender.sawDeadlinePass)
      this.violated('a lock is claimed after its deadline', contender.name);
    if (byte === '0') {
      this.#duties.onClaim(contender);
      this.#checkTake(contender);
      this.#openClaim(contender);
    }
    if (byte === '1') this.#checkContention(contender);
    // A lock is not claimed when more time may have passed during the take than its own clock shows.
    const wallGainMs = process.machine.wallOffsetMs - contender.wallOffsetAtStartMs;
    const wasWell = world.health.wasWell(process.machine, startedAtMs, nowMs);
    if (
      byte === '3' &&
      process.frozenMs === 0 &&
      wallGainMs < WALL_JUMP_MS &&
      wasWell &&
      !this.#wasRobbed(contender)
    )
      this.violated('an error is reported without need', `${contender.name}: ${contender.complaint}`);
  }

  onEndOfFile(contender: Contender): void {
    const { keys } = this.#world.cluster.store;
    // Its own transaction, delayed in the network, can put the key again after it was deleted.
    const wasDeleted = this.#presences.some(
      (each) => each.contender === contender && each.untilMs < Infinity,
    );
    contender.hadKeyAtEnd = !wasDeleted && keys.some(({ leaseId }) => contender.leases.includes(leaseId));
    this.claims.delete(contender);
    this.#duties.onEndOfFile(contender);
  }

  onExit(contender: Contender): void {
    this.claims.delete(contender);
    const world = this.#world;
    contender.endedAtMs = world.timeline.nowMs;
    const { process, terminatedAtMs, orphanedAtMs } = contender;
    const { nowMs } = world.timeline;
    if (process.exitStatus === undefined) return; // killed
    if (contender.byte === undefined && terminatedAtMs === undefined && orphanedAtMs === undefined)
      this.violated('no byte', `${contender.name} exits without an answer`);
    if (terminatedAtMs !== undefined) {
      const tookMs = nowMs - terminatedAtMs - (process.frozenMs - contender.frozenBeforeTerminationMs);
      const lateTimersMs = process.frozenMs > contender.frozenBeforeTerminationMs ? LATE_TIMERS_MS : 0;
      if (tookMs > EXIT_LIMIT_MS + lateTimersMs)
        this.violated('the exit is late', `${contender.name} exits ${Math.round(tookMs)} ms after SIGTERM`);
    }
    if (
      orphanedAtMs !== undefined &&
      process.frozenMs === 0 &&
      nowMs - orphanedAtMs > ORPHAN_LIMIT_MS + EXIT_LIMIT_MS
    )
      this.violated(
        'the exit is late',
        `${contender.name} outlives its parent by ${Math.round(nowMs - orphanedAtMs)} ms`,
      );
    if (process.exitStatus === EXIT.lost) this.#judgeReport(contender);
    if (process.exitStatus === EXIT.lost && contender.complaint.includes('did not confirm')) return;
    this.#duties.onExit(contender);
    this.#checkLeftovers(contender);
  }

  onThaw(contender: Contender): void {
    const claim = this.claims.get(contender);
    if (claim?.excuse !== 'frozen') return;
    const wakeUpMs = this.#world.wakeUpMs(contender.process.machine);
    this.#world.timeline.after(wakeUpMs, () => {
      if (this.claims.get(contender) === claim && !contender.process.isFrozen)
        this.violated('a loss is seen too late', `${contender.name} wakes up and goes on claiming`);
    });
  }

  onWatchdogKill(contender: Contender): void {
    const { process } = contender;
    const { nowMs } = this.#world.timeline;
    this.#world.count('killed by the watchdog');
    // Frozen just between its looks at the two clocks, a process tells the watchdog an instant that is too early.
    if (!process.isFrozen && nowMs - process.lastThawMs > this.#world.grantedTtlMs)
      this.violated('the watchdog kills a process that runs', contender.name);
  }

  onUnproven(contender: Contender): void {
    this.#duties.onUnproven(contender);
  }

  onDeadlineMoved(contender: Contender, fromMs: number, toMs: number, nowMs: number): void {
    this.#duties.onRenewed(contender, toMs);
    if (nowMs >= fromMs && toMs > fromMs)
      this.violated(
        'a passed deadline moves',
        `${contender.name} moves it ${Math.round(nowMs - fromMs)} ms after it passed`,
      );
  }

  // Judgements

  #openClaim(contender: Contender): void {
    const world = this.#world;
    const leaseId = contender.leases[contender.leases.length - 1] ?? '0';
    const presence = this.#presences.findLast((each) => each.contender === contender);
    const key = presence?.key ?? `(none, lease ${leaseId})`;
    const claim: Claim = { contender, key, openedMs: world.timeline.nowMs, excuse: undefined };
    this.claims.set(contender, claim);
    if (presence === undefined || presence.untilMs < Infinity) {
      const author = this.#removedBy.get(key);
      if (author === undefined)
        this.violated('a claim outlives its key', `${contender.name} never had a key`);
      else this.#judgeLoss(claim, author);
    }
    if (claim.excuse !== undefined) return;
    for (const other of this.claims.values()) {
      if (other !== claim && other.excuse === undefined)
        this.violated('two claims overlap', `${contender.name} claims what ${other.contender.name} claims`);
    }
  }

  /** The key of a claim that lives has been removed. */
  #judgeLoss(claim: Claim, author: Author): void {
    const world = this.#world;
    const { contender } = claim;
    const { process } = contender;
    const { timeline, timing } = world;
    const { nowMs } = timeline;
    if (author.kind === 'administrator' || author.kind === 'staleExpiry') {
      claim.excuse = author.kind;
      world.count(author.kind === 'administrator' ? 'lock taken by an administrator' : 'lease revoked early');
      this.#mustEndBy(claim, nowMs + world.grantedTtlMs + SLACK_MS);
      const lateAfter = (limitMs: number, isExpected: () => boolean): void => {
        timeline.after(limitMs, () => {
          if (this.claims.get(contender) !== claim || process.isKilledFromOutside) return;
          const stoodStill = process.isFrozen || process.lastThawMs >= nowMs;
          if (!stoodStill && isExpected())
            this.violated(
              'a loss is seen too late',
              `${contender.name} still claims after ${Math.round(limitMs)} ms`,
            );
        });
      };
      const soonMs = timing.refreshMs + world.proofMs;
      lateAfter(soonMs, () => world.health.wasWell(process.machine, nowMs, nowMs + soonMs));
      lateAfter(
        WATCH_MS,
        () =>
          claim.openedMs < nowMs - CALM_MS &&
          world.health.wasCalm(process.machine, nowMs - CALM_MS, nowMs + WATCH_MS),
      );
      return;
    }
    if (author.kind === 'restore') {
      claim.excuse = 'restored';
      world.count('lock not in the backup');
      this.#mustEndBy(claim, nowMs + world.grantedTtlMs + SLACK_MS);
      this.#mustSeeRestore(claim);
      return;
    }
    if (process.isKilledFromOutside) {
      claim.excuse = 'dying';
      return;
    }
    const excusedUntilMs = world.pauseExcuse(process);
    if (excusedUntilMs !== undefined) {
      claim.excuse = 'paused';
      this.#mustEndBy(claim, excusedUntilMs);
      return;
    }
    const isFrozen = process.isFrozen || process.lastThawMs === nowMs;
    if (isFrozen && !isWatched(contender)) {
      claim.excuse = 'frozen';
      world.count('frozen past its lease with nobody watching');
      if (!process.isFrozen) this.onThaw(contender);
      return;
    }
    this.violated(
      'a claim outlives its key',
      `${contender.name} still claims, but its key is gone by ${author.kind}`,
    );
  }

  /**
   * The next renewal finds out when all members answer; one that is silent may be of a store that has not gone back. Before that
   * renewal an attempt can be under way that gets no answer.
   */
  #mustSeeRestore(claim: Claim): void {
    const { timing, timeline, health } = this.#world;
    const { contender } = claim;
    const { process } = contender;
    const soonMs = timing.refreshMs + timing.attemptMs + PROOF_IN_CALM_MS;
    timeline.after(RESTORE_LOOK_MS, () => {
      if (this.claims.get(contender) !== claim || process.isKilledFromOutside) return;
      const fromMs = timeline.nowMs - soonMs;
      const isExpected =
        fromMs > this.#world.restoredAtMs &&
        !process.isFrozen &&
        process.lastThawMs < fromMs &&
        health.wasCalm(process.machine, fromMs, timeline.nowMs);
      if (isExpected) this.violated('a loss is seen too late', `${contender.name} claims on after a restore`);
      else this.#mustSeeRestore(claim);
    });
  }

  #mustEndBy(claim: Claim, byMs: number): void {
    const { contender } = claim;
    const { process } = contender;
    const world = this.#world;
    const fromMs = world.timeline.nowMs;
    world.timeline.at(byMs, () => {
      if (this.claims.get(contender) !== claim || process.isKilledFromOutside) return;
      // The backup can contain the key that was lost.
      if (world.restoredAtMs > fromMs) return;
      const justThawedMs = process.lastThawMs + LATE_TIMERS_MS;
      const excusedUntilMs = Math.max(world.pauseExcuse(process) ?? 0, justThawedMs);
      if (excusedUntilMs > byMs) this.#mustEndBy(claim, excusedUntilMs);
      else if (!process.isFrozen)
        this.violated('a loss is seen too late', `${contender.name} claims for longer than its lease`);
      else if (!isWatched(contender)) claim.excuse = 'frozen';
      else this.violated('a loss is seen too late', `${contender.name} is frozen, and the watchdog lets it`);
    });
  }

  /** Its key was taken away before it knew that it had one: what it says of the take then is as true as can be. */
  #wasRobbed(contender: Contender): boolean {
    return this.#presences.some((each) => {
      if (each.contender !== contender) return false;
      if (each.isTouched) return true;
      const author = this.#removedBy.get(each.key);
      return author?.kind === 'administrator' || author?.kind === 'staleExpiry' || author?.kind === 'restore';
    });
  }

  #checkTake(contender: Contender): void {
    const { health, timeline, timing, servers } = this.#world;
    const { process, startedAtMs } = contender;
    const { nowMs } = timeline;
    const wasFree = this.#presences.every(
      (each) => each.contender === contender || each.untilMs < startedAtMs,
    );
    if (!wasFree || process.frozenMs > 0 || !health.wasWell(process.machine, startedAtMs, nowMs)) return;
    const tookMs = nowMs - startedAtMs;
    if (tookMs > TAKE_LIMIT_MS + timing.hedgeDelayMs * (servers.length - 1))
      this.violated('a take is slow', `${contender.name} needs ${Math.round(tookMs)} ms`);
  }

  #checkContention(contender: Contender): void {
    const world = this.#world;
    const { process, startedAtMs } = contender;
    const { nowMs } = world.timeline;
    // A key of its own that somebody put again by hand is not its own any more.
    const others = this.#presences.filter(
      (each) => (each.contender !== contender || each.isTouched) && each.untilMs >= startedAtMs,
    );
    if (others.length === 0 && !world.counts.has('fault: member answers reads from the past'))
      this.violated('contention is reported that was none', contender.name);
    if (process.frozenMs > 0 || !world.health.wasWell(process.machine, startedAtMs, nowMs)) return;
    const present = others.find((each) => each.fromMs < startedAtMs && each.untilMs === Infinity);
    const holder = present?.contender;
    if (present === undefined || present.isTouched || holder === undefined) return;
    if (holder.endedAtMs !== undefined && holder.endedAtMs < startedAtMs) {
      if (holder.process.machine === process.machine && process.machine.proc.isOwn)
        this.violated(
          'a dead neighbor keeps the lock',
          `${contender.name} finds ${holder.name}, which is dead`,
        );
      return;
    }
    const tookMs = nowMs - startedAtMs;
    if (tookMs < CONTENTION_LIMIT_MS || holder.process.hasBeenFrozen || !this.claims.has(holder)) return;
    const fromMs = startedAtMs - world.grantedTtlMs;
    if (holder.process.machine.wasPaused || !world.health.wasWell(holder.process.machine, fromMs, nowMs))
      return;
    this.violated(
      'contention is reported late',
      `${contender.name} waits ${Math.round(tookMs)} ms for ${holder.name}`,
    );
  }

  /** It says that it has lost the lock; is that so, and did it have to come to that? */
  #judgeReport(contender: Contender): void {
    const world = this.#world;
    const { process } = contender;
    // It gives up a lock that it may still have, because the store has gone back.
    if (contender.startedAtMs < world.restoredAtMs) {
      world.count('loss reported after a restore');
      return;
    }
    if (contender.complaint.includes('did not confirm')) {
      world.count('deadline passed');
      const { deadlineMs, shortenedAtMs } = contender;
      if (deadlineMs === undefined) return;
      const { timing, timeline } = world;
      const countedTtlMs = Math.min(timing.ttlMs, world.grantedTtlMs);
      const sentMs = deadlineMs + timing.marginMs(countedTtlMs) - countedTtlMs;
      const fromLocalMs = Math.max(sentMs + timing.refreshMs, shortenedAtMs);
      const fromMs = Math.max(
        process.machine.instantOf(fromLocalMs),
        process.lastThawMs,
        contender.startedAtMs,
      );
      const wellMs = world.health.longestMs(process.machine, fromMs, timeline.nowMs);
      if (wellMs >= world.proofMs)
        this.violated(
          'the lock is lost without need',
          `etcd served ${contender.name} for ${Math.round(wellMs)} ms: ${contender.complaint}`,
        );
      return;
    }
    world.count('loss reported');
    // Who finds out that a balancer spreads its calls gives up a lock that it still has.
    if (world.traits.balancing !== 'none') return;
    if (contender.hadKeyAtEnd && contender.byte === '0')
      this.violated('a loss is reported that was none', `${contender.name}: ${contender.complaint}`);
  }

  /** What a process put into etcd is gone when it has exited, as far as etcd answered. */
  #checkLeftovers(contender: Contender): void {
    const world = this.#world;
    const { process } = contender;
    const { nowMs } = world.timeline;
    const { store } = world.cluster;
    const isWell =
      process.frozenMs === 0 && world.health.wasWell(process.machine, nowMs - EXIT_LIMIT_MS, nowMs);
    if (!isWell) return;
    for (const [leaseId, { author }] of store.leases) {
      if (author.kind !== 'contender' || author.name !== contender.name) continue;
      const hasKey = store.keys.some((key) => key.leaseId === leaseId);
      // A grant that was under way for longer than the release may take leaves a lease, without a key, for its TTL.
      const grantedMs = this.#committedGrants.get(leaseId) ?? 0;
      if (!hasKey && this.#duties.isLateGrant(contender, leaseId, grantedMs)) {
        this.#duties.onLateGrant(contender, leaseId, grantedMs);
        continue;
      }
      this.violated('something is left behind', `${contender.name} leaves ${hasKey ? 'its key' : 'a lease'}`);
    }
  }
}
