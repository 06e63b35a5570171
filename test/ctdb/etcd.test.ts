import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdMember } from '../support/etcd-cluster.ts';
import { Bed, SHORT } from './support/bed.ts';
import { LOCK_DIRECTORY } from './support/cluster.ts';
import type { CtdbCluster } from './support/cluster.ts';
import { Judge } from './support/judge.ts';
import type { CtdbNode } from './support/node.ts';

// Which members have their turn, and how often.
const MEMBERS = SHORT ? [0] : [0, 1, 2];
const ROUNDS = SHORT ? 1 : 3;

// Takes CTDB to recovery while etcd is silent: that the lock is lost, asked for in vain, and looked for again.
const EXPECTED_IN_SILENCE = [
  /High RECLOCK latency/,
  /Unable to take cluster lock - unknown error/,
  /Unable to take cluster lock - timeout/,
  /Time out getting recovery lock/,
  /Unexpected error when testing recovery lock/,
  // Nobody holds it any more, and etcd answers again: true.
  /able to take recovery lock/,
  /Took recovery lock from daemon/,
];

void describe('CTDB 4.17 while etcd has its own troubles', () => {
  let bed: Bed;
  let ctdb: CtdbCluster;
  let leader: CtdbNode;
  let judge: Judge;
  let key: string | undefined;

  const keyNow = async (): Promise<string | undefined> => (await bed.etcd.keys(LOCK_DIRECTORY))[0]?.key;

  /** Forces recoveries one after the other until `work` is done; resolves to how many. */
  const recoverDuring = async (work: Promise<unknown>): Promise<number> => {
    const ended = new AbortController();
    const finished = work.finally(() => {
      ended.abort();
    });
    let recoveries = 0;
    while (!ended.signal.aborted) {
      const { status } = await ctdb
        .node(recoveries % 3)
        .run('/usr/bin/ctdb', ['-T', '20', 'recover'], 30_000);
      if (status === 0) recoveries += 1;
    }
    await finished;
    return recoveries;
  };

  const restart = async (member: EtcdMember, signal: NodeJS.Signals): Promise<void> => {
    await member.stop(signal);
    await delay(500); // as long as a service manager waits
    member.start();
    await member.healthy();
  };

  before(async () => {
    bed = await Bed.make();
    ctdb = bed.ctdb;
    for (const node of ctdb.nodes) await node.ctdb('setvar', 'RerecoveryTimeout', '1');
  });

  after(async () => {
    await bed[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    leader = await ctdb.allOk();
    judge = new Judge(ctdb);
    key = await keyNow();
  });

  /** Nothing happened, as far as CTDB can tell. */
  const assertUnmoved = async (): Promise<void> => {
    assert.equal(await ctdb.allOk(), leader);
    assert.equal(await keyNow(), key);
    assert.deepEqual(judge.lines(/Start election|cluster lock/i), []);
    await judge.assertTidy(leader);
    judge.assertNoComplaint();
  };

  void it('does not notice that one member is killed, stays away and comes back', async () => {
    for (const index of MEMBERS) {
      const member = bed.etcd.member(index);
      await member.stop('SIGKILL');
      await recoverDuring(delay(10_000));
      member.start();
      await member.healthy();
      await recoverDuring(delay(2_000));
    }
    await assertUnmoved();
  });

  void it('does not notice that one member is frozen for 20 s', async () => {
    for (const index of MEMBERS) {
      bed.etcd.member(index).freeze();
      await recoverDuring(delay(20_000));
      bed.etcd.member(index).thaw();
      await bed.etcd.member(index).healthy();
    }
    await assertUnmoved();
  });

  void it('does not notice a rolling restart of etcd during a storm of recoveries', async () => {
    const rolling = async (): Promise<void> => {
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const member of bed.etcd.members) {
          await restart(member, 'SIGTERM');
          await delay(2_000);
        }
      }
    };
    const recoveries = await recoverDuring(rolling());
    assert.ok(recoveries > ROUNDS, `${recoveries} recoveries`);
    await assertUnmoved();
  });

  void it('comes back by itself when etcd has lost its majority and found it again, with nobody banned', async () => {
    const [first, second] = [bed.etcd.member(0), bed.etcd.member(1)];
    const fromMs = Date.now();
    await Promise.all([first.stop('SIGKILL'), second.stop('SIGKILL')]);
    const lost = await judge.awaitLine(/Cluster lock helper terminated/);
    // The lease is 9 s, of which its holder claims 7.5.
    assert.ok(lost.atMs - fromMs < 8_000, `held on for ${lost.atMs - fromMs} ms`);
    await delay(SHORT ? 15_000 : 60_000);
    assert.deepEqual(judge.lines(/Took cluster lock/), []);
    // docs/concepts.md: what opens a database waits until a node leads again.
    const open = (): Promise<number | null> =>
      leader.run('/usr/bin/ctdb', ['-T', '4', 'attach', 'outage.tdb'], 10_000).then(({ status }) => status);
    assert.notEqual(await open(), 0);
    assert.notDeepEqual(judge.lines(/outage\.tdb deferred .* in recovery mode/), []);
    assert.deepEqual(judge.lines(/Freeze db/), [], 'an open database is not frozen');
    first.start();
    second.start();
    const backMs = Date.now();
    const took = await judge.awaitLine(/Took cluster lock/);
    assert.ok(took.atMs - backMs < 20_000, `leader after ${took.atMs - backMs} ms`);
    leader = await ctdb.allOk();
    assert.equal(await open(), 0);
    await judge.assertTidy(leader);
    judge.assertNoComplaint(...EXPECTED_IN_SILENCE);
  });

  void it('bans nobody when the majority is lost in the middle of recoveries', async () => {
    for (const outageMs of [2_000, 6_000, 30_000]) {
      judge = new Judge(ctdb);
      const [first, second] = [bed.etcd.member(1), bed.etcd.member(2)];
      const outage = async (): Promise<void> => {
        await delay(1_500);
        await Promise.all([first.stop('SIGKILL'), second.stop('SIGKILL')]);
        await delay(outageMs);
        first.start();
        second.start();
        await Promise.all([first.healthy(), second.healthy()]);
      };
      await recoverDuring(outage());
      leader = await ctdb.allOk();
      await judge.assertTidy(leader);
      judge.assertNoComplaint(...EXPECTED_IN_SILENCE);
    }
  });

  void it('is asked for again in vain, and quickly, while all members are frozen', async () => {
    for (const member of bed.etcd.members) member.freeze();
    await judge.awaitLine(/Cluster lock helper terminated/);
    await judge.awaitLine(/Unable to take cluster lock/);
    for (const member of bed.etcd.members) member.thaw();
    leader = await ctdb.allOk();
    for (const node of ctdb.nodes) {
      const [attempt, failed] = [/^Attempting to take/, /^Unable to take/].map(
        (pattern) => node.log.grep(pattern, judge.since(node))[0],
      );
      if (attempt !== undefined && failed !== undefined && failed.atMs > attempt.atMs) {
        assert.ok(failed.atMs - attempt.atMs < 4_000, `answered after ${failed.atMs - attempt.atMs} ms`);
      }
    }
    await judge.assertTidy(leader);
    judge.assertNoComplaint(...EXPECTED_IN_SILENCE);
  });
});
