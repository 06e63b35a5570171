import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EtcdError } from '../../../src/base/errors.ts';
import type { Header, KeyValue, LeaseId, MemberList } from '../../../src/cluster/member.ts';
import { askStore, inspectEndpoint, requireFit } from '../../../src/lock/one-store.ts';
import { type FakeCall, FakeMember, headerOf } from '../../support/fake-member.ts';
import { LEASE } from '../../support/fake-stage.ts';

const HOME = { endpoint: 'a:1', clusterId: '7', memberId: '1' };
const HELD = {
  key: '/d/1a',
  leaseId: LEASE,
  createRevision: 5n,
  value: 'by a:1',
  home: HOME,
  restartedAtMs: 0,
};
const OURS: KeyValue = {
  key: '/d/1a',
  leaseId: LEASE,
  createRevision: 5n,
  modRevision: 5n,
  value: 'by a:1',
};
const call = { signal: new AbortController().signal };

function answering(answer: (asked: FakeCall) => void): FakeMember {
  const fake = new FakeMember('b:1');
  fake.onCall = answer;
  return fake;
}

/** What an endpoint is taken for that shows this to a read, and that to the transaction through the log. */
async function verdict(read: KeyValue | null | 'stale', logged: KeyValue | null | 'stale'): Promise<string> {
  const fake = answering((asked) => {
    const shown = asked.name === 'readKey' ? read : logged;
    if (shown === 'stale') asked.refuse('stale');
    else if (asked.name === 'readKey') asked.answer('readKey', { oldest: shown });
    else asked.answer('confirmKey', { found: shown });
  });
  const answer = await askStore(fake, call, HELD);
  const names = fake.calls.map(({ name }) => name).join();
  return `${answer.isSame ? 'same' : answer.error.kind} by ${names}`;
}

const OTHERS: Readonly<Record<string, KeyValue | null>> = {
  'no key': null,
  'the key under another lease, as make-mirror copies it': { ...OURS, leaseId: '0' as LeaseId },
  'the key in another create revision': { ...OURS, createRevision: 6n, modRevision: 6n },
  'the key of a try that was sent there as well': { ...OURS, value: 'by b:1' },
};

void describe('whether an endpoint leads to the store of the lock', () => {
  void it('is told by a read of the very key', async () => {
    assert.equal(await verdict(OURS, null), 'same by readKey');
  });

  void it('does not depend on the value once somebody has written to the key', async () => {
    assert.equal(await verdict({ ...OURS, value: 'x', modRevision: 9n }, null), 'same by readKey');
  });

  for (const [what, other] of Object.entries(OTHERS)) {
    void it(`is denied by ${what}, if the log shows that too`, async () => {
      assert.equal(await verdict(other, other), 'otherStore by readKey,confirmKey');
      assert.equal(await verdict(other, OURS), 'same by readKey,confirmKey');
    });
  }

  void it('is denied by a log that is behind what the store has shown', async () => {
    assert.equal(await verdict('stale', 'stale'), 'otherStore by readKey,confirmKey');
    assert.equal(await verdict('stale', OURS), 'same by readKey,confirmKey');
  });

  void it('stays open when the member does not say', async () => {
    const fake = answering((asked) => {
      asked.refuse('noLeader');
    });
    await assert.rejects(askStore(fake, call, HELD), { kind: 'noLeader' });
  });

  void it('is told with both stores by name', async () => {
    const fake = answering((asked) => {
      const header = headerOf({ clusterId: '206', memberId: '10276657743932975437' });
      if (asked.name === 'readKey') asked.answer('readKey', { header, oldest: null });
      else asked.answer('confirmKey', { header, found: null });
    });
    const answer = await askStore(fake, call, HELD);
    assert.ok(!answer.isSame);
    assert.deepEqual(
      [answer.error.endpoint, answer.error.message],
      [
        'b:1',
        'is another store (cluster ce, member 8e9e05c52164694d) than a:1 (cluster 0x7, member 0x1), which has the key of the lock',
      ],
    );
  });
});

