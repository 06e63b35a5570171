import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DnsCache } from '../../../src/connect/dns-cache.ts';

/** A cache whose look-ups the test answers, and what it was asked. */
function cacheByHand(): {
  cache: DnsCache;
  asked: { host: string; answer: (addresses: readonly string[]) => void; fail: (error: Error) => void }[];
} {
  const asked: ReturnType<typeof cacheByHand>['asked'] = [];
  const cache = new DnsCache((host) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    asked.push({ host, answer: resolve, fail: reject });
    return promise;
  });
  return { cache, asked };
}

/** What one look is told, in order. */
function look(cache: DnsCache, host: string): string[] {
  const told: string[] = [];
  cache.look(
    host,
    (addresses) => told.push(addresses.join()),
    (error) => told.push(String(error)),
  );
  return told;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

void describe('the DNS cache', () => {
  test('an address is its own answer, never before the call has returned', async () => {
    const { cache, asked } = cacheByHand();
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      const told = look(cache, address);
      assert.deepEqual(told, []);
      await settled();
      assert.deepEqual(told, [address]);
    }
    assert.deepEqual(asked, []);
  });

  test('looks up one name once at a time, however many want it', async () => {
    const { cache, asked } = cacheByHand();
    const [one, two] = [look(cache, 'a'), look(cache, 'a')];
    assert.equal(asked.length, 1);
    asked[0]?.answer(['192.0.2.1', '192.0.2.2']);
    await settled();
    assert.deepEqual([one, two], [['192.0.2.1,192.0.2.2'], ['192.0.2.1,192.0.2.2']]);
  });

  test('a failure is told when nothing is known, and the next look asks again', async () => {
    const { cache, asked } = cacheByHand();
    const told = look(cache, 'a');
    asked[0]?.fail(new Error('no such name'));
    await settled();
    assert.deepEqual(told, ['Error: no such name']);
    const again = look(cache, 'a');
    asked[1]?.answer(['192.0.2.1']);
    await settled();
    assert.deepEqual(again, ['192.0.2.1']);
  });

  test('what is known is told at once, and told again only when it has changed', async () => {
    const { cache, asked } = cacheByHand();
    look(cache, 'a');
    asked[0]?.answer(['192.0.2.1', '192.0.2.2']);
    await settled();
    const unchanged = look(cache, 'a');
    await settled();
    assert.deepEqual(unchanged, ['192.0.2.1,192.0.2.2'], 'before the answer');
    asked[1]?.answer(['192.0.2.2', '192.0.2.1']);
    await settled();
    assert.deepEqual(unchanged, ['192.0.2.1,192.0.2.2'], 'another order is no change');
    const changed = look(cache, 'a');
    asked[2]?.answer(['192.0.2.3']);
    await settled();
    assert.deepEqual(changed, ['192.0.2.1,192.0.2.2', '192.0.2.3']);
    const later = look(cache, 'a');
    await settled();
    assert.deepEqual(later, ['192.0.2.3']);
  });

  test('the first addresses are told and kept, and the others when all are known', async () => {
    let tellFirst: (addresses: readonly string[]) => void = () => undefined;
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const cache = new DnsCache((_, onFirst) => {
      tellFirst = onFirst;
      return promise;
    });
    const told = look(cache, 'a');
    assert.equal(cache.isLookingUp('a'), true);
    tellFirst(['192.0.2.1']);
    assert.deepEqual([told, cache.isLookingUp('a')], [['192.0.2.1'], false]);
    const later = look(cache, 'a');
    await settled();
    assert.deepEqual(later, ['192.0.2.1']);
    resolve(['2001:db8::1', '192.0.2.1']);
    await settled();
    for (const each of [told, later]) assert.deepEqual(each, ['192.0.2.1', '2001:db8::1,192.0.2.1']);
  });

  test('a family about which nobody answers stays known', async () => {
    const outcomes = [
      (): Promise<readonly string[]> => Promise.resolve(['2001:db8::1', '192.0.2.1']),
      (onFirst: (addresses: readonly string[]) => void): Promise<readonly string[]> => {
        onFirst(['192.0.2.2']);
        return Promise.reject(new Error('no answer about IPv6'));
      },
    ];
    const cache = new DnsCache((_, onFirst) => outcomes.shift()?.(onFirst) ?? Promise.resolve([]));
    look(cache, 'a');
    await settled();
    look(cache, 'a');
    await settled();
    const told = look(cache, 'a');
    await settled();
    assert.equal(told[0], '192.0.2.2,2001:db8::1,192.0.2.1');
  });

  test('a failure changes nothing of what is known', async () => {
    const { cache, asked } = cacheByHand();
    look(cache, 'a');
    asked[0]?.answer(['192.0.2.1']);
    await settled();
    for (const turn of [1, 2]) {
      const told = look(cache, 'a');
      asked[turn]?.fail(new Error('DNS is down'));
      await settled();
      assert.deepEqual(told, ['192.0.2.1']);
    }
  });

  test('the address that worked comes first, until it is gone', async () => {
    const { cache, asked } = cacheByHand();
    look(cache, 'a');
    asked[0]?.answer(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    await settled();
    cache.prefer('a', '192.0.2.3');
    cache.prefer('a', '198.51.100.1'); // never heard of
    cache.prefer('b', '192.0.2.1');
    const told = look(cache, 'a');
    asked[1]?.answer(['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    await settled();
    assert.deepEqual(told, ['192.0.2.3,192.0.2.1,192.0.2.2']);
    look(cache, 'a');
    asked[2]?.answer(['192.0.2.2', '192.0.2.1']);
    await settled();
    const later = look(cache, 'a');
    await settled();
    assert.deepEqual(later, ['192.0.2.2,192.0.2.1']);
  });

  test('what may be dialed some day is looked up ahead, and again after ten seconds while DNS does not tell', async () => {
    const { cache, asked } = cacheByHand();
    for (const host of ['a', 'b', 'c', 'b', '192.0.2.1']) cache.expect(host);
    look(cache, 'a');
    asked[0]?.answer(['192.0.2.1']);
    await settled();
    const hosts = (): string[] => asked.map(({ host }) => host);
    cache.lookAhead(0);
    cache.lookAhead(9_999);
    assert.deepEqual(hosts(), ['a', 'b', 'c']);
    asked[1]?.answer(['192.0.2.2']);
    asked[2]?.fail(new Error('DNS is down'));
    await settled();
    cache.lookAhead(10_000);
    assert.deepEqual(hosts(), ['a', 'b', 'c', 'c']);
    asked[3]?.answer(['192.0.2.3']);
    await settled();
    cache.lookAhead(20_000);
    assert.equal(asked.length, 4);
    const told = look(cache, 'b');
    asked[4]?.fail(new Error('DNS is down'));
    await settled();
    assert.deepEqual(told, ['192.0.2.2']);
  });
});
