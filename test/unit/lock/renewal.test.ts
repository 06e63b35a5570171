import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Header, KeyValue, LeaseId } from '../../../src/cluster/member.ts';
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
  readonly read?: Partial<Header>;
  readonly found?: KeyValue | null;
}

/** One renewal that is answered like this. */
function renew({ ttlMs = 9_000, keepAlive, read, found = OURS }: Answers): Promise<Renewal> {
  const fake = new FakeMember('a:1');
  fake.onCall = (asked) => {
    if (asked.name === 'keepAlive') asked.answer('keepAlive', { header: headerOf(keepAlive), ttlMs });
    else asked.answer('readKey', { header: headerOf(read), oldest: found });
  };
  return renewOn(fake, call, HELD, new FakeClock());
}

void describe('one renewal', () => {
  void it('is proven by a keepalive and a read that agree on the raft term', async () => {
    const { kind } = await renew({ read: { revision: 12n } });
    assert.equal(kind, 'proven');
    assert.deepEqual(await renew({ read: { revision: 12n } }), {
      kind: 'proven',
      sentAtMs: 1_000,
      ttlMs: 9_000,
      revision: 12n,
    });
  });

  void it('counts from the send of the keepalive, and reads only after its answer', async () => {
    const fake = new FakeMember('a:1');
    const clock = new FakeClock();
    const renewal = renewOn(fake, call, HELD, clock);
    await clock.advance(700);
    assert.deepEqual(
      fake.calls.map(({ name }) => name),
      ['keepAlive'],
    );
    fake.last.answer('keepAlive', { ttlMs: 9_000 });
    await settle();
    await clock.advance(700);
    fake.last.answer('readKey', { oldest: OURS });
    const proven = await renewal;
    assert.ok(proven.kind === 'proven');
    assert.equal(proven.sentAtMs, 1_000);
  });

  for (const raftTerm of [1n, 3n]) {
    void it(`proves nothing when the read shows raft term ${raftTerm} instead of 2`, async () => {
      await assert.rejects(renew({ read: { raftTerm } }), { kind: 'unproven', endpoint: 'a:1' });
    });
  }

  void it('proves nothing when the lease is unknown while its key is there', async () => {
    await assert.rejects(renew({ ttlMs: 0 }), { kind: 'unproven' });
  });

  void it('tells the loss of the lease from the loss of the key', async () => {
    assert.equal((await renew({ found: null })).kind, 'keyLost');
    assert.equal((await renew({ found: null, ttlMs: 0 })).kind, 'leaseLost');
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
