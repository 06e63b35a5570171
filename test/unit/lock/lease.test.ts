import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EtcdError } from '../../../src/base/errors.ts';
import { Members } from '../../../src/cluster/members.ts';
import { LeaseSession } from '../../../src/lock/lease.ts';
import { timingOf } from '../../../src/config/timing.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeMember } from '../../support/fake-member.ts';
import { LEASE } from '../../support/fake-stage.ts';

const TIMING = timingOf({ ttlMs: 9_000, refreshMs: 2_000, readTimeoutMs: undefined });
const WINDOW_MS = 9_000 - 1_500;

interface Scene {
  readonly clock: FakeClock;
  readonly fakes: [FakeMember, FakeMember];
  readonly session: LeaseSession;
  readonly startMs: number;
}

function scene(): Scene {
  const clock = new FakeClock();
  const fakes: Scene['fakes'] = [new FakeMember('a:1'), new FakeMember('b:1')];
  const session = new LeaseSession(LEASE, new Members(fakes, clock, TIMING), clock, TIMING);
  return { clock, fakes, session, startMs: clock.now() };
}

/** Begins to grant; the outcome is the deadline's instant or the error's kind. */
function granting(
  { session, startMs }: Scene,
  withinMs = 3_000,
  signal = new AbortController().signal,
): () => number | string {
  let outcome: number | string = 'open';
  session.grant(startMs + withinMs, signal).then(
    ({ atMs }) => {
      outcome = atMs;
    },
    (error: unknown) => {
      outcome = error instanceof EtcdError ? error.kind : String(error);
    },
  );
  return () => outcome;
}

function revoking({ session, clock }: Scene, withinMs = 1_800): () => boolean | string {
  let outcome: boolean | string = 'open';
  void session.revoke(clock.now() + withinMs, new AbortController().signal).then((isGone) => {
    outcome = isGone;
  });
  return () => outcome;
}

