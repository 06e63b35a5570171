/** The laws of safety, each by its name (docs/safety.md), on a clock that is turned by hand. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { spawnWatchdogProcess } from '../../../src/process/watchdog-process.ts';
import type { ConnectionId } from '../../../src/cluster/member.ts';
import { EXIT } from '../../../src/lock/lifecycle.ts';
import { KindEtcd, headerOf, type FakeCall } from '../../support/fake-member.ts';
import { settle } from '../../support/fake-clock.ts';
import { DIRECTORY, FakeStage, holderValue, LEASE, stageThatHolds } from '../../support/fake-stage.ts';
import { waitFor } from '../../support/wait.ts';

const KEY = `${DIRECTORY}1a`;

/** The instant at which the watchdog kills the helper: 200 ms after the deadline. */
function deadlineOf(stage: FakeStage): number {
  const limit = stage.fed.findLast((each) => typeof each === 'number');
  assert.ok(typeof limit === 'number', 'the watchdog was fed');
  return limit - 200;
}

/** A take whose calls, after the first read, wait until `answerAll` lets etcd serve those that have come. */
function slowTake(): { stage: FakeStage; startMs: number; answerAll: () => void } {
  const stage = new FakeStage(1);
  const etcd = new KindEtcd();
  const waiting: FakeCall[] = [];
  stage.fake.onCall = (call) => {
    if (call.name === 'readOldest') etcd.serve(call);
    else waiting.push(call);
  };
  const startMs = stage.clock.now();
  stage.takeAndHold();
  const answerAll = (): void => {
    waiting.splice(0).forEach(etcd.serve);
  };
  return { stage, startMs, answerAll };
}

void describe('law 1: the deadline is counted from the send', () => {
  void it('a grant and a transaction that took 1.4 s each leave the deadline where the grant was sent', async () => {
    const { stage, startMs, answerAll } = slowTake();
    await stage.clock.advance(1_400);
    answerAll();
    await stage.clock.advance(1_400);
    answerAll();
    await settle();
    assert.deepEqual(stage.stdout, [], 'a renewal is tried before the 0');
    await stage.clock.advance(600);
    assert.deepEqual(stage.stdout, ['0'], 'its silence is no reason to refuse the lock');
    assert.equal(deadlineOf(stage), startMs + 9_000 - 1_500);
  });

  void it('a keepalive after the transaction that took the lock counts from the send of that', async () => {
    const { stage, startMs, answerAll } = slowTake();
    await stage.clock.advance(1_000);
    answerAll();
    await stage.clock.advance(1_000);
    answerAll();
    await stage.clock.advance(100);
    answerAll();
    await settle();
    assert.deepEqual(stage.stdout, ['0']);
    assert.equal(deadlineOf(stage), startMs + 1_000 + 9_000 - 1_500);
  });

  void it('a renewal whose answer took 1.4 s moves the deadline only from its send', async () => {
    const { stage, etcd } = await stageThatHolds();
    const startMs = stage.clock.now();
    const held: FakeCall[] = [];
    stage.fake.onCall = (call) => void held.push(call);
    await stage.clock.advance(2_000 + 1_000);
    held.splice(0).forEach(etcd.serve);
    await stage.clock.advance(400);
    held.splice(0).forEach(etcd.serve);
    await settle();
    assert.equal(deadlineOf(stage), startMs + 2_000 + 9_000 - 1_500);
  });

  for (const answeredMs of [5_000, 9_000, 30_000]) {
    void it(`the smaller TTL counts: asked for 9 s, answered ${answeredMs / 1000} s`, async () => {
      const countedMs = Math.min(9_000, answeredMs);
      const windowMs = countedMs - Math.max(1_000, countedMs / 6);
      const stage = new FakeStage(1, 9_000, 1_000);
      const etcd = new KindEtcd();
      etcd.ttlMs = answeredMs;
      stage.serveAll(etcd.serve);
      const startMs = stage.clock.now();
      stage.takeAndHold();
      await settle();
      assert.equal(deadlineOf(stage), startMs + windowMs, 'by the grant');
      await stage.clock.advance(1_010);
      assert.equal(deadlineOf(stage), startMs + 1_000 + windowMs, 'by a renewal');
      const said =
        'etcd granted 30 s instead of lock_ttl = 9: after a death of this holder the lock is free 21 s later; ' +
        'lower --election-timeout of all members to 6000 or less, or set lock_ttl = 30';
      assert.deepEqual(stage.warnings, answeredMs > 9_000 ? [said] : [], 'once, and only for a longer lease');
    });
  }
});

