// Our side of HTTP/2 against a peer that says whatever the test wants, on a TCP connection of its own. A test waits for facts
// only: `settle` returns once the session has read all and answered a ping behind it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HpackDecoder, type HeaderField } from '../../src/hpack.ts';
import { CODE, FLAG, SETTING, TYPE, type Frame } from '../../src/http2-frames.ts';
import {
  after,
  block,
  Http2Pair,
  nameOf,
  OK_HEADERS,
  PaperSocket,
  REQUEST,
  REQUEST_BLOCK,
  says,
  SESSION_OPTIONS,
  StreamRecord,
  sessionOn,
} from '../support/http2-peer.ts';
import { values } from '../support/properties.ts';
import { waitFor } from '../support/wait.ts';

const TRAILERS: readonly HeaderField[] = [['grpc-status', '0']];

/** The payload of all DATA frames of a stream. */
function dataOf(frames: readonly Frame[], streamId: number): Buffer {
  return Buffer.concat(
    frames.filter((one) => one.type === TYPE.data && one.streamId === streamId).map((one) => one.payload),
  );
}

/** Bytes of which each place can be told from its neighbours. */
function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
}

void describe('a session begins', () => {
  test('with the preface, its settings, and room for the connection when that is to be larger', async () => {
    await using pair = await Http2Pair.connect({ windowBytes: 100_000 });
    // The peer has cut the preface off, or had thrown.
    const settings = await pair.peer.next();
    assert.ok(settings !== undefined);
    assert.equal(nameOf(settings), 'settings');
    const values = new Map<number, number>();
    for (let at = 0; at < settings.payload.length; at += 6)
      values.set(settings.payload.readUInt16BE(at), settings.payload.readUInt32BE(at + 2));
    assert.deepEqual(
      [...values],
      [
        [SETTING.enablePush, 0],
        [SETTING.initialWindowSize, 100_000],
        [SETTING.maxHeaderListSize, 65_536],
      ],
    );
    assert.deepEqual(await pair.peer.names(1), ['room 0: 34465']);
  });

  test('without more room for a window of the default size', async () => {
    await using pair = await Http2Pair.connect();
    pair.peer.send(says.settings());
    assert.deepEqual(await pair.peer.settledNames(), ['settings', 'settings ack']);
    assert.deepEqual(pair.said, ['ready']);
  });

  test('is ready once, and acknowledges every SETTINGS but an acknowledgement', async () => {
    await using pair = await Http2Pair.connect();
    pair.peer.send(
      says.settings(),
      says.frame(TYPE.settings, FLAG.ack, 0),
      says.settings([SETTING.enablePush, 0]),
    );
    assert.deepEqual(await pair.peer.settledNames(), ['settings', 'settings ack', 'settings ack']);
    assert.deepEqual(pair.said, ['ready']);
  });

  test('ignores settings, frames and flags that later standards may add', async () => {
    await using pair = await Http2Pair.ready([[0x99, 0xffff_ffff]]);
    pair.peer.send(
      says.frame(0xfa, 0xff, 0, pattern(100)),
      says.frame(0xfa, 0xff, 77),
      says.frame(TYPE.priority, 0, 9, Buffer.alloc(5)),
      says.frame(TYPE.ping, 0xfe, 0, Buffer.from('12345678')),
    );
    assert.deepEqual(await pair.peer.settledNames(), ['ping ack']);
    assert.deepEqual(pair.said, ['ready']);
  });

  test('answers a PING behind what goes out next, in one piece with it', async () => {
    await using pair = await Http2Pair.connect({ afterPatience: after(60_000) });
    pair.peer.send(says.settings());
    assert.deepEqual(await pair.peer.names(2), ['settings', 'settings ack']);
    pair.peer.send(says.ping('12345678'));
    const { readBytes } = pair.session;
    await waitFor('the PING is read', () => pair.session.readBytes > readBytes);
    pair.open().stream.send(Buffer.from('hello'), true);
    assert.deepEqual(await pair.peer.names(3), ['headers 1', 'data 1: 5, last', 'ping ack']);
  });

  test('answers a PING alone when nothing else goes out, and many of them without patience', async () => {
    await using impatient = await Http2Pair.ready([], { afterPatience: after(20) });
    impatient.peer.send(says.ping('12345678'));
    assert.deepEqual(await impatient.peer.names(1), ['ping ack']);

    await using patient = await Http2Pair.connect({ afterPatience: after(60_000) });
    patient.peer.send(says.settings());
    assert.deepEqual(await patient.peer.names(2), ['settings', 'settings ack']);
    for (let count = 0; count < 50; count += 1) patient.peer.send(says.ping('12345678'));
    assert.deepEqual(await patient.peer.names(40), Array<string>(40).fill('ping ack'));
  });

  test('what carries data may carry anything: the highest bit of a stream number says nothing', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    pair.peer.send(says.headers(1 + 2 ** 31, [...OK_HEADERS, ...TRAILERS], true));
    await pair.peer.settle();
    assert.deepEqual(record.said, ['headers, last: :status=200 grpc-status=0']);
  });

  for (const [what, bytes] of [
    ['an answer of HTTP/1.1', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['the header of a TLS alert and more', Buffer.from('15030100020228'.padEnd(40, '0'), 'hex')],
    ['a greeting of SSH', Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n')],
    ['a PING before SETTINGS', says.ping('12345678')],
    ['GOAWAY before SETTINGS', says.goAway(0)],
    ['an acknowledgement before SETTINGS', says.frame(TYPE.settings, FLAG.ack, 0)],
  ] as const) {
    test(`${what} is no HTTP/2`, async () => {
      await using pair = await Http2Pair.connect();
      pair.peer.send(bytes);
      assert.equal((await pair.end).kind, 'protocol');
      assert.deepEqual(pair.said, ['close']);
    });
  }

  test('random bytes end it, or leave it waiting for more; never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (pieces) => {
        const socket = new PaperSocket();
        const said: string[] = [];
        const session = sessionOn(socket.asSocket, SESSION_OPTIONS, {
          onReady: () => said.push('ready'),
          onGoAway: () => said.push('goAway'),
          onClose: ({ kind }) => said.push(kind),
        });
        for (const piece of pieces) socket.arrive(Buffer.from(piece));
        session.destroy();
        assert.ok(said.length === 0 || said.at(-1) === 'protocol' || said[0] === 'ready', said.join());
      }),
      values(),
    );
  });
});

