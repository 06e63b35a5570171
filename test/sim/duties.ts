import type { LeaseId } from '../../src/cluster/member.ts';
import type { Contender } from './contender.ts';
import type { Property } from './properties.ts';
import type { World } from './world.ts';

/** What one contender has asked of etcd so far. Instants are the timeline's, local ones its own clock's. */
interface Asked {
  readonly firstGrantLocalMs: Map<LeaseId, number>;
  readonly lastGrantMs: Map<LeaseId, number>;
  /** The grant before the last one, of the same lease. */
  readonly earlierGrantMs: Map<LeaseId, number>;
  readonly lastRevokeMs: Map<LeaseId, number>;
  /** Those of which a grant was answered. */
  readonly granted: Set<LeaseId>;
  renewalMs: number;
  renewalLocalMs: number;
  /** Those that a renewal was proven for. */
  readonly provenLeases: Set<LeaseId>;
  /** When its deadline was last moved ahead. */
  provenMs: number;
  /** When it began to let go. */
  closedMs: number;
  /** It has exited, and what it had asked for it was to take back. */
  hasLetGo: boolean;
}

// What the arithmetic of clocks that drift may add, milliseconds.
const ROUNDING_MS = 0.01;

// A renewal that proved nothing is sent again after the retry delay of 100 ms at the latest, and timers come late.
const REPEAT_LIMIT_MS = 250;

// The end of a release that used all of its time.
const RELEASE_END_MS = 60;

// The last revoke for which there was time to be answered was sent before such an end by no more than this.
const LAST_LOOK_MS = 250;

/** Watches what contenders send, and what they owe to what they have sent. */
export class Duties {
  readonly #world: World;
  readonly #violated: (property: Property, text: string) => void;
  readonly #asked = new Map<Contender, Asked>();

  constructor(world: World, violated: (property: Property, text: string) => void) {
    this.#world = world;
    this.#violated = violated;
  }

  onSend(contender: Contender, what: string, leaseId: LeaseId | undefined): void {
    const asked = this.#of(contender);
    const { nowMs } = this.#world.timeline;
    const localMs = contender.process.machine.localMs(nowMs);
    const isGrant = what.startsWith('grant');
    if (contender.knowsItIsUnwanted && (isGrant || what.startsWith('lock')))
      this.#violated('a contender goes on after SIGTERM', `${contender.name} sends ${what}`);
    if (what.startsWith('confirmKey') || what.startsWith('lock')) {
      asked.renewalMs = nowMs;
      asked.renewalLocalMs = localMs;
    }
    if (leaseId === undefined) return;
    if (isGrant) {
      if (!asked.firstGrantLocalMs.has(leaseId)) asked.firstGrantLocalMs.set(leaseId, localMs);
      asked.earlierGrantMs.set(leaseId, asked.lastGrantMs.get(leaseId) ?? -Infinity);
      asked.lastGrantMs.set(leaseId, nowMs);
    }
    if (what.startsWith('revoke')) asked.lastRevokeMs.set(leaseId, nowMs);
  }

  /** A grant has been answered with what means that the lease is there. */
  onGranted(contender: Contender, leaseId: LeaseId): void {
    this.#of(contender).granted.add(leaseId);
  }

  /** The lock is claimed until this deadline, by what the grant of its lease allows, or the renewal before the `0`. */
  onClaim(contender: Contender): void {
    const { firstGrantLocalMs, renewalLocalMs, provenLeases } = this.#of(contender);
    const [leaseId, grantedLocalMs] = [...firstGrantLocalMs].at(-1) ?? [];
    const isProven = leaseId !== undefined && provenLeases.has(leaseId);
    const sentLocalMs = isProven ? renewalLocalMs : (grantedLocalMs ?? -Infinity);
    this.#judgeDeadline(contender, contender.knownDeadlineMs, sentLocalMs);
  }

  /** A renewal that was believed has moved the deadline. */
  onRenewed(contender: Contender, deadlineMs: number): void {
    const asked = this.#of(contender);
    asked.provenMs = this.#world.timeline.nowMs;
    const leaseId = [...asked.firstGrantLocalMs.keys()].at(-1);
    if (leaseId !== undefined) asked.provenLeases.add(leaseId);
    this.#judgeDeadline(contender, deadlineMs, asked.renewalLocalMs);
  }