void describe('law 2: the deadline is a one-way door', () => {
  void it('a renewal that is answered while the helper is frozen past the deadline moves nothing', async () => {
    const { stage, etcd } = await stageThatHolds();
    const deadlineMs = deadlineOf(stage);
    const held: FakeCall[] = [];
    stage.fake.onCall = (call) => void held.push(call);
    await stage.clock.advance(2_100);
    stage.fake.onCall = etcd.serve;
    await stage.clock.stall(20_000, () => {
      held.forEach(etcd.serve);
    });
    assert.equal(deadlineOf(stage), deadlineMs);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
    assert.equal(stage.exitStatus, EXIT.lost);
  });

  void it('no renewal is sent after a freeze past the deadline, whichever timer fires first', async () => {
    const { stage } = await stageThatHolds();
    const before = stage.fake.callsOf('keepAlive').length;
    await stage.clock.stall(60_000);
    assert.equal(stage.fake.callsOf('keepAlive').length, before);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
  });

  void it('a freeze that ends before the deadline is survived', async () => {
    const { stage } = await stageThatHolds();
    await stage.clock.stall(7_000);
    await stage.clock.advance(5_000);
    assert.deepEqual(stage.stdout, ['0']);
  });
});

void describe('law 3: the deadline has its own timer', () => {
  void it('renewals that hang on every member cannot postpone it', async () => {
    const { stage } = await stageThatHolds(3);
    stage.serveAll(() => undefined);
    const deadlineMs = deadlineOf(stage);
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 20_000);
    assert.ok(Math.abs(stage.clock.now() - deadlineMs) <= 10);
    assert.equal(stage.exitStatus, EXIT.lost);
    assert.match(
      stage.errors.join(),
      /^Lock lost - etcd did not confirm it in time: .*etcd\d:2379: no answer/,
    );
  });

  void it('nothing is asked of etcd between the deadline and the exit', async () => {
    const { stage } = await stageThatHolds(3);
    stage.serveAll(() => undefined);
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 20_000);
    assert.deepEqual(
      stage.allCalls.filter(({ name }) => name === 'revoke'),
      [],
    );
  });
});