void describe('what the other side may not do ends the connection', () => {
  const longBlock = block([[':status', '200']]);
  const openEnd = says.frame(TYPE.headers, 0, 1, longBlock);
  const cases: readonly (readonly [what: string, bytes: Buffer, code: number])[] = [
    ['a frame larger than we allow', says.frame(TYPE.data, 0, 1, Buffer.alloc(16_385)), CODE.frameSizeError],
    ['DATA on the connection', says.data(0, 'x'), CODE.protocolError],
    ['DATA on a stream that nobody has opened', says.data(3, 'x'), CODE.protocolError],
    ['HEADERS on the connection', says.headers(0, OK_HEADERS), CODE.protocolError],
    ['HEADERS on a stream that nobody has opened', says.headers(3, OK_HEADERS), CODE.protocolError],
    ['HEADERS on a stream of its own', says.headers(2, OK_HEADERS), CODE.protocolError],
    ['RST_STREAM on the connection', says.reset(0, 8), CODE.protocolError],
    ['RST_STREAM on a stream that nobody has opened', says.reset(3, 8), CODE.protocolError],
    ['RST_STREAM of 3 bytes', says.frame(TYPE.rstStream, 0, 1, Buffer.alloc(3)), CODE.frameSizeError],
    ['SETTINGS of 5 bytes', says.frame(TYPE.settings, 0, 0, Buffer.alloc(5)), CODE.frameSizeError],
    ['SETTINGS on a stream', says.frame(TYPE.settings, 0, 1), CODE.protocolError],
    [
      'an acknowledgement that says something',
      says.frame(TYPE.settings, FLAG.ack, 0, Buffer.alloc(6)),
      CODE.frameSizeError,
    ],
    ['a window of 2^31', says.settings([SETTING.initialWindowSize, 2 ** 31]), CODE.flowControlError],
    ['frames of 16,383 bytes', says.settings([SETTING.maxFrameSize, 16_383]), CODE.protocolError],
    ['frames of 2^24 bytes', says.settings([SETTING.maxFrameSize, 2 ** 24]), CODE.protocolError],
    ['a push', says.frame(TYPE.pushPromise, FLAG.endHeaders, 1, Buffer.alloc(4)), CODE.protocolError],
    ['PING of 7 bytes', says.frame(TYPE.ping, 0, 0, Buffer.alloc(7)), CODE.frameSizeError],
    ['PING on a stream', says.frame(TYPE.ping, 0, 1, Buffer.alloc(8)), CODE.protocolError],
    ['GOAWAY of 7 bytes', says.frame(TYPE.goAway, 0, 0, Buffer.alloc(7)), CODE.frameSizeError],
    ['GOAWAY on a stream', says.frame(TYPE.goAway, 0, 1, Buffer.alloc(8)), CODE.protocolError],
    ['WINDOW_UPDATE of 5 bytes', says.frame(TYPE.windowUpdate, 0, 0, Buffer.alloc(5)), CODE.frameSizeError],
    ['WINDOW_UPDATE of nothing', says.room(0, 0), CODE.protocolError],
    ['WINDOW_UPDATE on a stream that nobody has opened', says.room(3, 1), CODE.protocolError],
    ['a window of the connection above 2^31 - 1', says.room(0, 2 ** 31 - 1), CODE.flowControlError],
    [
      'padding of DATA as long as its frame',
      says.frame(TYPE.data, FLAG.padded, 1, Buffer.from([3, 0, 0])),
      CODE.protocolError,
    ],
    ['padding of DATA without a length', says.frame(TYPE.data, FLAG.padded, 1), CODE.protocolError],
    [
      'padding of HEADERS longer than its frame',
      says.frame(TYPE.headers, FLAG.padded | FLAG.endHeaders, 1, Buffer.from([200, 0x88])),
      CODE.protocolError,
    ],
    [
      'HEADERS with half a priority',
      says.frame(TYPE.headers, FLAG.priority | FLAG.endHeaders, 1, Buffer.alloc(4)),
      CODE.frameSizeError,
    ],
    [
      'HEADERS whose padding reaches into the priority',
      says.frame(
        TYPE.headers,
        FLAG.padded | FLAG.priority | FLAG.endHeaders,
        1,
        Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]),
      ),
      CODE.protocolError,
    ],
    ['CONTINUATION of nothing', says.frame(TYPE.continuation, FLAG.endHeaders, 1), CODE.protocolError],
    ['DATA inside a header block', Buffer.concat([openEnd, says.data(1, 'x')]), CODE.protocolError],
    ['PING inside a header block', Buffer.concat([openEnd, says.ping('12345678')]), CODE.protocolError],
    [
      'an unknown frame inside a header block',
      Buffer.concat([openEnd, says.frame(0xfa, 0, 1)]),
      CODE.protocolError,
    ],
    [
      'CONTINUATION of another stream',
      Buffer.concat([openEnd, says.frame(TYPE.continuation, FLAG.endHeaders, 3)]),
      CODE.protocolError,
    ],
    [
      'CONTINUATION behind the end of a block',
      Buffer.concat([says.headers(1, OK_HEADERS), says.frame(TYPE.continuation, FLAG.endHeaders, 1)]),
      CODE.protocolError,
    ],
    [
      'a header block that cannot be read',
      says.frame(TYPE.headers, FLAG.endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
      CODE.compressionError,
    ],
    [
      'a header block in endless pieces of nothing',
      Buffer.concat([openEnd, ...Array.from({ length: 100 }, () => says.frame(TYPE.continuation, 0, 1))]),
      CODE.enhanceYourCalm,
    ],
    [
      'a header block of endless size',
      Buffer.concat([
        openEnd,
        ...Array.from({ length: 5 }, () => says.frame(TYPE.continuation, 0, 1, Buffer.alloc(16_384))),
      ]),
      CODE.enhanceYourCalm,
    ],
    [
      'more headers than fit, from few bytes',
      says.frame(
        TYPE.headers,
        FLAG.endHeaders,
        1,
        // One entry of 4,000 bytes, and then 17 times: that one.
        Buffer.concat([
          Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]),
          Buffer.alloc(4_000, 'v'),
          Buffer.alloc(17, 0x80 | 62),
        ]),
      ),
      CODE.compressionError,
    ],
  ];
  for (const [what, bytes, code] of cases) {
    test(what, async () => {
      await using pair = await Http2Pair.ready();
      const { record } = pair.open();
      // What comes behind the fault, in the same segment, is not looked at.
      pair.peer.send(bytes, says.headers(1, [['late', 'late']], true));
      assert.equal((await pair.end).kind, 'protocol');
      assert.deepEqual(pair.said, ['ready', 'close']);
      assert.equal(record.said.at(-1), 'lost');
      assert.ok(!record.said.some((text) => text.includes('late')), record.said.join());
      // Whoever closes with something unread resets the connection, and the last words may be lost: not a matter of ours.
      if (bytes.length < 60_000) assert.equal((await pair.peer.rest()).at(-1), `goAway ${code}`);
      // Nothing can be begun any more, and nothing that is done to what is over does harm.
      assert.equal(pair.session.open(REQUEST_BLOCK, new StreamRecord()), undefined);
      pair.session.ping();
      pair.session.destroy();
    });
  }

  test('a change of the window that makes the one of a stream too large', async () => {
    await using pair = await Http2Pair.ready();
    pair.open();
    pair.peer.send(says.room(1, 2 ** 31 - 1 - 65_535), says.settings([SETTING.initialWindowSize, 65_536]));
    assert.equal((await pair.end).kind, 'protocol');
    assert.equal((await pair.peer.rest()).at(-1), `goAway ${CODE.flowControlError}`);
  });

  test('asking on and on without reading the answers', async () => {
    // Answers are as large as questions, so no more than the backlog and the kernel's buffers hold is ever kept.
    await using pair = await Http2Pair.ready([], { largestBacklogBytes: 1_000 });
    const { record } = pair.open();
    const { socket } = pair.peer;
    socket.pause();
    const pings = Buffer.concat(Array.from({ length: 4_000 }, () => says.ping('12345678')));
    while (!pair.said.includes('close')) {
      if (!socket.write(pings)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), pair.end]);
    }
    assert.deepEqual(await pair.end, { kind: 'protocol', text: 'it asks for more than it reads' });
    assert.deepEqual(record.said, ['lost']);
  });
});