void describe('a session', () => {
  void it('has nothing to undo before its first grant is sent', async () => {
    const each = scene();
    assert.equal(each.session.firstSentAtMs, undefined);
    const outcome = revoking(each);
    await settle();
    assert.deepEqual([outcome(), each.fakes[0].calls.length], [true, 0]);
  });

  void it('asks every member for the same lease, and counts from the first send', async () => {
    const each = scene();
    const outcome = granting(each);
    await each.clock.advance(400);
    each.fakes[1].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    assert.equal(outcome(), each.startMs + WINDOW_MS);
    assert.deepEqual(
      each.fakes.map(({ last }) => last.leaseId),
      [LEASE, LEASE],
    );
  });

  for (const [answered, counted] of [
    ['more', 15_000],
    ['less', 6_000],
  ] as const) {
    void it(`counts the smaller TTL when the member answers with ${answered}`, async () => {
      const each = scene();
      const outcome = granting(each);
      each.fakes[0].last.answer('grant', { ttlMs: counted });
      await settle();
      const windowMs = Math.min(WINDOW_MS, counted - TIMING.marginMs(counted));
      assert.equal(outcome(), each.startMs + windowMs);
    });
  }

  void it('never asks for its lease again once a revoke may have been sent', async () => {
    const each = scene();
    const outcome = granting(each);
    each.fakes[0].last.refuse('unavailable');
    await settle();
    revoking(each);
    await each.clock.advance(3_000);
    assert.notEqual(outcome(), 'open');
    const before = each.fakes.map((fake) => fake.callsOf('grant').length);
    const again = granting(each);
    await each.clock.advance(3_000);
    assert.deepEqual(
      each.fakes.map((fake) => fake.callsOf('grant').length),
      before,
    );
    assert.equal(typeof again(), 'string');
  });

  void it('takes "lease already exists" for the success of an earlier try', async () => {
    const each = scene();
    const outcome = granting(each);
    await each.clock.advance(700);
    each.fakes[1].last.refuse('leaseExists');
    await settle();
    assert.equal(outcome(), each.startMs + WINDOW_MS);
  });

  void it('passes a refusal on', async () => {
    const each = scene();
    const outcome = granting(each);
    await settle();
    each.fakes[0].last.refuse('noSpace');
    await settle();
    assert.equal(outcome(), 'noSpace');
    assert.equal(each.session.deadline, undefined);
    assert.equal(each.session.firstSentAtMs, each.startMs);
  });

  void it('sends no further grant once nobody wants it, and hears what became of the one before', async () => {
    const each = scene();
    const stop = new AbortController();
    const outcome = granting(each, 3_000, stop.signal);
    await settle();
    stop.abort();
    await each.clock.advance(1_000);
    assert.deepEqual([each.fakes[0].calls.length, each.fakes[1].calls.length], [1, 0]);
    assert.equal(outcome(), 'open');
    each.fakes[0].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    assert.equal(outcome(), each.startMs + WINDOW_MS);
  });

  void it('is gone once its lease was revoked, or is not there', async () => {
    for (const isThere of [true, false]) {
      const each = scene();
      granting(each);
      await settle();
      each.fakes[0].last.answer('grant', { ttlMs: 9_000 });
      await settle();
      const outcome = revoking(each);
      await settle();
      if (isThere) each.fakes[0].last.answer('revoke', {});
      else each.fakes[0].last.refuse('leaseNotFound');
      await settle();
      assert.equal(outcome(), true);
      assert.equal(each.clock.pending, 0);
    }
  });

  void it('looks for its lease again and again while a grant that nobody answered may still arrive', async () => {
    const each = scene();
    const outcome = granting(each, 600);
    await each.clock.advance(600);
    assert.equal(outcome(), 'timeout');
    const gone = revoking(each);
    for (const fake of each.fakes) {
      fake.onCall = (call) => {
        call.refuse('leaseNotFound');
      };
    }
    await each.clock.advance(1_000);
    assert.equal(gone(), 'open');
    const looks = each.fakes[0].callsOf('revoke').length + each.fakes[1].callsOf('revoke').length;
    assert.ok(looks >= 8, `${looks} looks in a second`);
    await each.clock.advance(800);
    assert.equal(gone(), false, 'and says that it does not know');
  });

  void it('does not know whether its lease is gone when the members are silent until the end', async () => {
    const each = scene();
    granting(each);
    await settle();
    each.fakes[0].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    const outcome = revoking(each);
    await each.clock.advance(1_800);
    assert.equal(outcome(), false);
  });

  void it('of endpoints with more than one store is revoked wherever a grant was sent', async () => {
    const each = scene();
    granting(each);
    await settle();
    await each.clock.advance(TIMING.hedgeDelayMs);
    each.fakes[1].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    for (const fake of each.fakes) {
      fake.onCall = (call) => {
        if (call.name === 'revoke') call.answer('revoke', {});
      };
    }
    let isOver = false;
    void each.session.revoke(each.clock.now() + 1_800, new AbortController().signal, true).then(() => {
      isOver = true;
    });
    await each.clock.advance(1_700);
    const revokes = each.fakes.map((fake) => fake.callsOf('revoke').length > 0);
    assert.deepEqual([revokes, isOver], [[true, true], true]);
  });

  void it('of endpoints with more than one store waits for a slow store, although the other one refuses', async () => {
    const each = scene();
    granting(each);
    await settle();
    each.fakes[0].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    each.fakes[1].onCall = (call) => {
      call.refuse('otherStore');
    };
    let isOver = false;
    void each.session.revoke(each.clock.now() + 1_800, new AbortController().signal, true).then(() => {
      isOver = true;
    });
    await each.clock.advance(TIMING.hedgeDelayMs + 100);
    assert.equal(each.fakes[1].callsOf('revoke').length, 1);
    assert.equal(isOver, false);
    for (const call of each.fakes[0].callsOf('revoke')) call.answer('revoke', {});
    await settle();
    assert.equal(isOver, true);
  });

  void it('stops its deadline when it is let go', async () => {
    const each = scene();
    granting(each);
    await settle();
    each.fakes[0].last.answer('grant', { ttlMs: 9_000 });
    await settle();
    let hasPassed = false;
    void each.session.deadline?.passed.then(() => {
      hasPassed = true;
    });
    const gone = revoking(each, 100);
    await each.clock.advance(20_000);
    assert.deepEqual([gone(), hasPassed], [false, false]);
  });
});
