import { setTimeout as delay } from 'node:timers/promises';
import { type Counter, metricsOf, sumOf } from '../support/etcd-metrics.ts';
import type { Claim, History, KeyLife } from './history.ts';

/** The leases that this member's lessor has ended since the member was started, and whether the member leads. */
interface Ended {
  readonly count: number;
  readonly isLeader: boolean;
}

// Which of the two news we hear first, that of the end of the claim or that of the key, is chance.
const SAME_MOMENT_MS = 100;

// On a busy machine the news of the key can come later than that; then the holder's own words say what it has met.
const LATE_NEWS_MS = 5_000;
const KEY_IS_GONE = /^Lock lost - the key was deleted/m;

// A raft leader without a quorum steps down after an election timeout, 1 s.
const KNOWS_MS = 1_500;

// From the key to the `0` that rests on it: an answer comes within 4 s, and the news of either can be late on a busy machine.
const FROM_KEY_TO_CLAIM_MS = 5_000;

/**
 * Finds leases that etcd has ended although they were renewed in time: a raft leader that stood still, goes on as if no time
 * had passed and has its revoke carried out by the one that was elected meanwhile (etcd #15247; later releases ask first
 * whether they still lead, and the answer can be wrong for a moment). What shows it is etcd's own count of the leases that
 * it ended, on a member that does not lead; a revoke that anybody asked for is not counted there.
 */
export class EarlyRevokes {
  readonly #members: readonly Counter[];
  readonly #history: History;
  readonly #seen = new Map<Counter, number>();

  constructor(members: readonly Counter[], history: History) {
    this.#members = members;
    this.#history = history;
  }

  /** To be called when a key is gone. Resolves when it is known, and has been noted with the claim, who ended its lease. */
  async look(life: KeyLife): Promise<void> {
    const before = new Map(this.#seen);
    let now = await Promise.all(this.#members.map((member) => this.#count(member)));
    if (now.filter((ended) => ended?.isLeader).length > 1) {
      // One of them has stood still and does not know yet that it leads no more.
      await delay(KNOWS_MS);
      now = await Promise.all(this.#members.map((member) => this.#count(member)));
    }
    const claim = this.#claimOf(life);
    for (const [index, member] of this.#members.entries()) {
      const ended = now[index];
      if (ended === undefined) continue;
      // A member that was restarted counts anew.
      const known = before.get(member) ?? 0;
      const isMore = ended.count > (ended.count < known ? 0 : known);
      if (!isMore || ended.isLeader || claim === undefined) continue;
      claim.revokedBy = member.name;
      this.#history.note(
        `${member.name}, which does not lead, has ended the lease of ${claim.helper} by itself`,
      );
    }
  }

  async #count(member: Counter): Promise<Ended | undefined> {
    try {
      const metrics = await metricsOf(member);
      const count = sumOf(metrics, 'etcd_debugging_server_lease_expired_total');
      this.#seen.set(member, count);
      return { count, isLeader: sumOf(metrics, 'etcd_server_is_leader') === 1 };
    } catch {
      return undefined;
    }
  }

  /** The claim that rested on the key and had not ended, by the holder's deadline or otherwise, before the key went. */
  #claimOf({ value, createdAtMs, deletedAtMs = Infinity }: KeyLife): Claim | undefined {
    const { host } = JSON.parse(value) as { readonly host?: string };
    return this.#history.claims.findLast(
      ({ node, helper, fromMs, toMs = Infinity, deed }) =>
        node === host &&
        deed === undefined &&
        fromMs > createdAtMs - 1_000 &&
        fromMs < createdAtMs + FROM_KEY_TO_CLAIM_MS &&
        fromMs < deletedAtMs &&
        toMs > deletedAtMs - (this.#hasMissedKey(helper) ? LATE_NEWS_MS : SAME_MOMENT_MS),
    );
  }

  #hasMissedKey(helper: string): boolean {
    return this.#history.stderr.some((said) => said.helper === helper && KEY_IS_GONE.test(said.text));
  }
}
