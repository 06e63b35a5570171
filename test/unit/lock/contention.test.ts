import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../../src/base/clock.ts';
import { waitForHolder, type Verdict } from '../../../src/lock/contention.ts';
import { EtcdError } from '../../../src/base/errors.ts';
import type {
  KeyValue,
  LeaseId,
  Member,
  RangeAnswer,
  TimeToLiveAnswer,
} from '../../../src/cluster/member.ts';
import { formatHolder } from '../../../src/lock/holder-record.ts';
import type { LocalHost } from '../../../src/lock/local-host.ts';
import { Members } from '../../../src/cluster/members.ts';
import { everyBeat } from '../../support/beats.ts';

const DIRECTORY = '/_locks/_ctdb/NAME/';
const TTL_MS = 9_000;
const REFRESH_MS = 2_000;
const ANSWER_MS = 3_700;

// The lessor looks every 500 ms.
const LESSOR_MS = 500;

const header = { clusterId: '1', memberId: '1', revision: 10n, raftTerm: 2n };

/** Time that moves as soon as everybody waits for it. */
class HandClock implements Clock {
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs;
  }

  at(atMs: number, fire: (nowMs: number) => void): () => void {
    const timer = setImmediate(() => {
      this.#nowMs = Math.max(this.#nowMs, atMs);
      fire(this.#nowMs);
    });
    return () => {
      clearImmediate(timer);
    };
  }

  every(everyMs: number, fire: (nowMs: number) => void): () => void {
    return everyBeat(this, everyMs, fire);
  }
}

interface Scene {
  /** How long ago the holder's last renewal was when the contender comes. */
  readonly sinceRenewalMs: number;
  /** When it renews again, counted from then. */
  readonly renewsAtMs?: number;
  readonly isDead?: boolean;
  /** Its process is killed already, and dead this long after the contender's look at it. */
  readonly endsAtMs?: number;
  /** How old its key is, by the wall clock. */
  readonly ageMs?: number;
  /** When the key goes by itself, counted from the contender's look. */
  readonly goesAtMs?: number;
  readonly value?: string;
  /** The lease that the key is under now, where that is not the one it is named after. */
  readonly leaseId?: string;
}

/** What a contender makes of a holder, when it knows it, and how often it asked for a revoke. */
async function judge(scene: Scene): Promise<{ verdict: Verdict; atMs: number; revokes: number }> {
  const { sinceRenewalMs, renewsAtMs = Infinity, isDead = false, goesAtMs = Infinity } = scene;
  const clock = new HandClock();
  const process = { bootId: 'boot', namespaces: '1/2', pid: 7, startTicks: 8 };
  const value =
    scene.value ??
    formatHolder({
      node: 'fs0',
      host: 'fs0',
      pnn: 0,
      process,
      since: scene.ageMs === undefined ? '' : new Date(clock.wallNow() - scene.ageMs).toISOString(),
      version: '1',
      ttlMs: TTL_MS,
      refreshMs: REFRESH_MS,
      via: '',
    });
  const key: KeyValue = {
    key: `${DIRECTORY}1`,
    value,
    leaseId: (scene.leaseId ?? '1') as LeaseId,
    createRevision: 5n,
    modRevision: 5n,
  };
  const leftMs = (): number => {
    const renewedAtMs = clock.now() >= renewsAtMs ? renewsAtMs : -sinceRenewalMs;
    return renewedAtMs + TTL_MS - clock.now();
  };
  let revokes = 0;
  const member = {
    endpoint: 'member:2379',
    timeToLive: (): Promise<TimeToLiveAnswer> => {
      const left = leftMs();
      return left < -LESSOR_MS
        ? Promise.resolve({ header, grantedTtlMs: 0, remainingMs: -1_000 })
        : Promise.resolve({
            header,
            grantedTtlMs: TTL_MS,
            remainingMs: Math.max(0, Math.floor(left / 1_000) * 1_000),
          });
    },
    readOldest: (): Promise<RangeAnswer> =>
      Promise.resolve({
        header,
        oldest: leftMs() < -LESSOR_MS || clock.now() >= goesAtMs ? null : key,
      }),
    revoke: (): Promise<{ header: typeof header }> => {
      revokes += 1;
      return revokes > 1
        ? Promise.reject(new EtcdError('leaseNotFound', 'member:2379', 'gone'))
        : Promise.resolve({ header });
    },
    close: () => undefined,
  } as unknown as Member; // the calls that a contender makes
  const members = new Members([member], clock, { attemptMs: 1_500, hedgeDelayMs: 250, retryDelayMs: 100 });
  const { endsAtMs } = scene;
  const host: LocalHost = {
    self: process,
    hostName: 'fs1',
    parentPid: () => 2,
    readsAnswer: () => false,
    isDead: () => isDead || (endsAtMs !== undefined && clock.now() >= endsAtMs),
    isEnding: () => endsAtMs !== undefined && clock.now() < endsAtMs,
  };
  const never = new AbortController().signal;
  const verdict = await waitForHolder(key, DIRECTORY, { members, clock, host }, ANSWER_MS, never);
  return { verdict, atMs: clock.now(), revokes };
}

