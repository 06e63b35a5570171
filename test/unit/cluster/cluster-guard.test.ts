import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClusterGuard } from '../../../src/cluster/cluster-guard.ts';
import { EtcdError } from '../../../src/base/errors.ts';
import type { ConnectionId, Header, LeaseId, Member } from '../../../src/cluster/member.ts';
import { FakeMember, headerOf } from '../../support/fake-member.ts';

const LEASE = '26' as LeaseId;
const call = { signal: new AbortController().signal };

function guarded(expected?: string): { fake: FakeMember; member: Member } {
  const fake = new FakeMember('a:1');
  return { fake, member: new ClusterGuard(expected).guard(fake) };
}

/** Asks and has the member answer with this header; 'believed', or the kind of the error. */
async function hear(
  { fake, member }: { fake: FakeMember; member: Member },
  how: 'readKey' | 'keepAlive',
  header: Partial<Header>,
): Promise<string> {
  const asked = how === 'readKey' ? member.readKey('k', call) : member.keepAlive(LEASE, call);
  if (how === 'readKey') fake.last.answer('readKey', { header: headerOf(header), oldest: null });
  else fake.last.answer('keepAlive', { header: headerOf(header), ttlMs: 1 });
  try {
    await asked;
    return 'believed';
  } catch (error) {
    assert.ok(error instanceof EtcdError);
    return error.kind;
  }
}

void describe('ClusterGuard', () => {
  void it('refuses a member whose revision has gone back', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'keepAlive', { revision: 20n }), 'believed');
    assert.equal(await hear(both, 'keepAlive', { revision: 19n }), 'stale');
    assert.equal(await hear(both, 'keepAlive', { revision: 20n }), 'believed');
  });

  void it('refuses for now an answer with an earlier raft term that no entry of the log made', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'readKey', { raftTerm: 5n }), 'believed');
    assert.equal(await hear(both, 'keepAlive', { raftTerm: 4n }), 'lagging');
    assert.equal(await hear(both, 'readKey', { raftTerm: 4n }), 'lagging');
    assert.equal(await hear(both, 'readKey', { memberId: '9', raftTerm: 4n }), 'lagging');
    assert.equal(await hear(both, 'keepAlive', { raftTerm: 5n }), 'believed');
  });

  void it('believes an entry of the log whatever raft term the header shows, but no earlier revision', async () => {
    const { fake, member } = guarded();
    const answers = [
      { header: headerOf({ raftTerm: 5n, revision: 20n }), found: null },
      { header: headerOf({ raftTerm: 4n, revision: 20n }), found: null },
      { header: headerOf({ raftTerm: 5n, revision: 19n }), found: null },
    ];
    const kinds: string[] = [];
    for (const answer of answers) {
      const asked = member.confirmKey('k', 1n, call);
      fake.last.answer('confirmKey', answer);
      kinds.push(
        await asked.then(
          () => 'believed',
          (error: unknown) => (error as EtcdError).kind,
        ),
      );
    }
    assert.deepEqual(kinds, ['believed', 'believed', 'stale']);
  });

  void it('lets another member lag behind in what needs no quorum', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'readKey', { memberId: '1', revision: 20n }), 'believed');
    both.fake.connection = 2 as ConnectionId;
    assert.equal(await hear(both, 'keepAlive', { memberId: '2', revision: 15n }), 'believed');
  });

  void it('lets no member lag behind in a read that went through a quorum', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'readKey', { memberId: '1', revision: 20n }), 'believed');
    assert.equal(await hear(both, 'readKey', { memberId: '2', revision: 15n }), 'stale');
  });

  void it('compares with what was known at the send, so that answers may overtake each other', async () => {
    const { fake, member } = guarded();
    const [early, late] = [member.readKey('k', call), member.readKey('k', call)];
    fake.calls[1]?.answer('readKey', { header: headerOf({ revision: 30n }), oldest: null });
    await late;
    fake.calls[0]?.answer('readKey', { header: headerOf({ revision: 20n }), oldest: null });
    await early;
  });

  void it('takes the first cluster that answers for ours, and refuses another', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'readKey', { clusterId: '7' }), 'believed');
    assert.equal(await hear(both, 'readKey', { clusterId: '8' }), 'otherStore');
  });

  void it('refuses another cluster by its member list', async () => {
    const { fake, member } = guarded();
    const asked = [member.readKey('k', call), member.listMembers(call)];
    fake.calls[0]?.answer('readKey', { oldest: null });
    await asked[0];
    fake.calls[1]?.answer('listMembers', { header: headerOf({ clusterId: '8' }), members: [] });
    await assert.rejects(asked[1] ?? Promise.resolve(), {
      kind: 'otherStore',
      message: 'belongs to etcd cluster 0x8, and a:1 to 0x7',
    });
  });

  void it('refuses two members on one connection, and an answer that names none', async () => {
    const both = guarded();
    assert.equal(await hear(both, 'keepAlive', { memberId: '1' }), 'believed');
    assert.equal(await hear(both, 'keepAlive', { memberId: '2' }), 'proxy');
    both.fake.connection = 2 as ConnectionId;
    assert.equal(await hear(both, 'keepAlive', { memberId: '2' }), 'believed');
    both.fake.connection = 3 as ConnectionId;
    assert.equal(await hear(both, 'keepAlive', { memberId: '0' }), 'proxy');
  });

  void it('refuses even the first answer when it is not from the cluster that is expected', async () => {
    assert.equal(await hear(guarded('9'), 'readKey', { clusterId: '7' }), 'wrongCluster');
    assert.equal(await hear(guarded('7'), 'readKey', { clusterId: '7' }), 'believed');
  });

  void it('learns nothing from an answer that it refused', async () => {
    const both = guarded('7');
    assert.equal(
      await hear(both, 'readKey', { clusterId: '8', revision: 99n, raftTerm: 99n }),
      'wrongCluster',
    );
    assert.equal(await hear(both, 'readKey', { revision: 10n }), 'believed');
  });

  void it('checks every kind of answer', async () => {
    const { fake, member } = guarded('9');
    const askEverything = (): Promise<unknown>[] => [
      member.grant(LEASE, 1, call),
      member.revoke(LEASE, call),
      member.keepAlive(LEASE, call),
      member.timeToLive(LEASE, call),
      member.readKey('k', call),
      member.readOldest('d/', call),
      member.putIfEmpty('d/', 'd/k', 'v', LEASE, call),
    ];
    fake.onCall = (each) => {
      each.explode(new Error('reached the member'));
    };
    for (const question of askEverything()) await assert.rejects(question, /reached the member/);
    fake.onCall = (each) => {
      each.answer(each.name, {});
    };
    for (const question of askEverything()) await assert.rejects(question, { kind: 'wrongCluster' });
  });

  void it('hands the rest through', () => {
    const { fake, member } = guarded();
    member.connect();
    member.close();
    const stop = member.watch('k', 5n, {
      onDelete: () => undefined,
      onPut: () => undefined,
      onEnd: () => undefined,
    });
    stop();
    assert.deepEqual([fake.connects, fake.closes, fake.watches[0]?.isStopped], [1, 1, true]);
    assert.equal(member.endpoint, 'a:1');
  });
});
