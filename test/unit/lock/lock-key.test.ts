import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KeyValue, LeaseId } from '../../../src/cluster/member.ts';
import { Members } from '../../../src/cluster/members.ts';
import { lockDirectory, lockPlace, tryLock, type TryLock } from '../../../src/lock/lock-key.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { FakeMember, headerOf } from '../../support/fake-member.ts';
import { DIRECTORY, LEASE } from '../../support/fake-stage.ts';

const TIMING = { attemptMs: 1_500, hedgeDelayMs: 250, retryDelayMs: 100 };
const PLACE = lockPlace(DIRECTORY, LEASE);
const OURS: KeyValue = {
  key: PLACE.key,
  value: 'v',
  leaseId: LEASE,
  createRevision: 11n,
  modRevision: 11n,
};

/** One transaction whose else branch, or success, is this. */
async function lock(oldest: KeyValue | null, succeeded = false): Promise<TryLock> {
  const clock = new FakeClock();
  const fake = new FakeMember('a:1');
  const members = new Members([fake], clock, TIMING);
  const valueFor = (endpoint: string): string => `by ${endpoint}`;
  const { signal } = new AbortController();
  const locked = tryLock(members, PLACE, LEASE, valueFor, clock, clock.now() + 3_000, signal);
  await settle();
  fake.last.answer('lock', { header: headerOf({ revision: 15n }), succeeded, oldest });
  return locked;
}

void describe('the lock in etcd', () => {
  void it('lies where the manual page of samba says', () => {
    assert.equal(lockDirectory('', '_locks/_ctdb', 'NAME'), '/_locks/_ctdb/NAME/');
  });

  void it('has its key named after the lease, in hex without zeros, as etcdctl does', () => {
    assert.equal(PLACE.key, `${DIRECTORY}1a`);
    assert.equal(lockPlace(DIRECTORY, '9223372036854775807' as LeaseId).key, `${DIRECTORY}7fffffffffffffff`);
  });

  void it('is ours from the revision of the transaction', async () => {
    const taken = await lock(null, true);
    assert.ok(taken.kind === 'ours');
    const { createRevision, value, sentAtMs, answer, member } = taken;
    assert.deepEqual([createRevision, value, sentAtMs], [15n, 'by a:1', 1_000]);
    assert.deepEqual([answer.header.revision, answer.connection, member.endpoint], [15n, 1, 'a:1']);
  });

  void it('is ours from its own revision when an earlier try took it', async () => {
    const taken = await lock({ ...OURS, value: 'by b:1' });
    assert.ok(taken.kind === 'ours');
    assert.deepEqual([taken.createRevision, taken.value], [11n, 'by b:1']);
  });

  void it("is another's when key or lease are not ours", async () => {
    const others: readonly KeyValue[] = [
      { ...OURS, key: `${DIRECTORY}1b` },
      { ...OURS, leaseId: '27' as LeaseId },
      { ...OURS, leaseId: '0' as LeaseId },
    ];
    for (const holder of others) assert.deepEqual(await lock(holder), { kind: 'theirs', holder });
  });

  void it('is not believed of an etcd that contradicts itself', async () => {
    await assert.rejects(lock(null), /contradicts itself/);
  });
});
