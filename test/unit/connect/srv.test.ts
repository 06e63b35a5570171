import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SetupError } from '../../../src/base/errors.ts';
import { discover, type SrvRecord } from '../../../src/connect/srv.ts';

type Answers = Readonly<Record<string, readonly SrvRecord[] | string>>;

/** Answers by service; a string is the code of an error, and what is not named does not exist. */
function resolver(answers: Answers): (name: string) => Promise<readonly SrvRecord[]> {
  return (name) => {
    const answer = answers[name.replace('.example.com', '')] ?? 'ENOTFOUND';
    return typeof answer === 'string'
      ? Promise.reject(Object.assign(new Error(answer), { code: answer }))
      : Promise.resolve(answer);
  };
}

function record(name: string, port: number, priority = 0, weight = 0): SrvRecord {
  return { name, port, priority, weight };
}

async function found(answers: Answers, tlsWantedBy?: string): Promise<string[]> {
  const endpoints = await discover('example.com', resolver(answers), tlsWantedBy);
  return endpoints.map(({ secure, host, port }) => `${secure ? 'https' : 'http'}://${host}:${port}`);
}

void describe('the members by SRV records', () => {
  test('come from the first service that has records: TLS first, new names first', async () => {
    const all = {
      '_etcd-client-ssl._tcp': [record('a', 1)],
      '_etcd-client._tcp': [record('b', 2)],
      '_etcd-ssl._tcp': [record('c', 3)],
      '_etcd._tcp': [record('d', 4)],
    };
    const expected = ['https://a:1', 'http://b:2', 'https://c:3', 'http://d:4'];
    const services = Object.entries(all);
    for (const [index, endpoint] of expected.entries()) {
      assert.deepEqual(await found(Object.fromEntries(services.slice(index))), [endpoint]);
    }
  });

  test('are in order of priority, and of weight within one', async () => {
    const records = [record('c', 1, 20), record('b', 1, 10, 1), record('a', 1, 10, 9)];
    assert.deepEqual(await found({ '_etcd-client._tcp': records }), [
      'http://a:1',
      'http://b:1',
      'http://c:1',
    ]);
  });

  test('lose the dot at their end, and the root, which means that there is no such service', async () => {
    const answers = {
      '_etcd-client-ssl._tcp': [record('.', 0)],
      '_etcd-client._tcp': [record('a.b.', 1), record('', 0)],
    };
    assert.deepEqual(await found(answers), ['http://a.b:1']);
  });

  test('are asked once each, and at most 32 of them, the most important first', async () => {
    const twice = [record('A.example.', 1, 10), record('a.example', 1, 20), record('a.example', 2, 30)];
    assert.deepEqual(await found({ '_etcd-client._tcp': twice }), [
      'http://A.example:1',
      'http://a.example:2',
    ]);
    const many = Array.from({ length: 3_000 }, (_, index) => record(`m${index}`, 1, index)).reverse();
    const used = await found({ '_etcd-client._tcp': many });
    assert.deepEqual([used.length, used[0], used[31]], [32, 'http://m0:1', 'http://m31:1']);
  });

  test('an empty answer is none, like a name that does not exist', async () => {
    const answers = {
      '_etcd-client-ssl._tcp': 'ENODATA',
      '_etcd-client._tcp': [],
      '_etcd._tcp': [record('d', 4)],
    };
    assert.deepEqual(await found(answers), ['http://d:4']);
  });

  test('a failure to find out about TLS does not lead to plain text', async () => {
    for (const code of ['ESERVFAIL', 'ETIMEOUT', 'ECONNREFUSED']) {
      const answers = { '_etcd-client-ssl._tcp': code, '_etcd-client._tcp': [record('b', 2)] };
      await assert.rejects(found(answers), (error: unknown) => {
        assert.ok(error instanceof SetupError);
        assert.equal(
          error.message,
          `Cannot find etcd: no answer from DNS about the SRV records of _etcd-client-ssl._tcp.example.com (${code}); check DNS, or set hosts instead of srv_domain`,
        );
        return true;
      });
    }
  });

  test('are never for plain text where the configuration asks for TLS', async () => {
    const plain = { '_etcd-client._tcp': [record('b', 2)], '_etcd._tcp': [record('d', 4)] };
    await assert.rejects(found(plain, 'ca_cert'), (error: unknown) => {
      assert.ok(error instanceof SetupError);
      assert.equal(
        error.message,
        'Cannot find etcd: srv_domain "example.com" has SRV records for plain text only (_etcd-client._tcp), and ca_cert asks for TLS; publish them as _etcd-client-ssl._tcp, or set hosts instead',
      );
      return true;
    });
    const both = { ...plain, '_etcd-ssl._tcp': [record('c', 3)] };
    assert.deepEqual(await found(both, 'ca_cert'), ['https://c:3']);
    await assert.rejects(found({ '_etcd-client._tcp': 'ETIMEOUT' }, 'ca_cert'), /has no SRV records/);
    await assert.rejects(found({ ...plain, '_etcd-ssl._tcp': 'ETIMEOUT' }, 'ca_cert'), /no answer from DNS/);
  });

  test('a failure behind a name that has records does not matter', async () => {
    const answers = { '_etcd-client-ssl._tcp': [record('a', 1)], '_etcd-client._tcp': 'ETIMEOUT' };
    assert.deepEqual(await found(answers), ['https://a:1']);
  });
});
