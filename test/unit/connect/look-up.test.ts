import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressesIn, makeLookUp } from '../../../src/connect/look-up.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

type Family = 0 | 4 | 6;
interface Question {
  readonly family: Family;
  readonly answer: (addresses: readonly string[]) => void;
  readonly fail: (code: string) => void;
}

/** A look-up whose questions are answered by hand. */
function lookUpByHand(): {
  clock: FakeClock;
  asked: Question[];
  of: (family: Family) => Question;
  first: readonly string[][];
  whole: Promise<readonly string[] | string>;
} {
  const clock = new FakeClock();
  const asked: Question[] = [];
  const lookUp = makeLookUp(clock, (_, family) => {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    asked.push({
      family,
      answer: resolve,
      fail: (code) => {
        reject(Object.assign(new Error(code), { code }));
      },
    });
    return promise;
  });
  const first: string[][] = [];
  const whole = lookUp('a.test', (addresses) => first.push([...addresses])).catch((error: unknown) =>
    error instanceof Error ? error.message : String(error),
  );
  const of = (family: Family): Question => {
    const found = asked.find((one) => one.family === family);
    assert.ok(found !== undefined, `family ${family} was not asked for`);
    return found;
  };
  return { clock, asked, of, first, whole };
}

const families = (asked: readonly Question[]): Family[] => asked.map(({ family }) => family);

void describe('a look-up', () => {
  test('asks once for both families, and takes the order of the system', async () => {
    const { clock, asked, of, first, whole } = lookUpByHand();
    await clock.advance(99);
    assert.deepEqual(families(asked), [0]);
    of(0).answer(['2001:db8::1', '192.0.2.1']);
    assert.deepEqual(await whole, ['2001:db8::1', '192.0.2.1']);
    await clock.advance(1_000);
    assert.deepEqual([families(asked), first], [[0], [['2001:db8::1', '192.0.2.1']]]);
  });

  for (const [family, address, dropped] of [
    [4, '192.0.2.1', 6],
    [6, '2001:db8::1', 4],
  ] as const) {
    test(`uses IPv${family} as soon as it comes, when nobody answers about IPv${dropped}`, async () => {
      const { clock, asked, of, first, whole } = lookUpByHand();
      await clock.advance(100);
      assert.deepEqual(families(asked), [0, 4, 6]);
      of(family).answer([address]);
      await settle();
      assert.deepEqual(first, [[address]]);
      // What the system makes of it, seconds later. It does not know the other family, so it is no whole answer.
      of(dropped).fail('EAI_AGAIN');
      of(0).answer([address]);
      assert.equal(await whole, 'EAI_AGAIN');
    });
  }

  test('is whole when both families have answered, in the order of the system', async () => {
    const { clock, of, first, whole } = lookUpByHand();
    await clock.advance(100);
    of(4).answer(['192.0.2.1']);
    of(6).answer(['2001:db8::1']);
    await settle();
    assert.deepEqual(first, [['192.0.2.1']]);
    of(0).answer(['2001:db8::1', '192.0.2.1']);
    assert.deepEqual(await whole, ['2001:db8::1', '192.0.2.1']);
  });

  test('that fails asks for each family at once; no such address is an answer', async () => {
    const { asked, of, first, whole } = lookUpByHand();
    of(0).fail('EAI_AGAIN');
    await settle();
    assert.deepEqual(families(asked), [0, 4, 6]);
    of(6).fail('ENOTFOUND');
    of(4).answer(['192.0.2.1']);
    assert.deepEqual([await whole, first], [['192.0.2.1'], [['192.0.2.1']]]);
  });

  test('without any address says what the system said', async () => {
    const { clock, of, first, whole } = lookUpByHand();
    await clock.advance(100);
    of(4).fail('EAI_AGAIN');
    of(6).fail('EAI_AGAIN');
    of(0).fail('ENOTFOUND');
    assert.deepEqual([await whole, first], ['ENOTFOUND', []]);
  });
});

test('a name with a dot at its end is found in /etc/hosts, by family and in any case', () => {
  const text =
    '# ::9 m0.test\n127.0.0.1\tlocalhost m0.test # m1.test\n  ::1  M0.TEST\nm0.test m0.test\n10.0.0.1 xm0.test';
  const found = ([0, 4, 6] as const).map((family) => addressesIn(text, 'm0.test', family));
  assert.deepEqual(found, [['127.0.0.1', '::1'], ['127.0.0.1'], ['::1']]);
  assert.deepEqual(addressesIn(text, 'm1.test', 0), []);
});
