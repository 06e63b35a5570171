// One call of gRPC on a session of ours, against a peer that says whatever the test wants.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GrpcCall, type MessageLimits, type RpcStatus } from '../../src/grpc-call.ts';
import type { HeaderField } from '../../src/hpack.ts';
import { CODE, SETTING, TYPE } from '../../src/http2-frames.ts';
import { wrapped } from '../support/grpc-stand-in.ts';
import {
  Http2Pair,
  nameOf,
  OK_HEADERS,
  PaperSocket,
  REQUEST_BLOCK,
  says,
  SESSION_OPTIONS,
  sessionOn,
} from '../support/http2-peer.ts';
import { values } from '../support/properties.ts';

const LIMITS: MessageLimits = { largestSentBytes: 1_000, largestReceivedBytes: 1_000 };
const OK_TRAILERS: readonly HeaderField[] = [['grpc-status', '0']];

/** What a call told, in its order. */
class CallRecord {
  readonly said: (string | RpcStatus)[] = [];
  readonly call: GrpcCall;

  constructor(limits: Partial<MessageLimits> = {}, onMessage: (call: GrpcCall) => void = () => undefined) {
    this.call = new GrpcCall(
      {
        onMessage: (bytes) => {
          this.said.push(bytes.toString('latin1'));
          onMessage(this.call);
        },
        onEnd: (status) => {
          this.said.push(status);
        },
      },
      { ...LIMITS, ...limits },
    );
  }
}

/** What a call without a request tells of this answer, on a connection of paper; `paper` holds what we sent. */
function told(answer: readonly Buffer[], limits: Partial<MessageLimits> = {}): CallRecord['said'] {
  const socket = new PaperSocket();
  const session = sessionOn(socket.asSocket, SESSION_OPTIONS, {
    onReady: () => undefined,
    onGoAway: () => undefined,
    onClose: () => undefined,
  });
  socket.arrive(says.settings());
  const record = new CallRecord(limits);
  record.call.start(session, REQUEST_BLOCK);
  for (const bytes of answer) socket.arrive(bytes);
  return record.said;
}

/** The status that a call ends with after this answer. */
function statusOf(answer: readonly Buffer[], limits: Partial<MessageLimits> = {}): unknown {
  const said = told(answer, limits);
  assert.equal(said.length, 1, JSON.stringify(said));
  return said[0];
}

