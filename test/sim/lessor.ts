import type { LeaseId } from '../../src/cluster/member.ts';

// The lessor looks for ended leases this often (etcd, lease/lessor.go).
const EXPIRY_CHECK_MS = 500;

const FOREVER = Infinity;

interface Lease {
  /** By this lessor: another member's may count differently. */
  readonly ttlS: number;
  readonly grantedAtMs: number;
  /** On the timeline's scale; forever while this lessor is not the primary one. */
  expiryMs: number;
  /** What a checkpoint has left of it, for the next promotion; 0: all of it. */
  remainingS: number;
}

/** What becomes of one renewal. */
export interface RenewalAnswer {
  readonly renewed: (ttlS: number) => void;
  readonly notFound: () => void;
  readonly notPrimary: () => void;
}

/** What a lessor needs of the member that it is part of. */
export interface LessorHost {
  readonly nowMs: number;
  /** Real milliseconds for one of the member's own clock. */
  readonly pace: number;
  readonly id: number;
  /** In the member's process: later when it stands still then, never when it has ended. */
  after(inMs: number, happen: () => void): void;
}

/** How long a lessor hesitates between its two looks at a lease that it renews. */
export type Hesitation = () => number;

/**
 * One member's own account of the leases (etcd, lease/lessor.go). The primary one lets them end; the others know which
 * there are, and count no time. A TTL below the member's own smallest one is raised to that.
 */
export class Lessor {
  readonly minTtlS: number;
  readonly leases = new Map<LeaseId, Lease>();
  readonly revokedAtMs = new Map<LeaseId, number>();
  isPrimary = false;
  promotedAtMs = -Infinity;
  /** A lease has ended by this lessor's clock: it is to be revoked. */
  onExpired: (leaseId: LeaseId) => void = () => undefined;
  /** The primary one tells its member how much of a lease is left, this long after it was renewed last. */
  checkpointMs = Infinity;
  onCheckpoint: (leaseId: LeaseId, remainingS: number) => void = () => undefined;
  readonly #host: LessorHost;
  readonly #hesitation: Hesitation;
  #checkAtMs = Infinity;
  #waiting: { readonly leaseId: LeaseId; readonly answer: RenewalAnswer }[] = [];

  constructor(host: LessorHost, minTtlS: number, hesitation: Hesitation) {
    this.#host = host;
    this.minTtlS = minTtlS;
    this.#hesitation = hesitation;
  }

  /** As an applied entry says. */
  grant(leaseId: LeaseId, askedS: number): void {
    const lease = this.#leaseOf(askedS);
    this.leases.set(leaseId, lease);
    if (this.isPrimary) this.#refresh(leaseId, lease, 0);
  }

  revoke(leaseId: LeaseId): void {
    if (!this.leases.delete(leaseId)) return;
    this.revokedAtMs.set(leaseId, this.#host.nowMs);
    this.#tellWaiting(
      (waiting) => waiting.leaseId === leaseId,
      (answer) => {
        answer.notFound();
      },
    );
  }

  checkpoint(leaseId: LeaseId, remainingS: number): void {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return;
    lease.remainingS = remainingS;
    if (this.isPrimary) this.#planCheckpoint(leaseId, lease);
  }

  /** Takes over the leases of a raft snapshot, as another lessor has written them. */
  recover(others: Iterable<readonly [LeaseId, number]>): void {
    this.leases.clear();
    for (const [leaseId, ttlS] of others) this.leases.set(leaseId, this.#leaseOf(ttlS));
  }

  /** Becomes the primary one: every lease starts anew, with `extraMs` more. */
  promote(extraMs: number): void {
    this.isPrimary = true;
    this.promotedAtMs = this.#host.nowMs;
    for (const [leaseId, lease] of this.leases) this.#refresh(leaseId, lease, extraMs);
  }

  demote(): void {
    this.isPrimary = false;
    for (const lease of this.leases.values()) lease.expiryMs = FOREVER;
    this.#tellWaiting(
      () => true,
      (answer) => {
        answer.notPrimary();
      },
    );
  }

  /** The member's process has ended. */
  stop(): void {
    this.isPrimary = false;
    this.leases.clear();
    this.#waiting = [];
    this.#checkAtMs = Infinity;
  }