  /** One member has answered a renewal with what proves nothing. */
  onUnproven(contender: Contender): void {
    const { timeline } = this.#world;
    const heardMs = timeline.nowMs;
    const { process } = contender;
    const { frozenMs } = process;
    timeline.after(REPEAT_LIMIT_MS, () => {
      const { renewalMs, provenMs } = this.#of(contender);
      const isOver = !contender.isOpen || process.state !== 'alive' || process.machine.wasPaused;
      if (isOver || process.isFrozen || process.frozenMs > frozenMs) return;
      if (renewalMs < heardMs && provenMs < heardMs)
        this.#violated(
          'a renewal that proved nothing is not repeated at once',
          `${contender.name} does not for ${REPEAT_LIMIT_MS} ms`,
        );
    });
  }

  onEndOfFile(contender: Contender): void {
    const asked = this.#of(contender);
    asked.closedMs = Math.min(asked.closedMs, this.#world.timeline.nowMs);
  }

  /** It has exited by itself, and not because its deadline had passed. */
  onExit(contender: Contender): void {
    const asked = this.#of(contender);
    const { lastGrantMs, lastRevokeMs } = asked;
    asked.hasLetGo = true;
    if (contender.process.hasBeenFrozen) return;
    for (const [leaseId, grantMs] of lastGrantMs) {
      if ((lastRevokeMs.get(leaseId) ?? -Infinity) < grantMs)
        this.#violated('who lets go does not say so', `${contender.name} never revokes lease ${leaseId}`);
    }
  }

  /** Whether the lease was granted after the last revoke of it for which its sender, who has exited, had time. */
  isLateGrant(contender: Contender, leaseId: LeaseId, grantedMs: number): boolean {
    const { endedAtMs = Infinity } = contender;
    if (this.#usedItsTime(contender) && endedAtMs - grantedMs < LAST_LOOK_MS) return true;
    return grantedMs > (this.#of(contender).lastRevokeMs.get(leaseId) ?? Infinity);
  }

  /** A grant has arrived that its sender, who has exited, does not look for any more. */
  onLateGrant(contender: Contender, leaseId: LeaseId, grantedMs: number): void {
    const { timing, counts } = this.#world;
    const { process, endedAtMs } = contender;
    // Its answers were refused, as they come from several members on one connection. So are those to its revokes.
    const isBalanced = this.#world.traits.balancing !== 'none';
    const isExcused = process.hasBeenFrozen || isBalanced || counts.has('fault: permission denied');
    const { closedMs, earlierGrantMs, granted, hasLetGo } = this.#of(contender);
    if (endedAtMs === undefined || !hasLetGo || isExcused) return;
    // One of several was answered; the others are waited for as long as an attempt takes since they were called back.
    const sentMs = earlierGrantMs.get(leaseId) ?? -Infinity;
    const isAwaited = !granted.has(leaseId) || grantedMs < sentMs + timing.attemptMs;
    if (!this.#usedItsTime(contender) && isAwaited)
      this.#violated(
        'something is left behind',
        `${contender.name} has gone ${Math.round(endedAtMs - closedMs)} ms after it let go, and its grant arrives`,
      );
    else this.#world.count('grant arrives when nobody can wait for it any more');
  }

  #usedItsTime(contender: Contender): boolean {
    const { closedMs } = this.#of(contender);
    return (contender.endedAtMs ?? -Infinity) - closedMs >= this.#world.timing.releaseMs - RELEASE_END_MS;
  }

  #judgeDeadline(contender: Contender, deadlineMs: number, sentLocalMs: number): void {
    const { timing, grantedTtlMs } = this.#world;
    const countedTtlMs = Math.min(timing.ttlMs, grantedTtlMs);
    const latestMs = sentLocalMs + countedTtlMs - timing.marginMs(countedTtlMs);
    if (deadlineMs > latestMs + ROUNDING_MS)
      this.#violated(
        'a deadline is later than its lease allows',
        `${contender.name} claims for ${(deadlineMs - latestMs).toFixed(2)} ms more`,
      );
  }

  #of(contender: Contender): Asked {
    let asked = this.#asked.get(contender);
    if (asked === undefined) {
      asked = {
        firstGrantLocalMs: new Map(),
        lastGrantMs: new Map(),
        earlierGrantMs: new Map(),
        lastRevokeMs: new Map(),
        granted: new Set(),
        provenLeases: new Set(),
        renewalMs: -Infinity,
        renewalLocalMs: -Infinity,
        provenMs: -Infinity,
        closedMs: Infinity,
        hasLetGo: false,
      };
      this.#asked.set(contender, asked);
    }
    return asked;
  }
}