void describe('law 4: the 0 is written once, after the watchers are armed, and only while the deadline is ahead', () => {
  void it('the watchers and the watchdog are armed when the 0 is written', async () => {
    const stage = new FakeStage(1);
    stage.serveAll(new KindEtcd().serve);
    const armed: boolean[] = [];
    stage.onWrite = () => {
      armed.push(stage.fake.watches.length === 1 && stage.fed.some((each) => typeof each === 'number'));
    };
    stage.takeAndHold();
    await settle();
    assert.deepEqual([stage.stdout, armed], [['0'], [true]]);
  });

  void it('a lock that is granted after its own deadline is refused and given back', async () => {
    const stage = new FakeStage(1, 2_000, 300);
    const etcd = new KindEtcd();
    etcd.ttlMs = 2_000;
    const held: FakeCall[] = [];
    stage.fake.obeysAborts = false;
    stage.fake.onCall = (call) => {
      if (call.name === 'lock') held.push(call);
      else etcd.serve(call);
    };
    stage.takeAndHold();
    await stage.clock.advance(1_200);
    stage.fake.onCall = etcd.serve;
    held.forEach(etcd.serve);
    await settle();
    assert.deepEqual(stage.stdout, ['3', 'closed']);
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined]);
    assert.match(stage.errors.join(), /etcd granted it too late/);
    assert.deepEqual(
      stage.fed.filter((each) => typeof each === 'number'),
      [],
    );
  });

  void it('a lock that is granted while the wall clock jumps ahead is refused, and the line says why', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    stage.serveAll((call) => {
      if (call.name === 'lock') stage.clock.wallOffsetMs += 1_500;
      etcd.serve(call);
    });
    stage.takeAndHold();
    await settle();
    await stage.clock.advance(100);
    assert.deepEqual(stage.stdout, ['3', 'closed']);
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined]);
    assert.match(stage.errors.join(), /the wall clock jumped ahead meanwhile/);
  });

  void it('a lease that another store does not know is given back where it was granted', async () => {
    const stage = new FakeStage(2);
    const [home, other] = stage.fakes;
    assert.ok(home !== undefined && other !== undefined);
    const etcd = new KindEtcd();
    const held: FakeCall[] = [];
    home.obeysAborts = false;
    home.onCall = (call) => {
      if (call.name === 'lock' || held.length > 0) held.push(call);
      else etcd.serve(call);
    };
    other.onCall = (call) => {
      if (call.name === 'lock' || call.name === 'revoke') call.refuse('leaseNotFound');
    };
    stage.takeAndHold();
    await stage.clock.advance(1_000);
    assert.deepEqual([stage.stdout, stage.exitStatus], [['3', 'closed'], undefined]);
    held.forEach(etcd.serve);
    await settle();
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined]);
    assert.equal(stage.exitStatus, EXIT.failed);
  });

  void it('nothing but one byte is ever written', async () => {
    const { stage, etcd } = await stageThatHolds();
    etcd.key = null;
    await stage.clock.advance(3_000);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
    assert.equal(stage.exitStatus, EXIT.lost);
  });
});

void describe('law 5: a lost lock is never retaken', () => {
  void it('a deleted key ends the helper, and nothing is granted or locked after that', async () => {
    const { stage } = await stageThatHolds();
    const before = stage.allCalls.length;
    stage.fake.watches[0]?.onDelete();
    await stage.clock.advance(30_000);
    assert.equal(stage.exitStatus, EXIT.lost);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
    const after = stage.allCalls.slice(before).map(({ name }) => name);
    assert.deepEqual(
      after.filter((name) => name === 'grant' || name === 'lock'),
      [],
    );
  });
});

void describe('law 6: no and silence differ', () => {
  void it('a revoked lease ends the helper at the next renewal, although etcd 3.7 still renews it', async () => {
    const { stage, etcd } = await stageThatHolds();
    etcd.renewsRevoked = true;
    etcd.leaseId = undefined;
    etcd.key = null;
    const heldUntilMs = deadlineOf(stage);
    const keepalives = stage.fake.callsOf('keepAlive').length;
    await stage.clock.advance(2_000);
    assert.equal(stage.exitStatus, EXIT.lost);
    assert.equal(stage.fake.callsOf('keepAlive').length, keepalives, 'the transaction shows it first');
    assert.ok(stage.clock.now() < heldUntilMs);
  });

  void it('a lease that etcd does not know ends the helper at the next renewal', async () => {
    const { stage, etcd } = await stageThatHolds();
    etcd.leaseId = undefined;
    etcd.key = null;
    await stage.clock.advance(2_010);
    assert.equal(stage.exitStatus, EXIT.lost);
    assert.match(stage.errors.join(), /^Lock lost - the key was deleted, or its lease ended/);
  });

  for (const kind of ['unavailable', 'timeout', 'noLeader', 'unknown', 'permission', 'auth'] as const) {
    void it(`${kind} is asked again until the deadline`, async () => {
      const { stage, etcd } = await stageThatHolds();
      stage.fake.onCall = (call) => {
        call.refuse(kind);
      };
      await stage.clock.advance(6_000);
      assert.deepEqual(stage.stdout, ['0']);
      stage.fake.onCall = etcd.serve;
      await stage.clock.advance(20_000);
      assert.deepEqual(stage.stdout, ['0']);
    });
  }
});

