import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { acquire, type Acquisition } from '../../../src/lock/acquire.ts';
import { EtcdError } from '../../../src/base/errors.ts';
import type { LeaseId } from '../../../src/cluster/member.ts';
import type { LeaseSession } from '../../../src/lock/lease.ts';
import { settle } from '../../support/fake-clock.ts';
import { KindEtcd } from '../../support/fake-member.ts';
import { DIRECTORY, FakeStage, holderValue, LEASE } from '../../support/fake-stage.ts';

const OTHER = '255' as LeaseId;

/** What is asked beside the grant, to know a proxy. */
const LOOKED_AT = ['listMembers', 'keepAlive'];

interface Scene {
  readonly stage: FakeStage;
  readonly etcd: KindEtcd;
  readonly sessions: LeaseSession[];
  readonly outcome: () => Acquisition | EtcdError | undefined;
  readonly names: () => string[];
}

function begin(prepare: (stage: FakeStage, etcd: KindEtcd) => void, signal?: AbortSignal): Scene {
  const stage = new FakeStage(1);
  const etcd = new KindEtcd();
  stage.serveAll(etcd.serve);
  prepare(stage, etcd);
  const sessions: LeaseSession[] = [];
  const tools = { ...stage.tools(), onLeaseSession: (session: LeaseSession) => void sessions.push(session) };
  let outcome: Acquisition | EtcdError | undefined;
  acquire(
    DIRECTORY,
    tools,
    stage.clock.now() + stage.timing.answerMs,
    signal ?? new AbortController().signal,
  ).then(
    (found) => {
      outcome = found;
    },
    (error: unknown) => {
      assert.ok(error instanceof EtcdError);
      outcome = error;
    },
  );
  return {
    stage,
    etcd,
    sessions,
    outcome: () => outcome,
    names: () => stage.allCalls.map(({ name }) => name),
  };
}

function hold(etcd: KindEtcd, value: string): void {
  etcd.leaseId = OTHER;
  etcd.key = {
    key: `${DIRECTORY}ff`,
    value,
    leaseId: OTHER,
    createRevision: 9n,
    modRevision: 9n,
  };
}

void describe('acquiring', () => {
  void it('a free lock takes a look, a grant and a transaction', async () => {
    const scene = begin(() => undefined);
    await settle();
    const found = scene.outcome();
    assert.ok(found !== undefined && 'kind' in found && found.kind === 'held');
    assert.deepEqual(found.held, {
      key: `${DIRECTORY}1a`,
      leaseId: LEASE,
      createRevision: 11n,
      value: holderValue(scene.stage.self, scene.stage.timing),
      home: { endpoint: 'etcd0:2379', clusterId: '7', memberId: '1' },
      restartedAtMs: 1_000,
    });
    assert.deepEqual(scene.names(), ['readOldest', 'grant', ...LOOKED_AT, 'lock', 'keepAlive']);
    assert.equal(scene.sessions.length, 1);
  });

  void it('a lock that is held leaves no trace in etcd', async () => {
    const scene = begin((stage, etcd) => {
      hold(etcd, holderValue({ ...stage.self, bootId: 'another' }, stage.timing));
    });
    await settle();
    const found = scene.outcome();
    assert.ok(found !== undefined && 'holder' in found);
    assert.equal(found.holder.key, `${DIRECTORY}ff`);
    assert.deepEqual([scene.names(), scene.sessions], [['readOldest', 'timeToLive'], []]);
  });

  void it('a lock of etcdctl, whose value is empty, is contention without a question', async () => {
    const scene = begin((_, etcd) => {
      hold(etcd, '');
    });
    await settle();
    assert.ok(scene.outcome() !== undefined);
    assert.deepEqual(scene.names(), ['readOldest']);
  });

  void it('a dead neighbor is revoked and its lock taken in the same run', async () => {
    const scene = begin((stage, etcd) => {
      stage.isDead = true;
      hold(etcd, holderValue(stage.self, stage.timing));
    });
    await settle();
    const found = scene.outcome();
    assert.ok(found !== undefined && 'kind' in found && found.kind === 'held');
    assert.deepEqual(scene.names(), [
      'readOldest',
      'revoke',
      'readOldest',
      'grant',
      ...LOOKED_AT,
      'lock',
      'keepAlive',
    ]);
  });

  void it('a race that is lost is contention; the release revokes the lease', async () => {
    const scene = begin((stage, etcd) => {
      stage.fake.onCall = (call) => {
        if (call.name === 'lock') {
          const { leaseId } = etcd;
          hold(etcd, holderValue({ ...stage.self, bootId: 'another' }, stage.timing));
          etcd.leaseId = leaseId;
        }
        etcd.serve(call);
      };
    });
    await settle();
    const found = scene.outcome();
    assert.ok(found !== undefined && 'holder' in found);
    assert.equal(scene.sessions[0]?.firstSentAtMs !== undefined, true);
  });

  void it('sends nothing new once nobody wants the lock any more', async () => {
    const stop = new AbortController();
    const scene = begin((stage, etcd) => {
      stage.fake.onCall = (call) => {
        if (call.name !== 'grant') etcd.serve(call);
      };
    }, stop.signal);
    await settle();
    stop.abort('unwanted');
    scene.stage.fake.callsOf('grant').forEach(scene.etcd.serve);
    await settle();
    assert.ok(scene.outcome() instanceof EtcdError);
    assert.deepEqual(scene.names(), ['readOldest', 'grant', ...LOOKED_AT]);
  });

  void it('fails with what a member that refuses says', async () => {
    for (const kind of ['permission', 'auth', 'noSpace'] as const) {
      const scene = begin((stage) => {
        stage.serveAll((call) => {
          call.refuse(kind);
        });
      });
      await settle();
      const found = scene.outcome();
      assert.ok(found instanceof EtcdError && found.kind === kind);
    }
  });
});
