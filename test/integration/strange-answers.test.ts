// What a call comes to when the server answers as no etcd does: a kind, and words that an administrator understands.
import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Member } from '../../src/cluster/member.ts';
import { type AnswerCall, CallServer, respond, wrapped } from '../support/grpc-stand-in.ts';
import { values } from '../support/properties.ts';
import { errorOf, reach, recordWatch, withinMs } from '../support/transport.ts';
import { waitFor } from '../support/wait.ts';

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
const OK = { 'grpc-status': '0' };
// `RangeResponse` with a header: cluster 1, member 1, revision 1, raft term 1.
const EMPTY_RANGE = Buffer.from('0a080801100118012001', 'hex');
// src/connect/grpc-options.ts
const LARGEST_ANSWER_BYTES = 65_536;

/** As grpc-go encodes `grpc-message`. */
function percentEncoded(text: string): string {
  return Array.from(Buffer.from(text), (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

/** Headers, these pieces of a body, and these trailers. */
function answering(body: readonly Buffer[], trailers: Readonly<Record<string, string>>): AnswerCall {
  return (stream) => {
    stream.respond(HEADERS, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      if (!stream.destroyed) stream.sendTrailers(trailers);
    });
    for (const part of body) stream.write(part);
    stream.end();
  };
}

function onlyHeaders(headers: Readonly<Record<string, string | number>>): AnswerCall {
  return (stream) => {
    stream.respond(headers, { endStream: true });
  };
}

void describe('a call', () => {
  let server: CallServer;
  let answer: AnswerCall = () => undefined;
  let member: Member & Disposable;

  before(async () => {
    server = await CallServer.start((stream, request, headers) => {
      answer(stream, request, headers);
    });
    member = await reach(`127.0.0.1:${server.port}`);
  });
  after(async () => {
    member[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  async function outcomeOf(how: AnswerCall): Promise<string> {
    answer = how;
    const startedAtMs = performance.now();
    const { kind, message } = await errorOf(member.readKey('/k', withinMs()));
    assert.ok(performance.now() - startedAtMs < 1_000, `${message} took its time`);
    return `${kind}: ${message}`;
  }

  test('shows its message and its metadata, and takes an answer', async () => {
    const seen: unknown[] = [];
    answer = (stream, request, headers) => {
      seen.push(
        request.subarray(5).toString('latin1'),
        ...[':method', ':scheme', ':path', ':authority', 'te', 'content-type', 'hasleader'].map(
          (name) => headers[name],
        ),
        /^ctdb_etcd_lock grpc-node-js\//.test(headers['user-agent'] ?? ''),
      );
      answering([wrapped(EMPTY_RANGE)], OK)(stream, request, headers);
    };
    const { header } = await member.readKey('k', withinMs());
    assert.equal(header.clusterId, '1');
    const range = Buffer.from('0a016b18013800', 'hex').toString('latin1');
    assert.deepEqual(seen, [
      range,
      'POST',
      'http',
      '/etcdserverpb.KV/Range',
      `127.0.0.1:${server.port}`,
      'trailers',
      'application/grpc',
      'true',
      true,
    ]);
  });

  test('whose answer comes in pieces that are no messages, behind informational headers', async () => {
    const whole = wrapped(EMPTY_RANGE);
    answer = (stream, request, headers) => {
      stream.additionalHeaders({ ':status': 103, link: 'x' });
      answering(
        Array.from(whole, (byte) => Buffer.from([byte])),
        OK,
      )(stream, request, headers);
    };
    assert.equal((await member.readKey('/k', withinMs())).header.memberId, '1');
  });

  for (const bytes of [127, 20_000, LARGEST_ANSWER_BYTES - 100]) {
    test(`whose answer has a value of ${bytes} bytes`, async () => {
      const value = Buffer.alloc(bytes, 'v');
      const varint = (number: number): Buffer => {
        const out: number[] = [];
        for (let rest = number; ; rest >>>= 7) {
          if (rest < 128) return Buffer.from([...out, rest]);
          out.push((rest & 127) | 128);
        }
      };
      // KeyValue with field 5, inside field 2 of the answer.
      const pair = Buffer.concat([Buffer.from([0x2a]), varint(bytes), value]);
      const message = Buffer.concat([EMPTY_RANGE, Buffer.from([0x12]), varint(pair.length), pair]);
      answer = answering([wrapped(message)], OK);
      assert.equal((await member.readKey('/k', withinMs())).oldest?.value.length, bytes);
    });
  }

  test('whose answer is too large, or is after unpacking', async () => {
    const tooLarge = 'unavailable: the answer has more than 65536 bytes (grpc.max_receive_message_length)';
    assert.equal(await outcomeOf(answering([wrapped('', 0, LARGEST_ANSWER_BYTES + 1)], OK)), tooLarge);
    const packed = gzipSync(Buffer.alloc(LARGEST_ANSWER_BYTES + 1));
    const unpacked = await outcomeOf((stream) => {
      stream.respond({ ...HEADERS, 'grpc-encoding': 'gzip' });
      stream.end(wrapped(packed, 1));
    });
    assert.equal(unpacked, tooLarge);
  });

  test('with headers that are not ASCII, which are ignored without a word', async (t) => {
    const { mock } = t.mock.method(console, 'error', () => undefined);
    answer = (stream) => {
      stream.respond({ ...HEADERS, 'x-gateway': 'Zürich' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers({ ...OK, 'x-town': 'Köln' });
      });
      stream.end(wrapped(EMPTY_RANGE));
    };
    assert.equal((await member.readKey('/k', withinMs())).header.memberId, '1');
    assert.equal(mock.callCount(), 0);
  });

  test('on a connection that the member ends because of too many pings, and the next one', async (t) => {
    const { mock } = t.mock.method(console, 'error', () => undefined);
    const said = await outcomeOf((stream) => {
      stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
    });
    assert.equal(said, 'unavailable: Bandwidth exhausted or memory limit exceeded');
    answer = answering([wrapped(EMPTY_RANGE)], OK);
    assert.equal((await member.readKey('/k', withinMs())).header.memberId, '1');
    assert.equal(mock.callCount(), 0);
  });

  test('whose login gives a token that no header can have', async () => {
    const login = { username: 'ctdb', password: 'secret', passwordFile: undefined };
    using withLogin = await reach(`127.0.0.1:${server.port}`, { login });
    const token = Buffer.from('two\nlines');
    // AuthenticateResponse has the token in field 2.
    const message = Buffer.concat([EMPTY_RANGE, Buffer.from([0x12, token.length]), token]);
    answer = answering([wrapped(message)], OK);
    const error = await errorOf(withLogin.readKey('/k', withinMs()));
    assert.equal(`${error.kind}: ${error.message}`, 'notEtcd: not etcd: the token is not ASCII text');
    const watched = recordWatch(withLogin, '/k', 1n);
    await waitFor('the watch has ended', () => watched.events.length > 0);
    assert.deepEqual(watched.events, ['end: not etcd: the token is not ASCII text']);
  });

  test('that is not answered, or in bytes that mean nothing', async () => {
    assert.equal(await outcomeOf(answering([], OK)), 'notEtcd: not etcd, or too old: No message received');
    assert.equal(
      await outcomeOf(answering([wrapped(Buffer.from('0aff', 'hex'))], OK)),
      'notEtcd: not etcd: the answer cannot be decoded',
    );
  });

  test('that ends in any status with any words, with trailers and without', async () => {
    const words = fc.string({ unit: 'binary-ascii', maxLength: 60 }).map((text) => `x${text}`);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 17 }), words, fc.boolean(), async (code, text, isShort) => {
        const trailers = { 'grpc-status': String(code), 'grpc-message': percentEncoded(text) };
        const how = isShort
          ? onlyHeaders({ ...HEADERS, ...trailers })
          : answering([wrapped(EMPTY_RANGE)], trailers);
        const said = await outcomeOf(how);
        assert.ok(!/\p{C}/u.test(said));
        assert.ok(said.includes(text.replace(/[\s\p{C}]+/gu, ' ').trim()), said);
      }),
      values(100),
    );
  });

  for (const [text, shown] of [
    ['100%', '100%'],
    ['%zz', '%zz'],
    ['%C3', '%C3'],
    ['a%00b', 'a b'],
  ] as const) {
    test(`that ends in words that are badly encoded: ${text}`, async () => {
      const said = await outcomeOf(onlyHeaders({ ...HEADERS, 'grpc-status': '2', 'grpc-message': text }));
      assert.equal(said, `unknown: ${shown}`);
    });
  }

  test('that ends without a status of gRPC', async () => {
    const noTrailers: AnswerCall = (stream) => {
      stream.respond(HEADERS);
      stream.end(wrapped(EMPTY_RANGE));
    };
    for (const [how, expected] of [
      [onlyHeaders(HEADERS), 'notEtcd: not etcd: HTTP status 200'],
      [answering([wrapped(EMPTY_RANGE)], { 'x-other': 'y' }), 'notEtcd: not etcd: HTTP status 200'],
      [noTrailers, 'unavailable: Received RST_STREAM with code 0 (Call ended without gRPC status)'],
    ] as const)
      assert.equal(await outcomeOf(how), expected);
  });

  for (const status of [204, 302, 400, 401, 403, 404, 429, 431, 500, 502, 503, 504]) {
    test(`that is answered with HTTP ${status}, with and without a page`, async () => {
      const headers = { ':status': status, 'content-type': 'text/html' };
      const isPassing = [429, 502, 503, 504].includes(status);
      const expected = isPassing
        ? `unavailable: a gateway answered with HTTP status ${status}`
        : `notEtcd: not etcd: HTTP status ${status}`;
      assert.equal(await outcomeOf(onlyHeaders(headers)), expected);
      if (status === 204) return; // has no page
      for (const page of ['<html><h1>No</h1></html>', 'no']) {
        const paged = await outcomeOf((stream) => {
          stream.respond(headers);
          stream.end(page);
        });
        assert.equal(paged, expected);
      }
      const endless = await outcomeOf((stream) => {
        stream.respond(headers);
      });
      assert.equal(endless, 'notEtcd: not etcd: the answer is text/html', 'a stream that is not ended');
    });
  }

  test('that is answered with a page of HTML and HTTP 200', async () => {
    for (const end of [true, false]) {
      const said = await outcomeOf((stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html; charset=utf-8' });
        if (end) stream.end('<html><h1>Welcome</h1></html>');
        else stream.write('<html><h1>Welcome</h1></html>');
      });
      assert.equal(said, 'notEtcd: not etcd: the answer is text/html');
    }
  });

  for (const [code, expected] of [
    [0, 'unavailable: Received RST_STREAM with code 0 (Call ended without gRPC status)'],
    [1, 'unavailable: Received RST_STREAM with code 1'],
    [2, 'unavailable: Received RST_STREAM with code 2 (Internal server error)'],
    [7, 'unavailable: Stream refused by server'],
    [8, 'unavailable: Call cancelled'],
    [11, 'unavailable: Bandwidth exhausted or memory limit exceeded'],
    [12, 'unknown: Protocol not secure enough'],
    [13, 'unavailable: Received RST_STREAM with code 13'],
    [99, 'unavailable: Received RST_STREAM with code 99'],
  ] as const) {
    test(`that is reset with ${code}, before and behind headers`, async () => {
      const before = await outcomeOf((stream) => {
        stream.close(code);
      });
      assert.equal(before, expected);
      const behind = await outcomeOf((stream) => {
        stream.respond(HEADERS);
        stream.write(wrapped(EMPTY_RANGE), () => {
          stream.close(code);
        });
      });
      assert.match(behind, /^(unavailable|unknown): /);
    });
  }

  test('whose answer is compressed, which nobody asked for', async () => {
    assert.equal(
      await outcomeOf(answering([wrapped('one', 1)], OK)),
      'unavailable: Received a message that cannot be unpacked',
    );
  });

  test('whose connection is lost, and the next one', async () => {
    assert.equal(await outcomeOf((stream) => stream.session?.destroy()), 'unavailable: Connection dropped');
    answer = (stream) => {
      respond(stream, { message: EMPTY_RANGE });
    };
    assert.equal((await member.readKey('/k', withinMs())).oldest, null);
  });
});