void describe('law 7: an unknown outcome is treated as done', () => {
  void it('a transaction whose answer is lost is followed by a revoke', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    stage.fake.onCall = (call) => {
      if (call.name !== 'lock') etcd.serve(call);
    };
    stage.takeAndHold();
    await stage.clock.advance(3_600);
    for (const lost of stage.fake.callsOf('lock').slice(0, 1)) etcd.serve(lost); // it took effect
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 3_000);
    assert.deepEqual(stage.stdout, ['3', 'closed']);
    assert.deepEqual([etcd.key, etcd.leaseId], [null, undefined]);
  });

  void it('a grant whose answer is lost is followed by a revoke, until it can have arrived', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    stage.fake.onCall = (call) => {
      if (call.name !== 'grant') etcd.serve(call);
    };
    stage.takeAndHold();
    await stage.clock.advance(1_000);
    stage.termination.abort();
    await stage.clock.advance(900);
    assert.ok(stage.fake.callsOf('revoke').length >= 1, 'looks for the lease');
    const [late] = stage.fake.callsOf('grant');
    assert.ok(late !== undefined);
    etcd.serve(late);
    assert.equal(etcd.leaseId, LEASE);
    await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 2_000);
    assert.equal(etcd.leaseId, undefined);
  });

  void it('"lease already exists" is success, with the deadline counted from the first send', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    let grants = 0;
    stage.fake.onCall = (call) => {
      if (call.name === 'grant') grants += 1;
      if (call.name === 'grant' && grants === 1) etcd.leaseId = LEASE;
      else if (call.name !== 'keepAlive') etcd.serve(call);
    };
    const startMs = stage.clock.now();
    stage.takeAndHold();
    await stage.clock.advanceUntil(() => stage.stdout.length > 0, 3_000);
    assert.deepEqual([stage.stdout, grants], [['0'], 2]);
    assert.equal(deadlineOf(stage), startMs + 9_000 - 1_500);
  });

  void it('an else branch that shows the own key is success', async () => {
    const stage = new FakeStage(1);
    const etcd = new KindEtcd();
    let locks = 0;
    stage.fake.onCall = (call) => {
      if (call.name === 'lock') locks += 1;
      etcd.serve(
        call.name === 'lock' && locks === 1 ? Object.assign(call, { answer: () => undefined }) : call,
      );
    };
    stage.takeAndHold();
    await stage.clock.advanceUntil(() => stage.stdout.length > 0, 3_000);
    assert.deepEqual([stage.stdout, locks], [['0'], 2]);
    assert.equal(etcd.key?.key, KEY);
  });
});

void describe('law 8: identity belongs to the lease, never to the node', () => {
  void it('a second helper of the same node, host and parent gets 1 and leaves nothing', async () => {
    const { etcd } = await stageThatHolds();
    const second = new FakeStage(1);
    second.serveAll(etcd.serve);
    assert.equal(etcd.key?.value, holderValue(second.self, second.timing));
    second.takeAndHold();
    await second.clock.advanceUntil(() => second.exitStatus !== undefined, 500);
    assert.deepEqual(second.stdout, ['1', 'closed']);
    assert.deepEqual(
      second.fake.calls.map(({ name }) => name),
      ['readOldest', 'timeToLive'],
    );
  });
});

void describe('law 9: every contender answers well inside 5 s', () => {
  for (const silent of ['readOldest', 'grant', 'lock', 'timeToLive'] as const) {
    void it(`when no member answers ${silent}`, async () => {
      const stage = new FakeStage(3);
      const etcd = new KindEtcd();
      if (silent === 'timeToLive') {
        const other = { bootId: 'another', namespaces: '1/2', pid: 1, startTicks: 1 };
        const value = holderValue(other, stage.timing);
        etcd.key = { key: `${DIRECTORY}ff`, value, leaseId: LEASE, createRevision: 9n, modRevision: 9n };
      }
      stage.serveAll((call) => {
        if (call.name !== silent) etcd.serve(call);
      });
      stage.takeAndHold();
      const tookMs = await stage.clock.advanceUntil(() => stage.stdout.length > 0, 5_000);
      assert.ok(tookMs <= 4_000, `${tookMs} ms`);
      assert.equal(stage.stdout[0], silent === 'timeToLive' ? '1' : '3');
      await stage.clock.advanceUntil(() => stage.exitStatus !== undefined, 2_000);
    });
  }

  void it('when the name of the lock does not come', async () => {
    const stage = new FakeStage(1);
    stage.takeAndHold(new Promise(() => undefined));
    await stage.clock.advanceUntil(() => stage.stdout.length > 0, 4_000);
    assert.equal(stage.stdout[0], '3');
    assert.deepEqual(stage.allCalls, []);
  });
});