  /** Milliseconds of the member's clock until the lease ends by this lessor's belief; undefined when it does not know it. */
  leftMs(leaseId: LeaseId): number | undefined {
    const lease = this.leases.get(leaseId);
    return lease === undefined ? undefined : (lease.expiryMs - this.#host.nowMs) / this.#host.pace;
  }

  /**
   * Two looks, as in etcd: at the first this lessor has to be the primary one, and a lease that has ended is waited for; at
   * the second nobody asks again.
   */
  renew(leaseId: LeaseId, answer: RenewalAnswer): void {
    if (!this.isPrimary) {
      answer.notPrimary();
      return;
    }
    const lease = this.leases.get(leaseId);
    if (lease === undefined) {
      answer.notFound();
      return;
    }
    if (lease.expiryMs <= this.#host.nowMs) {
      this.#waiting.push({ leaseId, answer });
      return;
    }
    const restart = (): void => {
      const present = this.leases.get(leaseId);
      if (present === undefined) {
        answer.notFound();
        return;
      }
      if (present.remainingS > 0) {
        present.remainingS = 0;
        this.onCheckpoint(leaseId, 0);
      }
      this.#refresh(leaseId, present, 0);
      answer.renewed(present.ttlS);
    };
    const hesitatesMs = this.#hesitation();
    if (hesitatesMs > 0) this.#host.after(hesitatesMs, restart);
    else restart();
  }

  /** Looks at once for what has ended while the process stood still. */
  wake(): void {
    if (this.isPrimary) this.#checkExpiries();
  }

  #leaseOf(ttlS: number): Lease {
    return {
      ttlS: Math.max(ttlS, this.minTtlS),
      grantedAtMs: this.#host.nowMs,
      expiryMs: FOREVER,
      remainingS: 0,
    };
  }

  #refresh(leaseId: LeaseId, lease: Lease, extraMs: number): void {
    const { nowMs, pace } = this.#host;
    const ttlS = lease.remainingS > 0 ? lease.remainingS : lease.ttlS;
    lease.expiryMs = nowMs + (ttlS * 1000 + extraMs) * pace;
    this.#checkAt(lease.expiryMs);
    this.#planCheckpoint(leaseId, lease);
  }

  #planCheckpoint(leaseId: LeaseId, lease: Lease): void {
    if (this.checkpointMs === Infinity) return;
    const { expiryMs } = lease;
    this.#host.after(this.checkpointMs, () => {
      const leftS = Math.ceil((this.leftMs(leaseId) ?? 0) / 1000);
      if (this.isPrimary && lease.expiryMs === expiryMs && leftS > 0) this.onCheckpoint(leaseId, leftS);
    });
  }

  #tellWaiting(
    isMeant: (waiting: { readonly leaseId: LeaseId }) => boolean,
    tell: (answer: RenewalAnswer) => void,
  ): void {
    if (this.#waiting.length === 0) return;
    const meant = this.#waiting.filter(isMeant);
    this.#waiting = this.#waiting.filter((waiting) => !isMeant(waiting));
    for (const { answer } of meant) tell(answer);
  }

  /** Plans the next look at the leases, on the lessor's own grid, unless an earlier one is planned. */
  #checkAt(expiryMs: number): void {
    if (!this.isPrimary) return;
    const phaseMs = this.#host.id * 97;
    const atMs = Math.ceil((expiryMs - phaseMs) / EXPIRY_CHECK_MS) * EXPIRY_CHECK_MS + phaseMs;
    if (atMs >= this.#checkAtMs) return;
    this.#checkAtMs = atMs;
    this.#host.after(atMs - this.#host.nowMs, () => {
      if (this.#checkAtMs === atMs) this.#checkExpiries();
    });
  }

  #checkExpiries(): void {
    this.#checkAtMs = Infinity;
    if (!this.isPrimary) return;
    const { nowMs } = this.#host;
    let nextMs = Infinity;
    for (const [leaseId, { expiryMs }] of this.leases) {
      if (expiryMs <= nowMs) {
        this.onExpired(leaseId);
        nextMs = Math.min(nextMs, nowMs + EXPIRY_CHECK_MS);
      } else nextMs = Math.min(nextMs, expiryMs);
    }
    if (nextMs < Infinity) this.#checkAt(nextMs);
  }
}
