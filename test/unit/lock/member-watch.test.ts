import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EtcdError } from '../../../src/base/errors.ts';
import type { CallOptions, RangeAnswer } from '../../../src/cluster/member.ts';
import { MemberWatch, ROUND_MS, SECOND_LOOK_MS } from '../../../src/lock/member-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { headerOf } from '../../support/fake-member.ts';

const ATTEMPT_MS = 1_500;

/** Three members, of which a test takes some away; `a` answers the renewals. */
function stage(endpoints: readonly string[] = ['a:1', 'b:2', 'c:3']) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const asked: string[] = [];
  const down = new Set<string>();
  const silent = new Set<string>();
  let preferred = 'a:1';
  const members = endpoints.map((endpoint) => ({
    endpoint,
    readKey: (_key: string, { signal }: CallOptions): Promise<RangeAnswer> => {
      asked.push(endpoint);
      if (silent.has(endpoint))
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new EtcdError('timeout', endpoint, 'no answer within 1.5 s'));
          });
        });
      return down.has(endpoint)
        ? Promise.reject(new EtcdError('unavailable', endpoint, 'connection refused'))
        : Promise.resolve({ header: headerOf(), oldest: null });
    },
  }));
  const watch = new MemberWatch(members, {
    clock,
    timing: { attemptMs: ATTEMPT_MS },
    log: { warning: (id, text) => lines.push(`${id}: ${text}`) },
    preferred: () => preferred,
  });
  const stop = watch.start('/key');
  return {
    clock,
    lines,
    asked,
    down,
    silent,
    stop,
    prefer: (endpoint: string): void => {
      preferred = endpoint;
    },
    rounds: (count: number): Promise<void> => clock.advance(count * ROUND_MS + SECOND_LOOK_MS + ATTEMPT_MS),
  };
}

test('members that answer are asked once in a round, except the one that the renewals ask, and nothing is said', async () => {
  const { asked, lines, rounds, stop, clock } = stage();
  await rounds(10);
  assert.deepEqual(lines, []);
  assert.equal(asked.filter((endpoint) => endpoint === 'b:2').length, 10);
  assert.ok(!asked.includes('a:1'));
  stop();
  assert.equal(clock.pending, 0);
});

test('one member of three that is down is no reason to say anything', async () => {
  const { down, lines, rounds } = stage();
  down.add('b:2');
  await rounds(10);
  assert.deepEqual(lines, []);
});

test('the last member is said once, with what the others said, however long it lasts', async () => {
  const { down, silent, lines, rounds } = stage();
  down.add('b:2');
  silent.add('c:3');
  await rounds(100);
  assert.deepEqual(lines, [
    'warn-last-member: Only etcd at a:1 still serves the lock (b:2: connection refused; c:3: no answer within 1.5 s); check that the other members run and that this node reaches them',
  ]);
});

test('that it is over is said once, after two good rounds in a row', async () => {
  const { down, lines, rounds } = stage();
  down.add('b:2').add('c:3');
  await rounds(1);
  assert.equal(lines.length, 1);
  down.delete('c:3');
  await rounds(1);
  assert.equal(lines.length, 1);
  await rounds(20);
  assert.deepEqual(lines.slice(1), ['warn-last-member: etcd serves the lock at 2 of 3 endpoints again']);
  // Another time is another story.
  down.add('c:3');
  await rounds(1);
  assert.equal(lines.length, 3);
});

test('members that come and go in turn with the rounds are one story', async () => {
  const { down, lines, clock } = stage();
  // Half a round away from the beats on which the rounds come.
  await clock.advance(ROUND_MS / 2);
  for (let count = 0; count < 20; count += 1) {
    down.add('b:2').add('c:3');
    await clock.advance(ROUND_MS);
    down.clear();
    await clock.advance(ROUND_MS);
  }
  assert.equal(lines.length, 1);
});

test('two members that are away for a moment only are asked again before anything is said', async () => {
  const { down, lines, clock } = stage();
  down.add('b:2').add('c:3');
  await clock.advance(ROUND_MS);
  down.clear();
  await clock.advance(10 * ROUND_MS);
  assert.deepEqual(lines, []);
});

test('the member that answers is named, also after it was not the first', async () => {
  const { down, lines, rounds, prefer } = stage();
  down.add('a:1').add('b:2');
  prefer('c:3');
  await rounds(1);
  assert.match(lines[0] ?? '', /Only etcd at c:3 still serves the lock \(a:1: connection refused; b:2: /);
});

test('a lock with one member is never warned about: check does', async () => {
  const { asked, lines, rounds } = stage(['a:1']);
  await rounds(10);
  assert.deepEqual([...asked, ...lines], []);
});

test('what is under way when the lock is let go of says nothing', async () => {
  const { silent, down, lines, stop, clock } = stage();
  silent.add('b:2');
  down.add('c:3');
  await clock.advance(ROUND_MS + SECOND_LOOK_MS);
  stop();
  await clock.advance(10 * ROUND_MS);
  assert.deepEqual(lines, []);
});