void describe('a stream', () => {
  test('is told headers, data and trailers, and its number is odd and rises', async () => {
    await using pair = await Http2Pair.ready();
    const one = pair.open();
    const other = pair.open();
    one.stream.send(Buffer.from('hello'), true);
    other.stream.send(Buffer.alloc(0), true);
    assert.deepEqual(await pair.peer.settledNames(), [
      'headers 1',
      'headers 3',
      'data 1: 5, last',
      'data 3: 0, last',
    ]);
    pair.peer.send(
      says.headers(3, OK_HEADERS),
      says.headers(1, OK_HEADERS),
      says.data(1, 'ab'),
      says.data(3, '', true),
      says.data(1, 'c'),
      says.headers(1, TRAILERS, true),
    );
    assert.deepEqual(await pair.peer.settledNames(), []);
    assert.deepEqual(one.record.said, [
      'headers: :status=200',
      'data: 2',
      'data: 1',
      'headers, last: grpc-status=0',
    ]);
    assert.equal(Buffer.concat(one.record.data).toString(), 'abc');
    assert.deepEqual(other.record.said, ['headers: :status=200', 'data, last: 0']);
    assert.equal(pair.session.hasStreams, false);
  });

  test('that is answered before it has said all is given up without an error', async () => {
    await using pair = await Http2Pair.ready();
    const { stream, record } = pair.open();
    stream.send(Buffer.from('more is to come'), false);
    await pair.peer.settle();
    pair.peer.send(says.headers(1, [...OK_HEADERS, ...TRAILERS], true));
    assert.deepEqual(await pair.peer.settledNames(), ['reset 1: 0']);
    assert.deepEqual(record.said, ['headers, last: :status=200 grpc-status=0']);
    stream.send(Buffer.from('too late'), true);
    stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), []);
  });

  test('skips informational headers, as many as there are', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    pair.peer.send(
      says.headers(1, [[':status', '100']]),
      says.headers(1, [
        [':status', '103'],
        ['link', 'x'],
      ]),
      says.headers(1, OK_HEADERS),
      says.headers(1, TRAILERS, true),
    );
    await pair.peer.settle();
    assert.deepEqual(record.said, ['headers: :status=200', 'headers, last: grpc-status=0']);
  });

  test('is reset by us for data before headers, and the connection lives', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    const other = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.data(1, 'x'), says.headers(1, OK_HEADERS));
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.protocolError}`]);
    assert.deepEqual(record.said, [`reset: ${CODE.protocolError}`]);
    assert.deepEqual(other.record.said, []);
  });

  test('is reset by us for data between informational headers and the real ones', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, [[':status', '100']]), says.data(1, 'x'));
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.protocolError}`]);
    assert.deepEqual(record.said, [`reset: ${CODE.protocolError}`]);
  });

  test('is reset by us for trailers that are not the end', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, OK_HEADERS), says.headers(1, TRAILERS), says.data(1, 'x', true));
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.protocolError}`]);
    assert.deepEqual(record.said, ['headers: :status=200', `reset: ${CODE.protocolError}`]);
  });

  test('is told the code of a reset, once', async () => {
    await using pair = await Http2Pair.ready();
    const { stream, record } = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, OK_HEADERS), says.reset(1, 11), says.reset(1, 8), says.data(1, 'x'));
    assert.deepEqual(await pair.peer.settledNames(), []);
    assert.deepEqual(record.said, ['headers: :status=200', 'reset: 11']);
    stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), []);
  });

  test('that is cancelled hears nothing more of what was under way, which is still read for the others', async () => {
    await using pair = await Http2Pair.ready();
    const one = pair.open();
    const other = pair.open();
    await pair.peer.settle();
    one.stream.cancel();
    one.stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.cancel}`]);
    // The block of the first stream enters a field in the table, which that of the second one names.
    const entered = Buffer.concat([Buffer.from([0x88, 0x40, 1, 0x61, 1]), Buffer.from('b')]);
    pair.peer.send(
      says.frame(TYPE.headers, FLAG.endHeaders, 1, entered),
      says.data(1, pattern(1_000)),
      says.room(1, 100),
      says.headers(1, TRAILERS, true),
      says.frame(TYPE.headers, FLAG.endHeaders | FLAG.endStream, 3, Buffer.from([0x88, 0x80 | 62])),
    );
    await pair.peer.settle();
    assert.deepEqual(one.record.said, []);
    assert.deepEqual(other.record.said, ['headers, last: :status=200 a=b']);
  });

  test('can be cancelled by what it is told, in the middle of a segment', async () => {
    await using pair = await Http2Pair.ready();
    const record = new StreamRecord();
    const stream = pair.session.open(REQUEST_BLOCK, {
      onHeaders: record.onHeaders,
      onReset: record.onReset,
      onLost: record.onLost,
      onData: (bytes, isLast) => {
        record.onData(bytes, isLast);
        stream?.cancel();
      },
    });
    await pair.peer.settle();
    pair.peer.send(
      says.headers(1, OK_HEADERS),
      says.data(1, 'a'),
      says.data(1, 'b'),
      says.headers(1, TRAILERS, true),
    );
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.cancel}`]);
    assert.deepEqual(record.said, ['headers: :status=200', 'data: 1']);
  });

  test('can destroy the session by what it is told, and nothing comes after that', async () => {
    await using pair = await Http2Pair.ready();
    const record = new StreamRecord();
    pair.session.open(REQUEST_BLOCK, {
      onData: record.onData,
      onReset: record.onReset,
      onLost: record.onLost,
      onHeaders: (fields, isLast) => {
        record.onHeaders(fields, isLast);
        pair.session.destroy();
      },
    });
    const other = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, OK_HEADERS), says.data(1, 'a', true), says.headers(3, OK_HEADERS));
    assert.deepEqual(await pair.peer.rest(), []);
    assert.deepEqual(record.said, ['headers: :status=200', 'lost']);
    assert.deepEqual(other.record.said, ['lost']);
    assert.deepEqual(pair.said, ['ready']);
  });

  test('hears data and headers without their padding and priority', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    const { padded, endHeaders, endStream, priority } = FLAG;
    pair.peer.send(
      says.frame(
        TYPE.headers,
        padded | priority | endHeaders,
        1,
        Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 16]), block(OK_HEADERS), Buffer.alloc(2)]),
      ),
      says.frame(TYPE.data, padded, 1, Buffer.from('\x03abc\0\0\0')),
      says.frame(TYPE.data, padded, 1, Buffer.from([255, ...Buffer.alloc(255)])),
      says.frame(TYPE.data, padded, 1, Buffer.from([0])),
      says.frame(
        TYPE.headers,
        padded | endHeaders | endStream,
        1,
        Buffer.concat([Buffer.from([0]), block(TRAILERS)]),
      ),
    );
    await pair.peer.settle();
    assert.deepEqual(record.said, [
      'headers: :status=200',
      'data: 3',
      'data: 0',
      'data: 0',
      'headers, last: grpc-status=0',
    ]);
    assert.equal(Buffer.concat(record.data).toString(), 'abc');
  });

  test('hears a header block that came in pieces, padded and with the end of the stream on its first', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    const bytes = block([...OK_HEADERS, ['a', 'v'.repeat(300)]]);
    pair.peer.send(
      says.frame(
        TYPE.headers,
        FLAG.endStream | FLAG.padded,
        1,
        Buffer.concat([Buffer.from([1]), bytes.subarray(0, 3), Buffer.alloc(1)]),
      ),
      says.frame(TYPE.continuation, 0, 1),
      says.frame(TYPE.continuation, 0, 1, bytes.subarray(3, 100)),
      says.frame(TYPE.continuation, FLAG.endHeaders, 1, bytes.subarray(100)),
    );
    await pair.peer.settle();
    assert.deepEqual(record.said, [`headers, last: :status=200 a=${'v'.repeat(300)}`]);
  });

  test('sends a header block that is larger than a frame in pieces, with nothing between them', async () => {
    await using pair = await Http2Pair.ready();
    const large: HeaderField = ['token', pattern(40_000).toString('latin1')];
    const { stream } = pair.open([...REQUEST, large]);
    pair.session.ping();
    stream.send(Buffer.from('x'), true);
    const frames = await pair.peer.settle();
    assert.deepEqual(frames.map(nameOf), [
      'headers 1',
      'continuation 1',
      'continuation 1',
      'ping',
      'data 1: 1, last',
    ]);
    const [head, middle, tail] = frames;
    assert.deepEqual([head?.flags, middle?.flags, tail?.flags], [0, 0, FLAG.endHeaders]);
    assert.deepEqual([head?.payload.length, middle?.payload.length], [16_384, 16_384]);
    const bytes = Buffer.concat(frames.slice(0, 3).map(({ payload }) => payload));
    assert.deepEqual(new HpackDecoder().decode(bytes), [...REQUEST, large]);
  });

  test('enters nothing in the table of the other side, and says so before anything else', async () => {
    // A side that has made its table smaller may take a block that does not begin with a change of the table for an error.
    await using pair = await Http2Pair.ready([[1, 0]]);
    pair.open();
    pair.open();
    const [first, second] = await pair.peer.settle();
    assert.equal(first?.payload[0], 0x20);
    assert.notEqual(second?.payload[0], 0x20);
  });
});

void describe('what is sent', () => {
  test('waits for the room of the stream and of the connection', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 10]]);
    const { stream } = pair.open();
    const text = pattern(70_000);
    stream.send(text, true);
    const frames = await pair.peer.settle();
    assert.deepEqual(frames.map(nameOf), ['headers 1', 'data 1: 10']);
    pair.peer.send(says.room(1, 5));
    frames.push(...(await pair.peer.settle()));
    assert.equal(dataOf(frames, 1).length, 15);
    // Now the stream has room for all, and the connection for 65,535.
    pair.peer.send(says.room(1, 100_000));
    frames.push(...(await pair.peer.settle()));
    assert.equal(dataOf(frames, 1).length, 65_535);
    assert.ok(frames.every(({ flags, type }) => type !== TYPE.data || flags === 0));
    pair.peer.send(says.room(0, 4_464));
    frames.push(...(await pair.peer.settle()));
    assert.equal(dataOf(frames, 1).length, 69_999);
    pair.peer.send(says.room(0, 1_000));
    const [last] = await pair.peer.settle();
    assert.ok(last !== undefined);
    assert.equal(nameOf(last), 'data 1: 1, last');
    assert.deepEqual(Buffer.concat([dataOf(frames, 1), last.payload]), text);
  });

  test('with room for nothing may still end', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 0]]);
    const { stream } = pair.open();
    stream.send(Buffer.alloc(0), true);
    assert.deepEqual(await pair.peer.settledNames(), ['headers 1', 'data 1: 0, last']);
  });

  test('ends with its last bytes when the end is said with them, and with nothing when it is said later', async () => {
    await using pair = await Http2Pair.ready();
    const { stream } = pair.open();
    stream.send(Buffer.from('ab'), false);
    stream.send(Buffer.from('cd'), false);
    assert.deepEqual(await pair.peer.settledNames(), ['headers 1', 'data 1: 2', 'data 1: 2']);
    stream.send(Buffer.alloc(0), true);
    stream.send(Buffer.from('after the end'), true);
    assert.deepEqual(await pair.peer.settledNames(), ['data 1: 0, last']);
  });

  test('obeys a window that changes, below zero too', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 100]]);
    const { stream } = pair.open();
    stream.send(pattern(1_000), true);
    assert.deepEqual(await pair.peer.settledNames(), ['headers 1', 'data 1: 100']);
    // 100 of 20 are sent: 80 less than nothing.
    pair.peer.send(says.settings([SETTING.initialWindowSize, 20]), says.room(1, 80));
    assert.deepEqual(await pair.peer.settledNames(), ['settings ack']);
    pair.peer.send(says.room(1, 1));
    assert.deepEqual(await pair.peer.settledNames(), ['data 1: 1']);
    // A stream of now begins with 20.
    const second = pair.open();
    second.stream.send(pattern(50), true);
    assert.deepEqual(await pair.peer.settledNames(), ['headers 3', 'data 3: 20']);
    pair.peer.send(says.settings([SETTING.initialWindowSize, 30]));
    assert.deepEqual(await pair.peer.settledNames(), ['settings ack', 'data 1: 10', 'data 3: 10']);
    pair.peer.send(says.settings([SETTING.initialWindowSize, 2 ** 31 - 1]));
    assert.deepEqual(await pair.peer.settledNames(), [
      'settings ack',
      'data 1: 889, last',
      'data 3: 20, last',
    ]);
  });

  test('shares the room of the connection, which no change of the settings touches', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 1_000_000]]);
    const [one, other] = [pair.open(), pair.open()];
    one.stream.send(pattern(60_000), true);
    other.stream.send(pattern(60_000), true);
    const frames = await pair.peer.settle();
    assert.equal(dataOf(frames, 1).length, 60_000);
    assert.equal(dataOf(frames, 3).length, 5_535);
    pair.peer.send(says.settings([SETTING.initialWindowSize, 2_000_000]));
    assert.deepEqual(await pair.peer.settledNames(), ['settings ack']);
    // What is given up needs no room.
    other.stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), [`reset 3: ${CODE.cancel}`]);
  });

  test('is cut into frames as large as the other side takes', async () => {
    await using pair = await Http2Pair.ready([
      [SETTING.initialWindowSize, 1_000_000],
      [SETTING.maxFrameSize, 20_000],
    ]);
    pair.peer.send(says.room(0, 1_000_000));
    const { stream } = pair.open();
    const text = pattern(50_000);
    stream.send(text, true);
    const frames = await pair.peer.settle();
    assert.deepEqual(frames.map(nameOf), [
      'headers 1',
      'data 1: 20000',
      'data 1: 20000',
      'data 1: 10000, last',
    ]);
    assert.deepEqual(dataOf(frames, 1), text);
  });

  test('waits for the network when there is more of it than we may keep, and is no fault of the other side', async () => {
    await using pair = await Http2Pair.ready([[SETTING.initialWindowSize, 2 ** 31 - 1]], {
      largestBacklogBytes: 1_000_000,
    });
    pair.peer.send(says.room(0, 2 ** 30));
    await pair.peer.settle();
    // More than the buffers of the kernel hold.
    const parts = Array.from({ length: 16 }, (_, index) => Buffer.alloc(1_000_000, index));
    const { stream } = pair.open();
    pair.peer.socket.pause();
    stream.send(Buffer.concat(parts), true);
    const other = pair.open();
    other.stream.send(Buffer.from('x'), true);
    pair.peer.socket.resume();
    const found: Frame[] = [];
    const isLast = ({ type, flags, streamId }: Frame): boolean =>
      type === TYPE.data && streamId === 1 && (flags & FLAG.endStream) !== 0;
    for (let next = await pair.peer.next(); next !== undefined; next = await pair.peer.next()) {
      found.push(next);
      if (isLast(next)) break;
    }
    assert.ok(dataOf(found, 1).equals(Buffer.concat(parts)));
    found.push(...(await pair.peer.settle()));
    assert.equal(dataOf(found, 3).toString(), 'x');
    assert.deepEqual(pair.said, ['ready']);
  });

  test('more room for a stream than there is ends the stream, and only that', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    const other = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.room(1, 2 ** 31 - 1), says.room(3, 0));
    assert.deepEqual(await pair.peer.settledNames(), [
      `reset 1: ${CODE.flowControlError}`,
      `reset 3: ${CODE.protocolError}`,
    ]);
    assert.deepEqual(record.said, [`reset: ${CODE.flowControlError}`]);
    assert.deepEqual(other.record.said, [`reset: ${CODE.protocolError}`]);
    assert.deepEqual(pair.said, ['ready']);
  });
});

void describe('what is received', () => {
  test('is given back to both windows when half of them is used, so that any amount can come', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, OK_HEADERS), says.data(1, pattern(16_384)));
    assert.deepEqual(await pair.peer.settledNames(), []);
    pair.peer.send(says.data(1, pattern(16_383)));
    assert.deepEqual(await pair.peer.settledNames(), []);
    pair.peer.send(says.data(1, pattern(1)));
    assert.deepEqual(await pair.peer.settledNames(), ['room 0: 32768', 'room 1: 32768']);
    // A message of 1 MB, by the rules.
    let [stream, connection] = [65_535, 65_535];
    let sent = 0;
    while (sent < 1_000_000) {
      const size = Math.min(16_384, stream, connection);
      pair.peer.send(says.data(1, Buffer.alloc(size)));
      sent += size;
      stream -= size;
      connection -= size;
      for (const { type, streamId, payload } of await pair.peer.settle()) {
        assert.equal(type, TYPE.windowUpdate);
        if (streamId === 0) connection += payload.readUInt32BE(0);
        else stream += payload.readUInt32BE(0);
      }
    }
    assert.equal(Buffer.concat(record.data).length, 32_768 + sent);
  });

  test('counts with its padding', async () => {
    await using pair = await Http2Pair.ready();
    pair.open();
    await pair.peer.settle();
    const padded = says.frame(
      TYPE.data,
      FLAG.padded,
      1,
      Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]),
    );
    pair.peer.send(says.headers(1, OK_HEADERS), ...Array.from({ length: 128 }, () => padded));
    assert.deepEqual(await pair.peer.settledNames(), ['room 0: 32768', 'room 1: 32768']);
  });

  // With windows as large as a configuration makes them no frame can break the rule: half of the window is always open.
  test('beyond the room of a stream ends the stream', async () => {
    await using pair = await Http2Pair.ready([], { windowBytes: 20_000 });
    const [one, other] = [pair.open(), pair.open()];
    await pair.peer.settle();
    pair.peer.send(
      says.headers(1, OK_HEADERS),
      says.headers(3, OK_HEADERS),
      says.data(1, pattern(9_999)),
      says.data(3, 'x'),
      says.data(1, pattern(16_384)),
    );
    assert.deepEqual(await pair.peer.settledNames(), [
      'room 0: 10000',
      'room 0: 16384',
      `reset 1: ${CODE.flowControlError}`,
    ]);
    assert.deepEqual(one.record.said, [
      'headers: :status=200',
      'data: 9999',
      `reset: ${CODE.flowControlError}`,
    ]);
    assert.deepEqual(other.record.said, ['headers: :status=200', 'data: 1']);
  });

  test('beyond the room of the connection ends all', async () => {
    await using pair = await Http2Pair.ready([], { windowBytes: 20_000 });
    const { record } = pair.open();
    await pair.peer.settle();
    pair.peer.send(says.headers(1, OK_HEADERS), says.data(1, pattern(9_999)), says.data(1, pattern(16_384)));
    assert.equal((await pair.end).kind, 'protocol');
    assert.deepEqual(record.said, ['headers: :status=200', 'data: 9999', 'lost']);
    assert.deepEqual(await pair.peer.rest(), [`goAway ${CODE.flowControlError}`]);
  });

  test('in pieces of any size is the same: what a stream hears, and what we answer', () => {
    const fields = [...OK_HEADERS, ['x', 'y'.repeat(40)]] as const;
    const bytes = block(fields);
    const script = Buffer.concat([
      says.settings([SETTING.maxConcurrentStreams, 100]),
      says.ping('12345678'),
      says.frame(TYPE.headers, 0, 1, bytes.subarray(0, 10)),
      says.frame(TYPE.continuation, FLAG.endHeaders, 1, bytes.subarray(10)),
      says.data(1, 'hello'),
      says.frame(TYPE.data, FLAG.padded, 3, Buffer.from('\x01x\0')),
      says.headers(3, OK_HEADERS),
      says.data(3, pattern(300)),
      says.room(0, 7),
      says.reset(3, 8),
      says.headers(1, TRAILERS, true),
      says.goAway(3),
      says.headers(5, TRAILERS, true),
      says.data(0, 'an end'),
    ]);
    const play = (pieces: readonly Buffer[]): { said: string[]; sent: string } => {
      const socket = new PaperSocket();
      const said: string[] = [];
      const session = sessionOn(socket.asSocket, SESSION_OPTIONS, {
        onReady: () => said.push('ready'),
        onGoAway: () => said.push('goAway'),
        onClose: ({ text }) => said.push(text),
      });
      for (const name of ['one', 'other', 'third']) {
        session.open(REQUEST_BLOCK, {
          onHeaders: (got, isLast) => said.push(`${name}: ${JSON.stringify([got, isLast])}`),
          onData: (got, isLast) => said.push(`${name}: ${JSON.stringify([got.toString('latin1'), isLast])}`),
          onReset: (code) => said.push(`${name}: reset ${code}`),
          onLost: () => said.push(`${name}: lost`),
        });
      }
      for (const piece of pieces) socket.arrive(piece);
      return { said, sent: Buffer.concat(socket.sent).toString('hex') };
    };
    const whole = play([script]);
    assert.equal(whole.said.at(-1), 'nobody has opened stream 0');
    for (let at = 1; at < script.length; at += 1)
      assert.deepEqual(play([script.subarray(0, at), script.subarray(at)]), whole, `cut at ${at}`);
    assert.deepEqual(play(Array.from(script, (byte) => Buffer.from([byte]))), whole);
    fc.assert(
      fc.property(fc.array(fc.nat(script.length)), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), script.length];
        const pieces = places.slice(1).map((end, index) => script.subarray(places[index], end));
        assert.deepEqual(play(pieces), whole);
      }),
      values(),
    );
  });
});

void describe('a limit of streams', () => {
  test('makes the others wait, in their order, each until one ends', async () => {
    await using pair = await Http2Pair.ready([[SETTING.maxConcurrentStreams, 2]]);
    const all = ['a', 'b', 'c', 'd', 'e'].map((text) => {
      const opened = pair.open();
      opened.stream.send(Buffer.from(text), true);
      return opened;
    });
    assert.deepEqual(await pair.peer.settledNames(), [
      'headers 1',
      'data 1: 1, last',
      'headers 3',
      'data 3: 1, last',
    ]);
    pair.peer.send(says.headers(3, [...OK_HEADERS, ...TRAILERS], true));
    const frames = await pair.peer.settle();
    assert.deepEqual(frames.map(nameOf), ['headers 5', 'data 5: 1, last']);
    assert.equal(dataOf(frames, 5).toString(), 'c');
    pair.peer.send(says.reset(1, 8));
    assert.equal(dataOf(await pair.peer.settle(), 7).toString(), 'd');
    all[2]?.stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), [
      `reset 5: ${CODE.cancel}`,
      'headers 9',
      'data 9: 1, last',
    ]);
  });

  test('of none makes all wait until it is lifted', async () => {
    await using pair = await Http2Pair.ready([[SETTING.maxConcurrentStreams, 0]]);
    const [first, second, third] = [pair.open(), pair.open(), pair.open()];
    first.stream.send(Buffer.from('x'), true);
    assert.deepEqual(await pair.peer.settledNames(), []);
    // What is given up while it waits is never seen by the other side.
    second.stream.cancel();
    second.stream.send(Buffer.from('y'), true);
    pair.peer.send(says.settings([SETTING.maxConcurrentStreams, 1]));
    assert.deepEqual(await pair.peer.settledNames(), ['settings ack', 'headers 1', 'data 1: 1, last']);
    pair.peer.send(says.settings([SETTING.maxConcurrentStreams, 10]));
    assert.deepEqual(await pair.peer.settledNames(), ['settings ack', 'headers 3']);
    pair.peer.send(says.headers(3, [...OK_HEADERS, ...TRAILERS], true));
    await pair.peer.settle();
    assert.deepEqual(third.record.said, ['headers, last: :status=200 grpc-status=0']);
    assert.deepEqual(second.record.said, []);
  });

  test('that is lowered leaves those that are open', async () => {
    await using pair = await Http2Pair.ready();
    const [first] = [pair.open(), pair.open()];
    pair.peer.send(says.settings([SETTING.maxConcurrentStreams, 1]));
    await pair.peer.settle();
    pair.open();
    first.stream.cancel();
    assert.deepEqual(await pair.peer.settledNames(), [`reset 1: ${CODE.cancel}`]);
    pair.peer.send(says.reset(3, 8));
    assert.deepEqual(await pair.peer.settledNames(), ['headers 5']);
  });

  test('those that wait hear of the end of the connection', async () => {
    await using pair = await Http2Pair.ready([[SETTING.maxConcurrentStreams, 0]]);
    const { record, stream } = pair.open();
    pair.peer.socket.end();
    await pair.end;
    assert.deepEqual(record.said, ['lost']);
    stream.cancel();
  });

  test('those that wait are refused when the other side goes away', async () => {
    await using pair = await Http2Pair.ready([[SETTING.maxConcurrentStreams, 1]]);
    const [first, second] = [pair.open(), pair.open()];
    pair.peer.send(says.goAway(1), says.headers(1, [...OK_HEADERS, ...TRAILERS], true));
    assert.deepEqual(await pair.peer.settledNames(), ['headers 1', 'reset 1: 0']);
    assert.deepEqual(first.record.said, ['headers, last: :status=200 grpc-status=0']);
    assert.deepEqual(second.record.said, [`reset: ${CODE.refusedStream}`]);
  });
});

void describe('the other side goes away', () => {
  test('what it has not looked at is refused, the rest may end, and nothing is begun', async () => {
    await using pair = await Http2Pair.ready();
    const [first, second, third] = [pair.open(), pair.open(), pair.open()];
    pair.peer.send(says.goAway(3));
    await pair.peer.settle();
    assert.deepEqual(pair.said, ['ready', 'goAway']);
    assert.equal(pair.session.open(REQUEST_BLOCK, new StreamRecord()), undefined);
    assert.deepEqual(third.record.said, [`reset: ${CODE.refusedStream}`]);
    first.stream.send(Buffer.from('x'), true);
    assert.deepEqual(await pair.peer.settledNames(), ['data 1: 1, last']);
    pair.peer.send(says.headers(1, [...OK_HEADERS, ...TRAILERS], true));
    await pair.peer.settle();
    assert.deepEqual(first.record.said, ['headers, last: :status=200 grpc-status=0']);
    assert.deepEqual(second.record.said, []);
    pair.peer.socket.end();
    assert.equal((await pair.end).kind, 'hungUp');
    assert.deepEqual(second.record.said, ['lost']);
  });

  test('in two steps, as Go does: first all may go on, then none that is new', async () => {
    await using pair = await Http2Pair.ready();
    const [first, second] = [pair.open(), pair.open()];
    pair.peer.send(says.goAway(2 ** 31 - 1));
    await pair.peer.settle();
    assert.deepEqual(second.record.said, []);
    pair.peer.send(says.goAway(1));
    await pair.peer.settle();
    assert.deepEqual(pair.said, ['ready', 'goAway']);
    assert.deepEqual(first.record.said, []);
    assert.deepEqual(second.record.said, [`reset: ${CODE.refusedStream}`]);
  });
});

void describe('the end', () => {
  test('a peer that closes has hung up', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    pair.peer.socket.destroy();
    assert.match((await pair.end).kind, /^(hungUp|failed)$/);
    assert.deepEqual(record.said, ['lost']);
  });

  test('a peer that closes its side only has hung up, before it has said a word too', async () => {
    await using pair = await Http2Pair.connect();
    pair.peer.socket.end();
    assert.equal((await pair.end).kind, 'hungUp');
    assert.deepEqual(pair.said, ['close']);
  });

  test('a peer that hangs up in the middle of a frame has hung up', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    pair.peer.send(says.headers(1, OK_HEADERS).subarray(0, 11));
    pair.peer.socket.end();
    assert.equal((await pair.end).kind, 'hungUp');
    assert.deepEqual(record.said, ['lost']);
  });

  test('what came before the end is still heard', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    const other = pair.open();
    pair.peer.send(says.headers(1, [...OK_HEADERS, ...TRAILERS], true));
    pair.peer.socket.end();
    await pair.end;
    assert.deepEqual(record.said, ['headers, last: :status=200 grpc-status=0']);
    assert.deepEqual(other.record.said, ['lost']);
  });

  test('a peer that resets the connection has failed, in the words of the system', async () => {
    await using pair = await Http2Pair.ready();
    const { record } = pair.open();
    await pair.peer.settle();
    pair.peer.socket.resetAndDestroy();
    assert.deepEqual(await pair.end, { kind: 'failed', text: 'read ECONNRESET' });
    assert.deepEqual(record.said, ['lost']);
    assert.deepEqual(pair.said, ['ready', 'close']);
  });

  test('that is ours tells the streams and not the session', async () => {
    await using pair = await Http2Pair.ready();
    const { record, stream } = pair.open();
    pair.session.destroy();
    pair.session.destroy();
    stream.send(Buffer.from('x'), true);
    stream.cancel();
    assert.deepEqual(record.said, ['lost']);
    assert.equal(pair.session.hasStreams, false);
    assert.deepEqual(await pair.peer.rest(), []);
    assert.deepEqual(pair.said, ['ready']);
  });
});

test('a ping of ours is answered with bytes that count', async () => {
  await using pair = await Http2Pair.ready();
  const before = pair.session.readBytes;
  pair.session.ping();
  const ping = await pair.peer.next();
  assert.ok(ping !== undefined);
  assert.equal(nameOf(ping), 'ping');
  pair.peer.send(says.frame(TYPE.ping, FLAG.ack, 0, ping.payload));
  assert.deepEqual(await pair.peer.settledNames(), []);
  assert.equal(pair.session.readBytes, before + 2 * 17);
});