void describe('a contender that finds the lock held', () => {
  void it('answers at once when the holder renews', async () => {
    for (const sinceRenewalMs of [0, 500, 1_999, 2_500, 3_999]) {
      const { verdict, atMs } = await judge({ sinceRenewalMs });
      assert.equal(verdict, 'contended');
      assert.ok(atMs < 100, `${sinceRenewalMs}: ${atMs} ms`);
    }
  });

  void it('waits for the lease of a holder that has missed its renewals', async () => {
    for (const sinceRenewalMs of [6_300, 7_000, 8_000, 9_000, 9_400]) {
      const { verdict, atMs, revokes } = await judge({ sinceRenewalMs });
      assert.equal(verdict, 'wait is over');
      const endsMs = TTL_MS - sinceRenewalMs + LESSOR_MS;
      assert.ok(atMs >= endsMs && atMs <= endsMs + 250, `${sinceRenewalMs}: ${atMs} ms`);
      assert.equal(revokes, 0);
    }
  });

  void it("neither revokes nor waits for a lease that is not the key's own any more", async () => {
    for (const isDead of [true, false]) {
      const { verdict, atMs, revokes } = await judge({ sinceRenewalMs: 8_000, isDead, leaseId: '0' });
      assert.deepEqual([verdict, atMs, revokes], ['contended', 0, 0]);
    }
  });

  void it('waits to the end of its time and leaves enough of it for the answer', async () => {
    const { verdict, atMs } = await judge({ sinceRenewalMs: 5_000 });
    assert.equal(verdict, 'contended');
    assert.ok(atMs > ANSWER_MS - 500 && atMs <= ANSWER_MS - 200, `${atMs} ms`);
  });

  void it('stops waiting when the holder renews after all', async () => {
    const { verdict, atMs } = await judge({ sinceRenewalMs: 5_500, renewsAtMs: 1_000 });
    assert.equal(verdict, 'contended');
    assert.ok(atMs >= 1_000 && atMs < 1_300, `${atMs} ms`);
  });

  void it('never waits for an owner that says nothing about itself', async () => {
    const { verdict, atMs } = await judge({ sinceRenewalMs: 8_500, value: '' });
    assert.equal(verdict, 'contended');
    assert.equal(atMs, 0);
  });

  void it('looks again at a key that is only just there, and takes the lock when it has gone', async () => {
    for (const ageMs of [-250, 0, 100]) {
      const { verdict, atMs, revokes } = await judge({ sinceRenewalMs: 10, ageMs, goesAtMs: 120 });
      assert.deepEqual([verdict, revokes], ['wait is over', 0]);
      assert.ok(atMs >= 120 && atMs <= 180, `${ageMs}: ${atMs} ms`);
    }
  });

  void it('answers at once when the key is older, and soon when a young one stays', async () => {
    for (const [ageMs, longestMs] of [
      [-400, 0],
      [-250, 300],
      [0, 300],
      [250, 50],
      [300, 0],
      [86_400_000, 0],
    ] as const) {
      const { verdict, atMs } = await judge({ sinceRenewalMs: 10, ageMs });
      assert.equal(verdict, 'contended');
      assert.ok(atMs <= longestMs, `${ageMs}: ${atMs} ms`);
    }
  });

  void it('waits until a neighbor that was killed is dead, and revokes its lease then', async () => {
    const { verdict, atMs, revokes } = await judge({ sinceRenewalMs: 100, endsAtMs: 300 });
    assert.deepEqual([verdict, revokes], ['wait is over', 1]);
    assert.ok(atMs >= 300 && atMs < 350, `${atMs} ms`);
  });

  void it('does not revoke for a neighbor that does not get to its end in time', async () => {
    const { verdict, atMs, revokes } = await judge({ sinceRenewalMs: 100, endsAtMs: Infinity });
    assert.deepEqual([verdict, revokes], ['contended', 0]);
    assert.ok(atMs > ANSWER_MS - 500 && atMs < ANSWER_MS, `${atMs} ms`);
  });

  void it('revokes the lease of a dead neighbor, and of no one else', async () => {
    assert.deepEqual(await judge({ sinceRenewalMs: 100, isDead: true }), {
      verdict: 'wait is over',
      atMs: 0,
      revokes: 1,
    });
  });
});
