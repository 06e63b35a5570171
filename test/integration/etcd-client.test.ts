// The transport alone, on real members of each release of etcd: each call of the port, and what it rejects with.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { leaseHex } from '../../src/cluster/member.ts';
import { ETCD_RELEASES, EtcdCluster, etcdPackageVersion } from '../support/etcd-cluster.ts';
import { errorOf, newLeaseId, reach, recordWatch, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

/** The index of the last entry of the raft log that the first member has applied. */
async function raftIndex(cluster: EtcdCluster): Promise<number> {
  const status = await cluster.etcdctl(['endpoint', 'status', '-w', 'json']);
  const index = /"raftAppliedIndex":(\d+)/.exec(status)?.[1];
  assert.ok(index !== undefined, status);
  return Number(index);
}

let lastDirectory = 0;
function newDirectory(): string {
  lastDirectory += 1;
  return `/_locks/_ctdb/T${lastDirectory}/`;
}

for (const release of ETCD_RELEASES) {
  void describe(`the transport on etcd ${etcdPackageVersion(release)}`, () => {
    let cluster: EtcdCluster;
    before(async () => {
      cluster = await EtcdCluster.start({ release });
    });
    after(() => cluster.stop());

    test('a lease is granted with the chosen ID, asked about, renewed and revoked', async () => {
      using member = await reach(cluster.hosts);
      const leaseId = newLeaseId();
      const granted = await member.grant(leaseId, 8_500, withinMs());
      assert.equal(granted.ttlMs, 9_000, 'whole seconds, never fewer than asked for');
      assert.deepEqual(await cluster.leases(), [leaseHex(leaseId)]);
      const told = await member.timeToLive(leaseId, withinMs());
      assert.equal(told.grantedTtlMs, 9_000);
      assert.ok(told.remainingMs >= 7_000 && told.remainingMs <= 9_000, String(told.remainingMs));
      const renewed = await member.keepAlive(leaseId, withinMs());
      assert.equal(renewed.ttlMs, 9_000);
      assert.equal(renewed.header.clusterId, granted.header.clusterId);
      assert.match(renewed.header.memberId, /^\d+$/);
      assert.ok(renewed.header.raftTerm > 0n);
      await member.revoke(leaseId, withinMs());
      assert.deepEqual(await cluster.leases(), []);
    });

    test('a lease that the server does not know: an answer to renewals and questions, an error to revokes', async () => {
      using member = await reach(cluster.hosts);
      const leaseId = newLeaseId();
      assert.equal((await member.keepAlive(leaseId, withinMs())).ttlMs, 0);
      const told = await member.timeToLive(leaseId, withinMs());
      assert.ok(told.remainingMs < 0);
      assert.equal(told.grantedTtlMs, 0);
      const error = await errorOf(member.revoke(leaseId, withinMs()));
      assert.deepEqual([error.kind, error.endpoint], ['leaseNotFound', cluster.hosts]);
    });

    test('a second grant of the same ID rejects with leaseExists', async () => {
      using member = await reach(cluster.hosts);
      const leaseId = newLeaseId();
      await member.grant(leaseId, 9_000, withinMs());
      assert.equal((await errorOf(member.grant(leaseId, 9_000, withinMs()))).kind, 'leaseExists');
      await member.revoke(leaseId, withinMs());
    });

    test('the lock goes to one contender, and the other is told whose it is', async () => {
      using member = await reach(cluster.hosts);
      const directory = newDirectory();
      const [first, second] = [newLeaseId(), newLeaseId()];
      for (const leaseId of [first, second]) await member.grant(leaseId, 9_000, withinMs());
      const keyOf = (leaseId: typeof first): string => `${directory}${leaseHex(leaseId)}`;
      const won = await member.putIfEmpty(directory, keyOf(first), 'one "ä"', first, withinMs());
      assert.deepEqual([won.succeeded, won.oldest], [true, null]);
      const lost = await member.putIfEmpty(directory, keyOf(second), 'two', second, withinMs());
      assert.equal(lost.succeeded, false);
      assert.deepEqual(lost.oldest, {
        key: keyOf(first),
        value: 'one "ä"',
        leaseId: first,
        createRevision: won.header.revision,
        modRevision: won.header.revision,
      });
      assert.deepEqual((await member.readKey(keyOf(first), withinMs())).oldest, lost.oldest);
      assert.deepEqual((await member.readOldest(directory, withinMs())).oldest, lost.oldest);
      assert.equal((await member.readKey(keyOf(second), withinMs())).oldest, null);
      await member.revoke(first, withinMs());
      assert.equal((await member.readOldest(directory, withinMs())).oldest, null);
      await member.revoke(second, withinMs());
    });

    test('neighbors of the directory are not in it, and the oldest is the one created first', async () => {
      using member = await reach(cluster.hosts);
      const directory = newDirectory();
      const outside = [directory.slice(0, -1), `${directory.slice(0, -1)}.x`, `${directory.slice(0, -1)}0`];
      for (const key of outside) await cluster.etcdctl(['put', key, 'x']);
      assert.equal((await member.readOldest(directory, withinMs())).oldest, null);
      await cluster.etcdctl(['put', `${directory}z`, 'first']);
      await cluster.etcdctl(['put', `${directory}a`, 'second']);
      await cluster.etcdctl(['put', `${directory}z`, 'again']);
      const { oldest } = await member.readOldest(directory, withinMs());
      assert.deepEqual([oldest?.key, oldest?.value, oldest?.leaseId], [`${directory}z`, 'again', '0']);
      assert.ok(oldest !== null && oldest.modRevision > oldest.createRevision);
    });

    test('a key is confirmed through the log: no revision, no watch event, and the connection is told', async () => {
      using member = await reach(cluster.hosts);
      const directory = newDirectory();
      const leaseId = newLeaseId();
      await member.grant(leaseId, 9_000, withinMs());
      const key = `${directory}${leaseHex(leaseId)}`;
      const { header, connection } = await member.putIfEmpty(directory, key, 'x', leaseId, withinMs());
      const { events, stop } = recordWatch(member, key, header.revision + 1n);
      const indexBefore = await raftIndex(cluster);
      const confirmed = await member.confirmKey(key, header.revision, withinMs());
      const renewed = await member.keepAlive(leaseId, withinMs());
      assert.equal((await raftIndex(cluster)) - indexBefore, 1);
      assert.deepEqual(
        [confirmed.found?.leaseId, confirmed.found?.createRevision],
        [leaseId, header.revision],
      );
      assert.deepEqual(
        [confirmed.header.revision, renewed.header.revision],
        [header.revision, header.revision],
      );
      assert.deepEqual([confirmed.connection, renewed.connection], [connection, connection]);
      // Of another creation: told, and nothing is deleted.
      const other = await member.confirmKey(key, header.revision + 1n, withinMs());
      assert.deepEqual(
        [other.found?.createRevision, other.header.revision],
        [header.revision, header.revision],
      );
      await member.revoke(leaseId, withinMs());
      assert.equal((await member.confirmKey(key, header.revision, withinMs())).found, null);
      await waitFor('the deletion is told', () => events.length > 0);
      stop();
      assert.deepEqual(events, ['delete']);
      using elsewhere = await reach(cluster.hosts);
      assert.notEqual((await elsewhere.confirmKey(key, 1n, withinMs())).connection, connection);
    });

    test('a lock under a lease that is gone rejects with leaseNotFound and puts nothing', async () => {
      using member = await reach(cluster.hosts);
      const directory = newDirectory();
      const leaseId = newLeaseId();
      const error = await errorOf(member.putIfEmpty(directory, `${directory}x`, 'x', leaseId, withinMs()));
      assert.equal(error.kind, 'leaseNotFound');
      assert.equal((await member.readOldest(directory, withinMs())).oldest, null);
    });

    test('a watch tells of writes and of the deletion, also of those before it was opened', async () => {
      using member = await reach(cluster.hosts);
      const key = `${newDirectory()}k`;
      await cluster.etcdctl(['put', key, '1']);
      const { oldest } = await member.readKey(key, withinMs());
      assert.ok(oldest !== null);
      await cluster.etcdctl(['put', key, '2']);
      const { events, stop } = recordWatch(member, key, oldest.createRevision + 1n);
      await waitFor('the write is told', () => events.length === 1);
      await cluster.etcdctl(['put', `${key}x`, 'somebody else']);
      await cluster.etcdctl(['del', key]);
      await waitFor('the deletion is told', () => events.length === 2);
      assert.deepEqual(events, ['put', 'delete']);
      stop();
      await cluster.etcdctl(['put', key, '3']);
      await member.readKey(key, withinMs());
      assert.deepEqual(events, ['put', 'delete'], 'nothing after the stop, not even an end');
    });

    test('the end of a lease is told as a deletion', async () => {
      using member = await reach(cluster.hosts);
      const directory = newDirectory();
      const leaseId = newLeaseId();
      await member.grant(leaseId, 9_000, withinMs());
      const { header } = await member.putIfEmpty(directory, `${directory}k`, 'x', leaseId, withinMs());
      const { events } = recordWatch(member, `${directory}k`, header.revision + 1n);
      await cluster.etcdctl(['lease', 'revoke', leaseHex(leaseId)]);
      await waitFor('the deletion is told', () => events.length > 0);
      assert.deepEqual(events, ['delete']);
    });

    test('a watch from a compacted revision ends and says so', async () => {
      using member = await reach(cluster.hosts);
      const key = `${newDirectory()}k`;
      for (const value of ['1', '2', '3']) await cluster.etcdctl(['put', key, value]);
      const { header } = await member.readKey(key, withinMs());
      await cluster.etcdctl(['compact', header.revision.toString()]);
      const { events } = recordWatch(member, key, 1n);
      await waitFor('the watch ends', () => events.length > 0);
      assert.deepEqual(events, [`end: compacted at ${header.revision.toString()}`]);
    });

    test('a stopped member: calls fail, the watch ends, and both work again after its start', async () => {
      using member = await reach(cluster.hosts);
      const key = `${newDirectory()}k`;
      await cluster.etcdctl(['put', key, '1']);
      const { oldest, header } = await member.readKey(key, withinMs());
      const { events } = recordWatch(member, key, header.revision + 1n);
      await member.readKey(key, withinMs());
      await cluster.member(0).stop();
      await waitFor('the watch ends', () => events.length > 0);
      assert.match(events.join(), /^end: /);
      const error = await errorOf(member.readKey(key, withinMs()));
      assert.deepEqual([error.kind, error.message], ['unavailable', 'connection refused']);
      cluster.member(0).start();
      await cluster.member(0).healthy();
      // A dial that failed is not repeated for a second at most.
      const answer = await waitFor('the member answers', () =>
        member.readKey(key, withinMs()).catch(() => undefined),
      );
      assert.deepEqual(answer.oldest, oldest);
    });
  });
}