void describe('law 10: nothing else holds the stdout of the helper', () => {
  void it('the watchdog process has a pipe for its input, and /dev/null for the rest', async () => {
    const startTicks = Number(readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ')[19]);
    const identity = { bootId: '', namespaces: '', pid: process.pid, startTicks };
    const { promise, resolve } = Promise.withResolvers<string>();
    const watchdogProcess = spawnWatchdogProcess(identity, true, undefined, resolve);
    const child = await waitFor('a child', () =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1')
        .split(' ')
        .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'latin1').startsWith('bash')),
    );
    const targetsOf = (pid: string): string[] =>
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return []; // closed in the meantime
        }
      });
    const ours = readlinkSync('/proc/self/fd/1');
    const [input, ...rest] = targetsOf(child);
    watchdogProcess.end();
    assert.equal(await promise, 'it ended with status 0');
    assert.match(input ?? '', /^(pipe|socket):/);
    assert.deepEqual(rest.slice(0, 2), ['/dev/null', '/dev/null']);
    assert.ok(!rest.includes(ours), `${ours} is among ${rest.join()}`);
  });
});

void describe('the proof', () => {
  void it('a renewal whose keepalive comes over another connection is made anew at once and moves nothing', async () => {
    const { stage, etcd } = await stageThatHolds();
    await stage.clock.advance(100);
    const before = deadlineOf(stage);
    let keepAlives = 0;
    stage.fake.onCall = (call) => {
      if (call.name === 'keepAlive') keepAlives += 1;
      if (call.name === 'keepAlive' && keepAlives === 1)
        call.answer('keepAlive', { ttlMs: 9_000, connection: 2 as ConnectionId });
      else etcd.serve(call);
    };
    await stage.clock.advance(1_900);
    await settle();
    assert.deepEqual([keepAlives, deadlineOf(stage)], [1, before]);
    await stage.clock.advance(110);
    assert.equal(keepAlives, 2);
    assert.ok(deadlineOf(stage) > before);
  });

  for (const members of [1, 2]) {
    const outcome = members === 1 ? 'loses the lock' : 'is not used any more';
    void it(`of ${members} endpoints, one where two members answer on one connection ${outcome}`, async () => {
      const { stage, etcd } = await stageThatHolds(members);
      await stage.clock.advance(100);
      const before = deadlineOf(stage);
      stage.fake.onCall = (call) => {
        if (call.name === 'keepAlive')
          call.answer('keepAlive', { ttlMs: 9_000, header: headerOf({ memberId: '2' }) });
        else etcd.serve(call);
      };
      await stage.clock.advance(2_000);
      if (members === 1) {
        assert.deepEqual([stage.stdout, deadlineOf(stage)], [['0', 'closed'], before]);
        assert.match(
          stage.errors.join(),
          /^Lock lost - etcd at .*several members answer on one connection.*hosts$/,
        );
        return;
      }
      const asked = stage.fake.calls.length;
      await stage.clock.advance(8_000);
      assert.deepEqual([stage.stdout, stage.fake.calls.length], [['0'], asked]);
    });
  }

  void it('a keepalive that is answered after the old deadline moves nothing', async () => {
    const { stage, etcd } = await stageThatHolds();
    const deadlineMs = deadlineOf(stage);
    const held: FakeCall[] = [];
    stage.fake.onCall = (call) => {
      if (call.name === 'keepAlive') held.push(call);
      else etcd.serve(call);
    };
    await stage.clock.advance(2_100);
    assert.ok(held.length > 0);
    await stage.clock.stall(20_000, () => {
      held.forEach(etcd.serve);
    });
    assert.equal(deadlineOf(stage), deadlineMs);
    assert.deepEqual(stage.stdout, ['0', 'closed']);
  });
});
