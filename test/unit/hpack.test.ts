// The examples of RFC 7541, appendix C, as a decoder sees them; and what Node's own HTTP/2 (nghttp2) makes of the same headers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  sensitiveHeaders,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder, HpackError, hpackBlock, hpackText, type HeaderField } from '../../src/hpack.ts';
import type { Http2Session } from '../../src/http2-session.ts';
import { block, REQUEST, SESSION_OPTIONS, sessionOn, StreamRecord } from '../support/http2-peer.ts';
import { values } from '../support/properties.ts';
import { within } from '../support/wait.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** `name: value` lines. */
function lines(fields: readonly HeaderField[]): string[] {
  return fields.map(([name, value]) => `${name}: ${value}`);
}

const REQUESTS = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [
    ':method: GET',
    ':scheme: https',
    ':path: /index.html',
    ':authority: www.example.com',
    'custom-key: custom-value',
  ],
];
const RESPONSES = [
  [
    ':status: 302',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 307',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:21 GMT',
    'location: https://www.example.com',
  ],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];
// The examples C.5 and C.6 are of a table of 256 bytes, which a block has to say.
const TABLE_OF_256 = '3fe101';

void describe('the examples of RFC 7541', () => {
  for (const [what, block, expected] of [
    [
      'C.2.1, a literal that is entered',
      '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
      'custom-key: custom-header',
    ],
    ['C.2.2, a literal that is not', '040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
    ['C.2.3, a literal that is never', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
    ['C.2.4, an entry', '82', ':method: GET'],
  ] as const) {
    test(what, () => {
      assert.deepEqual(lines(new HpackDecoder().decode(hex(block))), [expected]);
    });
  }

  for (const [what, expected, blocks] of [
    [
      'C.3, requests without Huffman',
      REQUESTS,
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4, requests with Huffman',
      REQUESTS,
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
    [
      'C.5, responses without Huffman, with evictions',
      RESPONSES,
      [
        `${TABLE_OF_256} 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a
        3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
        6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
        2076 6572 7369 6f6e 3d31`,
      ],
    ],
    [
      'C.6, responses with Huffman, with evictions',
      RESPONSES,
      [
        `${TABLE_OF_256} 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e
        919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
        dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ] as const) {
    test(what, () => {
      const decoder = new HpackDecoder();
      assert.deepEqual(
        blocks.map((block) => lines(decoder.decode(hex(block)))),
        expected,
      );
      if (expected !== RESPONSES) return;
      // What the RFC shows of the table at the end.
      const table = ['be', 'bf', 'c0'].map((entry) => lines(decoder.decode(hex(entry)))[0]);
      assert.deepEqual(table, [RESPONSES[2]?.[5], RESPONSES[2]?.[4], RESPONSES[2]?.[2]]);
      assert.throws(() => decoder.decode(hex('c1')), new HpackError('no entry 65'));
    });
  }
});

void describe('the table', () => {
  const entered = (name: string, value: string): Buffer =>
    Buffer.concat([
      Buffer.from([0x40, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]);

  test('is emptied by a size of nothing, and grows again to what is said', () => {
    const decoder = new HpackDecoder();
    decoder.decode(entered('a', 'b'));
    assert.deepEqual(decoder.decode(hex('be')), [['a', 'b']]);
    decoder.decode(hex('20'));
    assert.throws(() => decoder.decode(hex('be')), HpackError);
    decoder.decode(entered('a', 'b'));
    assert.throws(() => decoder.decode(hex('be')), HpackError);
    // Two changes before the first field, as when the size went down and up again between blocks.
    assert.deepEqual(decoder.decode(Buffer.concat([hex('20 3f02'), entered('c', '')])), [['c', '']]);
    assert.deepEqual(decoder.decode(hex('be')), [['c', '']]);
  });

  test('is emptied by an entry that is larger than all of it', () => {
    const decoder = new HpackDecoder();
    decoder.decode(Buffer.concat([hex('3f21'), entered('a', 'b')])); // 64 bytes
    assert.deepEqual(decoder.decode(entered('c', 'd'.repeat(32))), [['c', 'd'.repeat(32)]]);
    assert.throws(() => decoder.decode(hex('be')), HpackError);
  });

  test('keeps an entry that just fits, and a name that is taken from an entry on its way out', () => {
    const decoder = new HpackDecoder();
    decoder.decode(Buffer.concat([hex('3f21'), entered('a', 'b'.repeat(31))])); // 64 of 64 bytes
    const named = Buffer.concat([hex('7e 02'), Buffer.from('xy')]); // the name of entry 62
    assert.deepEqual(decoder.decode(named), [['a', 'xy']]);
    assert.deepEqual(decoder.decode(hex('be')), [['a', 'xy']]);
    assert.throws(() => decoder.decode(hex('bf')), HpackError);
  });
});

void describe('a bad block', () => {
  for (const [what, block, message] of [
    ['entry 0', '80', 'no entry 0'],
    ['an entry that nobody made', 'be', 'no entry 62'],
    ['a name of an entry that nobody made', '7e 00', 'no entry 62'],
    ['a name that is cut off', '40 05 61', 'a header block ends too early'],
    ['a value that is missing', '40 01 61', 'a header block ends too early'],
    ['a number that is cut off', 'ff', 'a header block ends too early'],
    ['a number without end', 'ff ff ff ff ff ff ff ff ff', 'too large an integer'],
    ['a number with zeros without end', 'ff 80 80 80 80 80 00', 'too large an integer'],
    ['a length beyond the block', '40 7f ff ff 7f', 'a header block ends too early'],
    ['a larger table than we allow', '3f e2 1f', 'a table of 4097 bytes'],
    ['a change of the table behind a field', '82 20', 'a change of the table behind a field'],
    ['Huffman: the end mark', '40 84 ff ff ff ff 00', 'a bad Huffman code'],
    ['Huffman: filled with zeros', '40 81 18 00', 'a bad Huffman code'], // a, then 000
    ['Huffman: filled with more than 7 bits', '40 82 1f ff 00', 'a bad Huffman code'], // a, then 11 ones
  ] as const) {
    test(what, () => {
      assert.throws(() => new HpackDecoder().decode(hex(block)), new HpackError(message));
    });
  }

  test('too many headers, of few bytes', () => {
    const many = Buffer.alloc(65_536 / 42 + 1, 0x82); // each counts 7 + 3 + 32
    assert.throws(() => new HpackDecoder().decode(many), new HpackError('too many headers'));
    assert.equal(new HpackDecoder().decode(many.subarray(2)).length, many.length - 2);
  });

  test('random bytes are headers or an HpackError, on a decoder that has seen others', () => {
    const start = fc.constantFrom('', '40', '80', '7f', '3f', '0f', '4084', '82');
    const decoder = new HpackDecoder();
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 80 }), (head, bytes) => {
        try {
          decoder.decode(Buffer.concat([hex(head), bytes]));
        } catch (error) {
          assert.ok(error instanceof HpackError, String(error));
        }
      }),
      values(3_000),
    );
  });
});

test('what we encode we decode, bytes of any value, and secrets are marked as such', () => {
  const text = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (fields) => {
      const decoder = new HpackDecoder();
      const bytes = block(fields);
      assert.deepEqual(decoder.decode(bytes), fields);
      assert.deepEqual(decoder.decode(bytes), fields);
    }),
    values(),
  );
  const [open, secret] = [false, true].map((isSecret) =>
    hpackBlock(hpackText([['token', 'x']], () => isSecret)),
  );
  assert.equal(open?.[0], 0x00);
  assert.equal(secret?.[0], 0x10);
});

/** A server of Node's, and a session of ours on a connection to it. */
class NodeServer implements AsyncDisposable {
  readonly #server: Http2Server;
  readonly #session: Http2Session;
  #onRequest: (stream: ServerHttp2Stream, raw: readonly string[]) => void = () => undefined;

  private constructor(server: Http2Server, session: Http2Session) {
    this.#server = server;
    this.#session = session;
    server.on('stream', (stream, _headers, _flags, raw: readonly string[]) => {
      stream.on('error', () => undefined);
      this.#onRequest(stream, raw);
    });
  }

  static async start(headerTableSize: number): Promise<NodeServer> {
    const server = createServer({ settings: { headerTableSize, maxHeaderListSize: 1_000_000 } });
    server.on('session', (session) => session.on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const session = sessionOn(socket, SESSION_OPTIONS, {
      onReady: () => {
        resolve(undefined);
      },
      onGoAway: () => undefined,
      onClose: () => undefined,
    });
    await promise;
    return new NodeServer(server, session);
  }

  /** One request with these headers; how Node read it, and how we read the answer: headers and trailers. */
  async exchange(
    request: readonly HeaderField[],
    headers: OutgoingHttpHeaders = {},
    trailers: OutgoingHttpHeaders = {},
  ): Promise<{ seen: HeaderField[]; answers: (readonly HeaderField[])[] }> {
    const seen: HeaderField[] = [];
    this.#onRequest = (stream, raw) => {
      for (let at = 0; at < raw.length; at += 2) seen.push([raw[at] ?? '', raw[at + 1] ?? '']);
      stream.respond({ ':status': 200, ...headers }, { waitForTrailers: true });
      stream.on('wantTrailers', () => {
        stream.sendTrailers(trailers);
      });
      stream.end();
    };
    const record = new StreamRecord();
    const ended = new Promise<void>((resolve, reject) => {
      const lost = (): void => {
        reject(new Error(`No answer: ${record.said.join('; ')}`));
      };
      const stream = this.#session.open(block(request), {
        onHeaders: (fields, isLast) => {
          record.onHeaders(fields, isLast);
          if (isLast) resolve();
        },
        onData: (_bytes, isLast) => {
          if (isLast) resolve();
        },
        onReset: lost,
        onLost: lost,
      });
      if (stream === undefined) lost();
      stream?.send(Buffer.alloc(0), true);
    });
    await within('an answer of Node', 20_000, ended);
    // The time of day is Node's addition.
    const answers = record.fields.map((fields) => fields.filter(([key]) => key !== 'date'));
    return { seen, answers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

// What nghttp2 lets through in a value: a tab, and all bytes that are no control characters. None of a space at an end.
const VALUE_BYTES = Array.from({ length: 256 }, (_, byte) => byte).filter(
  (byte) => byte === 9 || (byte >= 32 && byte !== 127),
);
const value = fc.array(fc.constantFrom(...VALUE_BYTES), { maxLength: 120 }).map((bytes) =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/^[ \t]+|[ \t]+$/g, ''),
);
const plainValue = fc.stringMatching(/^[a-z0-9 ]{0,30}$/).map((text) => text.trim());
const name = fc.oneof(
  fc.constantFrom('x-a', 'x-b', 'x-c', 'server', 'via', 'grpc-message', 'accept-ranges'),
  fc.stringMatching(/^x-[a-z0-9-]{1,40}$/),
);
const fieldList = fc.uniqueArray(fc.tuple(name, fc.oneof(value, plainValue), fc.boolean()), {
  maxLength: 12,
  selector: ([text]) => text,
});

/** Headers as Node takes them, those that are marked as such kept out of every table. */
function outgoing(fields: readonly (readonly [string, string, boolean])[]): OutgoingHttpHeaders {
  return {
    ...Object.fromEntries(fields.map(([key, text]) => [key, text])),
    [sensitiveHeaders]: fields.filter(([, , isSecret]) => isSecret).map(([key]) => key),
  };
}

for (const headerTableSize of [4_096, 0, 200, 65_536]) {
  test(`Node with a table of ${headerTableSize} bytes and we understand each other`, async () => {
    await using server = await NodeServer.start(headerTableSize);
    await fc.assert(
      fc.asyncProperty(fieldList, fieldList, fieldList, async (ours, headers, trailers) => {
        const request = [...REQUEST, ...ours.map(([key, text]): HeaderField => [key, text])];
        const { seen, answers } = await server.exchange(request, outgoing(headers), outgoing(trailers));
        assert.deepEqual(seen, request);
        const expected = [[[':status', '200'], ...headers.map(([key, text]) => [key, text])]];
        if (trailers.length > 0) expected.push(trailers.map(([key, text]) => [key, text]));
        assert.deepEqual(answers, expected);
      }),
      values(60),
    );
  });
}

test('each byte that nghttp2 lets through is read from its Huffman code', async () => {
  await using server = await NodeServer.start(4_096);
  for (const byte of VALUE_BYTES) {
    // So many short codes make Huffman the shorter way, in which case nghttp2 takes it.
    const text = `${'a'.repeat(30)}${String.fromCharCode(byte)}${'e'.repeat(30)}`;
    const { answers } = await server.exchange(REQUEST, { 'x-a': text });
    assert.deepEqual(answers, [
      [
        [':status', '200'],
        ['x-a', text],
      ],
    ]);
  }
});

test('header blocks of several frames pass, both ways', async () => {
  await using server = await NodeServer.start(4_096);
  const long = 'ABC~'.repeat(10_000);
  const { seen, answers } = await server.exchange([...REQUEST, ['x-long', long]], { 'x-long': long });
  assert.deepEqual(seen.at(-1), ['x-long', long]);
  assert.deepEqual(answers[0]?.at(-1), ['x-long', long]);
});

test('control characters are read from their Huffman codes, which are as appendix B has them', () => {
  // Those of 28 bits follow each other in the order of their bytes.
  const range = (first: number, last: number): number[] =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const of28 = [...range(2, 8), 11, 12, ...range(14, 21), ...range(23, 31), 127, 220, 249];
  const codes: (readonly [byte: number, code: number, bits: number])[] = [
    [0, 0x1ff8, 13],
    [1, 0x7f_ffd8, 23],
    [10, 0x3fff_fffc, 30],
    [13, 0x3fff_fffd, 30],
    [22, 0x3fff_fffe, 30],
    ...of28.map((byte, index) => [byte, 0xfff_ffe2 + index, 28] as const),
  ];
  assert.equal(codes.at(-1)?.[1], 0xfff_fffe);
  for (const [byte, code, bits] of codes) {
    const filled = code
      .toString(2)
      .padStart(bits, '0')
      .padEnd(Math.ceil(bits / 8) * 8, '1');
    const bytes = hex(
      BigInt(`0b${filled}`)
        .toString(16)
        .padStart(filled.length / 4, '0'),
    );
    const block = Buffer.concat([Buffer.from([0x00, 0x01, 0x61, 0x80 | bytes.length]), bytes]);
    assert.deepEqual(new HpackDecoder().decode(block), [['a', String.fromCharCode(byte)]]);
  }
});
