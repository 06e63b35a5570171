import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EtcdError } from '../../../src/base/errors.ts';
import type { CallOptions, LeaseId, Member } from '../../../src/cluster/member.ts';
import { Members } from '../../../src/cluster/members.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeMember } from '../../support/fake-member.ts';

const TIMING = { attemptMs: 1_500, hedgeDelayMs: 250, retryDelayMs: 100 };
const LEASE = '26' as LeaseId;

interface Asked {
  readonly clock: FakeClock;
  readonly fakes: [FakeMember, FakeMember, FakeMember];
  readonly members: Members;
  /** What became of the question: 'open', the TTL, or the error. */
  readonly outcome: () => number | string | EtcdError;
}

function ask(withinMs = 10_000, signal?: AbortSignal, afterAbort?: 'callBack' | 'await'): Asked {
  const clock = new FakeClock();
  const fakes: Asked['fakes'] = [new FakeMember('a:1'), new FakeMember('b:1'), new FakeMember('c:1')];
  const members = new Members(fakes, clock, TIMING);
  let outcome: number | string | EtcdError = 'open';
  const question = (member: Member, call: CallOptions): Promise<number> =>
    member.keepAlive(LEASE, call).then(({ ttlMs }) => ttlMs);
  members.ask(question, clock.now() + withinMs, signal, afterAbort).then(
    (ttlMs) => {
      outcome = ttlMs;
    },
    (error: unknown) => {
      outcome = error instanceof EtcdError ? error : String(error);
    },
  );
  return { clock, fakes, members, outcome: () => outcome };
}

function kindOf({ outcome }: Asked): string {
  const found = outcome();
  return found instanceof EtcdError ? found.kind : String(found);
}

function counts({ fakes }: Asked): number[] {
  return fakes.map(({ calls }) => calls.length);
}

void describe('a question that waits for a login', () => {
  const LOGIN = { ...TIMING, loginMs: 4_500 };

  /** One member that checks a password, from the start on and for as long as `isChecking` says. */
  function askSlow(withinMs: number): Asked & { isChecking: boolean } {
    const clock = new FakeClock();
    const fakes: Asked['fakes'] = [new FakeMember('a:1'), new FakeMember('b:1'), new FakeMember('c:1')];
    const [first] = fakes;
    const slow = Object.assign(first, {
      waitsFor: () => (asked.isChecking ? ('login' as const) : undefined),
    });
    const members = new Members([slow], clock, LOGIN);
    let outcome: number | string | EtcdError = 'open';
    const asked = { clock, fakes, members, outcome: () => outcome, isChecking: true };
    members
      .ask((member, call) => member.keepAlive(LEASE, call), clock.now() + withinMs)
      .then(
        ({ ttlMs }) => {
          outcome = ttlMs;
        },
        (error: unknown) => {
          outcome = error instanceof EtcdError ? error : String(error);
        },
      );
    return asked;
  }

  void it('has three times as long, and is not asked a second time meanwhile', async () => {
    const asked = askSlow(10_000);
    await asked.clock.advance(4_499);
    assert.deepEqual(counts(asked), [1, 0, 0]);
    await asked.clock.advance(101);
    assert.deepEqual(counts(asked), [2, 0, 0]);
  });

  void it('that is over by then has no more time than any other', async () => {
    const asked = askSlow(10_000);
    asked.isChecking = false;
    await asked.clock.advance(1_600);
    assert.deepEqual(counts(asked), [2, 0, 0]);
  });

  void it('ends with the question, and says what it waited for', async () => {
    const asked = askSlow(3_700);
    await asked.clock.advance(3_700);
    const error = asked.outcome();
    assert.ok(error instanceof EtcdError);
    assert.equal(error.message, 'a:1: no answer to the login within 3.7 s');
    assert.match(error.remedy ?? '', /--bcrypt-cost/);
    assert.equal(error.id, 'auth-slow');
  });
});