void describe('messages', () => {
  test('are the same however they are cut into frames, and frames into pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary-ascii', maxLength: 40 }), { maxLength: 6 }),
        fc.array(fc.nat(400)),
        fc.array(fc.nat(700)),
        (messages, frameCuts, pieceCuts) => {
          const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
            const places = [0, ...at.map((place) => Math.min(place, bytes.length)), bytes.length];
            places.sort((a, b) => a - b);
            return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
          };
          const body = Buffer.concat(messages.map((message) => wrapped(message)));
          const flow = Buffer.concat([
            says.headers(1, OK_HEADERS),
            ...cut(body, frameCuts).map((piece) => says.data(1, piece)),
            says.headers(1, OK_TRAILERS, true),
          ]);
          assert.deepEqual(told(cut(flow, pieceCuts)), [...messages, { code: 0, details: '' }]);
        },
      ),
      values(),
    );
  });

  test('may be empty, and as large as allowed', () => {
    const largest = 'x'.repeat(1_000);
    const answer = [
      says.headers(1, OK_HEADERS),
      says.data(1, Buffer.concat([wrapped(''), wrapped(largest), wrapped('')])),
      says.headers(1, OK_TRAILERS, true),
    ];
    assert.deepEqual(told(answer), ['', largest, '', { code: 0, details: '' }]);
  });

  test('that are larger end the call as soon as their length is known', () => {
    for (const length of [1_001, 2 ** 31, 2 ** 32 - 1]) {
      assert.deepEqual(
        told([
          says.headers(1, OK_HEADERS),
          says.data(1, Buffer.concat([wrapped('a'), wrapped('', 0, length)])),
        ]),
        ['a', { code: 8, details: `Received message larger than max (${length} vs 1000)` }],
      );
    }
  });

  test('that are compressed end the call: we have not asked for that', () => {
    assert.deepEqual(statusOf([says.headers(1, OK_HEADERS), says.data(1, wrapped('x', 1))]), {
      code: 13,
      details: 'Received a compressed message',
    });
  });

  test('whose end never comes count for nothing', () => {
    const cut = says.data(1, wrapped('hello').subarray(0, 8));
    const trailers = says.headers(1, OK_TRAILERS, true);
    assert.deepEqual(told([says.headers(1, OK_HEADERS), cut, trailers]), [{ code: 0, details: '' }]);
  });

  test('behind one at which the call was given up are not told', async () => {
    await using pair = await Http2Pair.ready();
    const record = new CallRecord({}, (call) => {
      call.cancel();
    });
    record.call.start(pair.session, REQUEST_BLOCK);
    await pair.peer.settle();
    const two = Buffer.concat([wrapped('a'), wrapped('b')]);
    pair.peer.send(says.headers(1, OK_HEADERS), says.data(1, two), says.headers(1, OK_TRAILERS, true));
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.cancel}`]);
    assert.deepEqual(record.said, ['a']);
  });
});

void describe('the status', () => {
  const trailersOnly = (...fields: HeaderField[]): Buffer[] => [
    says.headers(1, [...OK_HEADERS, ...fields], true),
  ];

  test('comes with the trailers, or with the headers when there is nothing else', () => {
    const fields: HeaderField[] = [
      ['grpc-message', 'etcdserver: requested lease not found'],
      ['grpc-status', '5'],
    ];
    const expected = { code: 5, details: 'etcdserver: requested lease not found' };
    assert.deepEqual(statusOf(trailersOnly(...fields)), expected);
    assert.deepEqual(statusOf([says.headers(1, OK_HEADERS), says.headers(1, fields, true)]), expected);
    assert.deepEqual(
      told([says.headers(1, OK_HEADERS), says.data(1, wrapped('a')), says.headers(1, fields, true)]),
      ['a', expected],
    );
  });

  test('needs no words', () => {
    assert.deepEqual(statusOf(trailersOnly(['grpc-status', '14'])), { code: 14, details: '' });
  });

  test('that is no number is unknown, not a success', () => {
    for (const text of ['', 'OK', '-1', '1.5', '0x0', ' ', '99999999999999999999'])
      assert.deepEqual(statusOf(trailersOnly(['grpc-status', text])), {
        code: 2,
        details: `Received an unknown status "${text}"`,
      });
  });

  for (const [sent, expected] of [
    ['100%25 of 1%2F2: caf%C3%A9%0A', '100% of 1/2: café\n'],
    ['no percent', 'no percent'],
    ['%', '%'],
    ['%zz', '%zz'],
    ['%C3', '%C3'],
    ['%E4%BD%A0', '你'],
  ] as const) {
    test(`says ${JSON.stringify(expected)} for ${sent}`, () => {
      assert.deepEqual(statusOf(trailersOnly(['grpc-status', '2'], ['grpc-message', sent])), {
        code: 2,
        details: expected,
      });
    });
  }

  for (const [http, code] of [
    ['400', 13],
    ['401', 16],
    ['403', 7],
    ['404', 12],
    ['429', 14],
    ['502', 14],
    ['503', 14],
    ['504', 14],
    ['204', 2],
    ['302', 2],
    ['500', 2],
  ] as const) {
    test(`of HTTP ${http} is ${code}, whatever comes with it`, () => {
      const headers: HeaderField[] = [[':status', http]];
      const expected = { code, details: `Received HTTP status code ${http}` };
      const page = '<html>a long page</html>';
      assert.deepEqual(statusOf([says.headers(1, headers, true)]), expected);
      assert.deepEqual(statusOf([says.headers(1, headers), says.data(1, page)]), expected);
      assert.deepEqual(statusOf([says.headers(1, headers), says.data(1, 'no', true)]), expected);
      assert.deepEqual(
        statusOf([says.headers(1, headers), says.data(1, '\0\0\0\0\x08page', true)]),
        expected,
      );
      assert.deepEqual(statusOf([says.headers(1, headers), says.headers(1, [['x', 'y']], true)]), expected);
      assert.deepEqual(statusOf([says.headers(1, headers), says.reset(1, CODE.internalError)]), expected);
      // But what gRPC itself says counts more.
      const status: HeaderField[] = [...headers, ['grpc-status', '9']];
      assert.deepEqual(statusOf([says.headers(1, status, true)]), { code: 9, details: '' });
    });
  }

  for (const [reset, code, details] of [
    [0, 13, 'Received RST_STREAM with code 0 (Call ended without gRPC status)'],
    [1, 13, 'Received RST_STREAM with code 1'],
    [2, 13, 'Received RST_STREAM with code 2 (Internal server error)'],
    [7, 14, 'Stream refused by server'],
    [8, 1, 'Call cancelled'],
    [11, 8, 'Bandwidth exhausted or memory limit exceeded'],
    [12, 7, 'Protocol not secure enough'],
    [4_294_967_295, 13, 'Received RST_STREAM with code 4294967295'],
  ] as const) {
    test(`of a stream that is reset with ${reset} is ${code}`, () => {
      assert.deepEqual(statusOf([says.reset(1, reset)]), { code, details });
      assert.deepEqual(
        told([says.headers(1, OK_HEADERS), says.data(1, wrapped('a')), says.reset(1, reset)]),
        ['a', { code, details }],
      );
    });
  }

  test('that is missing is internal when the stream just ends, and unknown when there are trailers', () => {
    assert.deepEqual(statusOf([says.headers(1, OK_HEADERS), says.data(1, '', true)]), {
      code: 13,
      details: 'Received RST_STREAM with code 0 (Call ended without gRPC status)',
    });
    const unknown = { code: 2, details: 'Received HTTP status code 200' };
    assert.deepEqual(statusOf([says.headers(1, OK_HEADERS, true)]), unknown);
    assert.deepEqual(statusOf([says.headers(1, OK_HEADERS), says.headers(1, [['x', 'y']], true)]), unknown);
  });

  test('of a lost connection is unavailable, for calls that come later too', async () => {
    await using pair = await Http2Pair.ready();
    const [record, late] = [new CallRecord(), new CallRecord()];
    record.call.start(pair.session, REQUEST_BLOCK);
    pair.peer.socket.end();
    await pair.end;
    late.call.start(pair.session, REQUEST_BLOCK);
    const dropped = { code: 14, details: 'Connection dropped' };
    assert.deepEqual([record.said, late.said], [[dropped], [dropped]]);
  });
});

void describe('a call', () => {
  test('keeps what is sent before the connection stands, and sends it as one', async () => {
    await using pair = await Http2Pair.ready();
    const { call } = new CallRecord();
    call.send(Buffer.from('one'), false);
    call.send(Buffer.alloc(0), false);
    call.send(Buffer.from('two'), true);
    call.send(Buffer.from('after the end'), true);
    call.start(pair.session, REQUEST_BLOCK);
    const frames = await pair.peer.settle();
    assert.deepEqual(frames.map(nameOf), ['headers 1', 'data 1: 21, last']);
    assert.deepEqual(frames[1]?.payload, Buffer.concat([wrapped('one'), wrapped(''), wrapped('two')]));
  });

  test('sends each message that comes later at once, and the end with the last', async () => {
    await using pair = await Http2Pair.ready();
    const { call } = new CallRecord();
    call.start(pair.session, REQUEST_BLOCK);
    assert.deepEqual(await pair.peer.settledNames(), ['headers 1']);
    call.send(Buffer.from('a'), false);
    assert.deepEqual(await pair.peer.settledNames(), ['data 1: 6']);
    call.send(Buffer.alloc(0), true);
    assert.deepEqual(await pair.peer.settledNames(), ['data 1: 5, last']);
  });

  test('with too large a request ends before the other side hears of it', async () => {
    await using pair = await Http2Pair.ready();
    const [before, after] = [new CallRecord(), new CallRecord()];
    const refused = { code: 8, details: 'Attempted to send message with a size larger than 1000' };
    before.call.send(Buffer.alloc(1_001), true);
    before.call.start(pair.session, REQUEST_BLOCK);
    assert.deepEqual(before.said, [refused]);
    assert.deepEqual(await pair.peer.settledNames(), []);
    after.call.start(pair.session, REQUEST_BLOCK);
    after.call.send(Buffer.alloc(1_000), false);
    after.call.send(Buffer.alloc(1_001), true);
    assert.deepEqual(after.said, [refused]);
    assert.deepEqual(await pair.peer.settledNames(), [
      'headers 1',
      'data 1: 1005',
      `reset 1: ${CODE.cancel}`,
    ]);
  });

  test('that is given up tells nothing any more, and the other side is told', async () => {
    await using pair = await Http2Pair.ready();
    const { call, said } = new CallRecord();
    call.start(pair.session, REQUEST_BLOCK);
    await pair.peer.settle();
    call.cancel();
    call.cancel();
    call.fail({ code: 14, details: 'x' });
    call.send(Buffer.from('x'), true);
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.cancel}`]);
    pair.peer.send(says.headers(1, [...OK_HEADERS, ...OK_TRAILERS], true));
    await pair.peer.settle();
    pair.session.destroy();
    assert.deepEqual(said, []);
  });

  test('that is given up before the connection stands is never begun', async () => {
    await using pair = await Http2Pair.ready();
    const { call, said } = new CallRecord();
    call.send(Buffer.from('x'), true);
    call.cancel();
    call.start(pair.session, REQUEST_BLOCK);
    assert.deepEqual(await pair.peer.settledNames(), []);
    assert.deepEqual(said, []);
  });

  test('that has failed before the connection stands is never begun', async () => {
    await using pair = await Http2Pair.ready();
    const { call, said } = new CallRecord();
    const status = { code: 14, details: 'no', connectError: new Error('no') };
    call.fail(status);
    call.fail({ code: 2, details: 'twice' });
    call.start(pair.session, REQUEST_BLOCK);
    assert.deepEqual(await pair.peer.settledNames(), []);
    assert.deepEqual(said, [status]);
  });

  test('passes a large message through small windows', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 300]]);
    const { call } = new CallRecord();
    const message = Buffer.from(Array.from({ length: 1_000 }, (_, index) => index % 251));
    call.send(message, true);
    call.start(pair.session, REQUEST_BLOCK);
    const parts: Buffer[] = [];
    while (Buffer.concat(parts).length < 1_005) {
      for (const { type, payload } of await pair.peer.settle()) if (type === TYPE.data) parts.push(payload);
      pair.peer.send(says.room(1, 300));
    }
    assert.deepEqual(Buffer.concat(parts), wrapped(message));
  });
});