/** How an endpoint is seen that answers like this: with what its member list says, or as a proxy. */
async function inspected(
  list: Partial<MemberList> | 'refused',
  ttlMs: number | 'refused',
): Promise<string | undefined> {
  const fake = answering((asked) => {
    if (asked.name === 'listMembers') {
      if (list === 'refused') asked.refuse('permission');
      else asked.answer('listMembers', list);
    } else if (ttlMs === 'refused') asked.refuse('permission');
    else asked.answer('keepAlive', { ttlMs });
  });
  try {
    const found = await inspectEndpoint(fake, call, LEASE);
    assert.ok(fake.callsOf('keepAlive').every(({ leaseId }) => leaseId !== LEASE));
    return found?.members.map(({ id }) => id).join();
  } catch (error) {
    assert.ok(error instanceof EtcdError);
    return error.kind;
  }
}

void describe('a proxy', () => {
  const members = [{ id: '1', clientUrls: ['http://a:1'] }];
  const header: Header = headerOf();

  void it('is not seen where etcd answers', async () => {
    assert.equal(await inspected({ header, members }, 0), '1');
  });

  void it('is known by a member list without a header, or with what is no member', async () => {
    assert.equal(await inspected({ header: null, members }, 0), 'proxy');
    assert.equal(await inspected({ header, members: [{ id: '0', clientUrls: [] }] }, 0), 'proxy');
  });

  void it('is known by a TTL below 0 of a lease that does not exist', async () => {
    assert.equal(await inspected({ header, members }, -1_000), 'proxy');
  });

  void it('is not seen in refusals', async () => {
    assert.equal(await inspected('refused', 'refused'), undefined);
  });
});

/** Whether three endpoints, of which only the first has answered, can belong to a cluster with these addresses. */
function fits(urls: readonly (readonly string[])[], silent = ['10.0.0.2:2379', '10.0.0.3:2379']): boolean {
  const home = { ...HOME, endpoint: '10.0.0.1:2379' };
  const members = urls.map((clientUrls, index) => ({ id: String(index + 1), clientUrls }));
  try {
    requireFit(home, { header: headerOf(), members }, [home.endpoint, ...silent], silent);
    return true;
  } catch (error) {
    assert.ok(error instanceof EtcdError && error.kind === 'otherStore');
    return false;
  }
}

void describe('endpoints that are silent', () => {
  void it('can be the other members', () => {
    assert.ok(fits([['http://10.0.0.1:2379'], ['http://10.0.0.2:2379'], ['http://10.0.0.3:2379']]));
  });

  void it('cannot be of a cluster that has fewer addresses', () => {
    assert.ok(!fits([['http://localhost:2379']]));
    assert.ok(!fits([['http://etcd1:2379'], ['http://etcd2:2379']]));
    assert.ok(!fits([['http://localhost:2379']], ['10.0.0.2:2379']));
  });

  void it('can be other addresses of one member', () => {
    assert.ok(fits([['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'http://10.0.0.3:2379']]));
  });

  void it('can be members that have not said their addresses yet', () => {
    assert.ok(fits([['http://10.0.0.1:2379'], [], []]));
  });

  void it('can be members that are listed by name, or reached by other addresses than they say', () => {
    assert.ok(fits([['http://etcd1:2379'], ['http://etcd2:2379'], ['http://etcd3:2379']]));
    assert.ok(fits([['http://192.168.0.1:2379'], ['http://192.168.0.2:2379'], ['http://192.168.0.3:2379']]));
    const byName = ['etcd2:2379', 'etcd3:2379'];
    assert.ok(fits([['http://10.0.0.1:2379'], ['http://10.0.0.2:2379'], ['http://10.0.0.3:2379']], byName));
  });

  void it('cannot be members of a cluster that has other addresses, written alike', () => {
    assert.ok(!fits([['http://10.0.0.1:2379'], ['http://10.0.9.2:2379'], ['http://10.0.9.3:2379']]));
    assert.ok(!fits([['http://10.0.0.1:2379'], ['http://10.0.0.2:2380'], ['http://10.0.0.3:2379']]));
  });
});
