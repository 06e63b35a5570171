import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConnectionId, Header, KeyValue, LeaseId } from '../../../src/cluster/member.ts';
import { renewOn, type Renewal } from '../../../src/lock/renewal.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeMember, headerOf } from '../../support/fake-member.ts';
import { LEASE } from '../../support/fake-stage.ts';

const HELD = { key: '/d/1a', leaseId: LEASE, createRevision: 5n };
const OURS: KeyValue = { ...HELD, value: '', modRevision: 5n };
const call = { signal: new AbortController().signal };

interface Answers {
  readonly ttlMs?: number;
  readonly keepAlive?: Partial<Header>;
  readonly confirm?: Partial<Header>;
  readonly found?: KeyValue | null;
  /** That the keepalive comes over; the transaction comes over 1. */
  readonly connection?: number;
}

/** One renewal that is answered like this. */
function renew(answers: Answers, fake = new FakeMember('a:1')): Promise<Renewal> {
  const { ttlMs = 9_000, keepAlive, confirm, found = OURS, connection = 1 } = answers;
  fake.onCall = (asked) => {
    if (asked.name === 'keepAlive')
      asked.answer('keepAlive', {
        header: headerOf(keepAlive),
        ttlMs,
        connection: connection as ConnectionId,
      });
    else asked.answer('confirmKey', { header: headerOf(confirm), found });
  };
  return renewOn(fake, call, HELD, new FakeClock());
}

void describe('one renewal', () => {
  void it('is proven by a transaction and a keepalive that one member answers over one connection', async () => {
    assert.deepEqual(await renew({ confirm: { revision: 12n } }), {
      kind: 'proven',
      sentAtMs: 1_000,
      ttlMs: 9_000,
      revision: 12n,
    });
  });

  void it('counts from the send of the transaction, and keeps the lease alive only after its answer', async () => {
    const fake = new FakeMember('a:1');
    const clock = new FakeClock();
    const renewal = renewOn(fake, call, HELD, clock);
    await clock.advance(700);
    assert.deepEqual(
      fake.calls.map(({ name }) => name),
      ['confirmKey'],
    );
    fake.last.answer('confirmKey', { found: OURS });
    await settle();
    await clock.advance(700);
    assert.deepEqual(
      fake.calls.map(({ name }) => name),
      ['confirmKey', 'keepAlive'],
    );
    fake.last.answer('keepAlive', { ttlMs: 9_000 });
    const proven = await renewal;
    assert.ok(proven.kind === 'proven');
    assert.equal(proven.sentAtMs, 1_000);
  });

  for (const [what, keepAlive] of [
    ['another member', { memberId: '2' }],
    ['a member of another cluster', { clusterId: '8' }],
  ] as const) {
    void it(`proves nothing when ${what} answers the keepalive`, async () => {
      await assert.rejects(renew({ keepAlive }), { kind: 'proxy', endpoint: 'a:1' });
    });
  }

  void it("knows etcd's grpc-proxy by a TTL below 0", async () => {
    await assert.rejects(renew({ ttlMs: -1_000 }), { kind: 'proxy' });
  });

  void it('proves nothing when the keepalive is answered over another connection', async () => {
    await assert.rejects(renew({ connection: 2 }), { kind: 'unproven', endpoint: 'a:1' });
  });

  for (const raftTerm of [1n, 3n]) {
    void it(`does not go by the raft term of headers, such as ${raftTerm} after 2`, async () => {
      assert.equal((await renew({ keepAlive: { raftTerm } })).kind, 'proven');
    });
  }

  void it('proves nothing when the lease is unknown while its key is there', async () => {
    await assert.rejects(renew({ ttlMs: 0 }), { kind: 'unproven' });
  });

  void it('finds the key gone without a keepalive', async () => {
    const fake = new FakeMember('a:1');
    assert.deepEqual(await renew({ found: null }, fake), {
      kind: 'keyLost',
      how: 'the key was deleted, or its lease ended',
    });
    assert.deepEqual(fake.callsOf('keepAlive'), []);
  });

  void it('sees that the key belongs to another lease, to none, or was created anew', async () => {
    for (const found of [
      { ...OURS, leaseId: '27' as LeaseId },
      { ...OURS, leaseId: '0' as LeaseId },
      { ...OURS, createRevision: 6n },
    ]) {
      assert.equal((await renew({ found })).kind, 'keyLost');
    }
  });

  void it('does not mind that somebody wrote to the key', async () => {
    assert.equal((await renew({ found: { ...OURS, value: 'x', modRevision: 9n } })).kind, 'proven');
  });

  void it('fails with what the member failed with', async () => {
    const fake = new FakeMember('a:1');
    fake.onCall = (asked) => {
      asked.refuse('noLeader');
    };
    await assert.rejects(renewOn(fake, call, HELD, new FakeClock()), { kind: 'noLeader' });
  });
});