void describe('a hedged question', () => {
  void it('asks the preferred member alone as long as that may still answer', async () => {
    const asked = ask();
    await asked.clock.advance(249);
    assert.deepEqual(counts(asked), [1, 0, 0]);
  });

  void it('asks one more member for each hedge delay of silence', async () => {
    const asked = ask();
    await asked.clock.advance(250);
    assert.deepEqual(counts(asked), [1, 1, 0]);
    await asked.clock.advance(250);
    assert.deepEqual(counts(asked), [1, 1, 1]);
  });

  void it('is settled by the first good answer, and prefers its member from then on', async () => {
    const asked = ask();
    await asked.clock.advance(300);
    asked.fakes[1].last.answer('keepAlive', { ttlMs: 5_000 });
    await settle();
    assert.equal(asked.outcome(), 5_000);
    assert.equal(asked.members.preferred, asked.fakes[1]);
    assert.equal(asked.clock.pending, 0);
  });

  void it('calls a member outrun that had its hedge delay, and only unwanted one that had not', async () => {
    const asked = ask();
    await asked.clock.advance(500);
    asked.fakes[1].last.answer('keepAlive', { ttlMs: 5_000 });
    await settle();
    assert.equal(asked.fakes[0].last.abortedBecause, 'outrun');
    assert.equal(asked.fakes[2].last.abortedBecause, 'unwanted');
  });

  void it('asks the next member at once when one refuses the connection', async () => {
    const asked = ask();
    await settle();
    asked.fakes[0].last.refuse('unavailable');
    await settle();
    assert.deepEqual(counts(asked), [1, 1, 0]);
  });

  void it('goes round again after the retry delay when all have failed', async () => {
    const asked = ask();
    await settle();
    for (const fake of asked.fakes) {
      fake.last.refuse('unavailable');
      await settle();
    }
    assert.deepEqual(counts(asked), [1, 1, 1]);
    await asked.clock.advance(99);
    assert.deepEqual(counts(asked), [1, 1, 1]);
    await asked.clock.advance(1);
    assert.deepEqual(counts(asked), [2, 1, 1]);
  });

  void it('gives an attempt up after its time, as timed out, so that its connection is replaced', async () => {
    const asked = ask();
    await asked.clock.advance(1_500);
    assert.equal(asked.fakes[0].calls[0]?.abortedBecause, 'timeout');
    assert.equal(asked.outcome(), 'open');
  });

  void it('takes the late answer of an attempt that was given up', async () => {
    const asked = ask();
    asked.fakes[0].obeysAborts = false;
    await asked.clock.advance(1_600);
    asked.fakes[0].calls[0]?.answer('keepAlive', { ttlMs: 7_000 });
    await settle();
    assert.equal(asked.outcome(), 7_000);
    assert.equal(asked.members.preferred, asked.fakes[0]);
  });

  void it('ignores the late failure of an attempt that was given up', async () => {
    const asked = ask();
    asked.fakes[0].obeysAborts = false;
    await asked.clock.advance(1_600);
    asked.fakes[0].calls[0]?.refuse('permission');
    await settle();
    assert.equal(asked.outcome(), 'open');
  });

  for (const kind of ['auth', 'permission', 'noSpace', 'rejected', 'leaseNotFound', 'leaseExists'] as const) {
    void it(`ends at once with ${kind}, which one member says for all`, async () => {
      const asked = ask();
      await settle();
      asked.fakes[0].last.refuse(kind);
      await settle();
      assert.deepEqual([kindOf(asked), counts(asked)], [kind, [1, 0, 0]]);
      assert.equal(asked.clock.pending, 0);
    });
  }

  for (const kind of ['tls', 'wrongCluster', 'notEtcd'] as const) {
    void it(`never asks a member again that said ${kind}, and ends when all did`, async () => {
      const asked = ask();
      await settle();
      asked.fakes[0].last.refuse(kind);
      await asked.clock.advance(3_000);
      assert.equal(asked.fakes[0].calls.length, 1);
      asked.fakes[1].last.refuse(kind);
      asked.fakes[2].last.refuse(kind);
      await settle();
      assert.equal(kindOf(asked), kind);
    });
  }

  void it('turns a mistake below the port into an unknown error of that member', async () => {
    const asked = ask(1_000);
    await settle();
    asked.fakes[0].last.explode(new TypeError('oops'));
    await asked.clock.advance(1_000);
    const found = asked.outcome();
    assert.ok(found instanceof EtcdError);
    assert.match(found.message, /a:1: oops|a:1: no answer/);
  });

  void it('ends when its time is over, with what each member said last', async () => {
    const asked = ask(600);
    await settle();
    asked.fakes[0].last.refuse('noLeader', 'has no leader');
    await asked.clock.advance(600);
    const found = asked.outcome();
    assert.ok(found instanceof EtcdError);
    assert.match(found.message, /^a:1: has no leader; b:1: .*; c:1: /);
    assert.equal(found.kind, 'noLeader');
    assert.equal(asked.clock.pending, 0);
  });

  void it('ends as soon as nobody wants to know, and calls its attempts unwanted', async () => {
    const stop = new AbortController();
    const asked = ask(10_000, stop.signal);
    await settle();
    stop.abort();
    await settle();
    assert.equal(kindOf(asked), 'timeout');
    assert.equal(asked.fakes[0].last.abortedBecause, 'unwanted');
    assert.equal(asked.clock.pending, 0);
  });

  void it('awaits what was sent, and sends nothing more, when what was sent has to be known', async () => {
    for (const [isAnswered, kind] of [
      [true, '9000'],
      [false, 'timeout'],
    ] as const) {
      const stop = new AbortController();
      const asked = ask(10_000, stop.signal, 'await');
      await settle();
      stop.abort();
      await asked.clock.advance(1_000);
      assert.deepEqual([kindOf(asked), counts(asked)], ['open', [1, 0, 0]]);
      if (isAnswered) asked.fakes[0].last.answer('keepAlive', { ttlMs: 9_000 });
      else asked.fakes[0].last.refuse('unavailable');
      await settle();
      assert.deepEqual([kindOf(asked), counts(asked)], [kind, [1, 0, 0]]);
      assert.equal(asked.clock.pending, 0);
    }
  });

  void it('asks nobody when nobody wants to know to begin with', async () => {
    for (const afterAbort of ['callBack', 'await'] as const) {
      const asked = ask(10_000, AbortSignal.abort(), afterAbort);
      await settle();
      assert.deepEqual([kindOf(asked), counts(asked)], ['timeout', [0, 0, 0]]);
    }
  });

  void it('sends nothing more when it wakes up after its time', async () => {
    const asked = ask(1_000);
    await asked.clock.stall(30_000);
    assert.deepEqual(counts(asked), [1, 0, 0]);
    assert.equal(kindOf(asked), 'timeout');
  });
});

void describe('Members', () => {
  void it('prefers the next member after one in doubt, and the first after the last', () => {
    const { members, fakes } = ask();
    const seen = Array.from({ length: 3 }, () => {
      members.preferNext();
      return members.preferred;
    });
    assert.deepEqual(seen, [fakes[1], fakes[2], fakes[0]]);
  });

  void it('cannot be made of nobody', () => {
    assert.throws(() => new Members([], new FakeClock(), TIMING), /without members/);
  });
});
