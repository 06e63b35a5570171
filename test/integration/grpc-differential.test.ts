// The same calls through our transport and through grpc-js, to one server of Node's: they have to tell the same.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import { EtcdConnection } from '../../src/connect/connection.ts';
import { TlsSuspects } from '../../src/connect/probe.ts';
import { NameBook } from '../../src/connect/dns-cache.ts';
import { makeRealClock } from '../../src/process/real-clock.ts';
import { type AnswerCall, CallServer, wrapped } from '../support/grpc-stand-in.ts';
import { values } from '../support/properties.ts';
import { within } from '../support/wait.ts';

const LIMITS = {
  'grpc.max_receive_message_length': 2 * 1024 * 1024,
  'grpc.max_send_message_length': 4 * 1024 * 1024,
};
const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** How one call went. */
interface Outcome {
  readonly messages: readonly string[];
  readonly code: number;
  readonly details: string;
}

/** Makes one call to its end. */
type MakeCall = (
  path: string,
  requests: readonly Buffer[],
  metadata: Readonly<Record<string, string>>,
) => Promise<Outcome>;

/** As grpc-go encodes `grpc-message`. */
function percentEncoded(text: string): string {
  return Array.from(Buffer.from(text), (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
}

/** Headers, these pieces of a body, and these trailers. */
function answering(
  body: readonly Buffer[],
  trailers: Readonly<Record<string, string>>,
  headers = HEADERS,
): AnswerCall {
  return (stream) => {
    stream.respond(headers, { waitForTrailers: true });
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

/** Headers, if asked for, and then a reset. */
function resetting(code: number, hasHeaders: boolean): AnswerCall {
  return (stream) => {
    if (hasHeaders) {
      stream.respond(HEADERS);
      stream.write(wrapped('one'), () => {
        stream.close(code);
      });
    } else stream.close(code);
  };
}

void describe('our transport and grpc-js', () => {
  let server: CallServer;
  let answer: AnswerCall = () => undefined;
  let theirs: Client;
  let ours: EtcdConnection;

  before(async () => {
    server = await CallServer.start((stream, request, headers) => {
      answer(stream, request, headers);
    });
    const { port } = server;
    theirs = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      ...LIMITS,
      'grpc.enable_retries': 0,
    });
    ours = new EtcdConnection(
      {
        endpoint: { secure: false, host: '127.0.0.1', port },
        names: new NameBook(),
        secure: () => Promise.reject(new Error('no TLS here')),
        suspects: new TlsSuspects(),
      },
      { clock: makeRealClock(), dialTimeoutMs: undefined, grpcOptions: LIMITS },
    );
  });
  after(async () => {
    theirs.close();
    ours.close('the end');
    await server[Symbol.asyncDispose]();
  });

  const callOurs: MakeCall = (path, requests, metadata) =>
    new Promise((resolve) => {
      const messages: string[] = [];
      const call = ours.startCall(path, metadata, {
        onMessage: (bytes) => messages.push(bytes.toString('latin1')),
        onEnd: ({ code, details }) => {
          resolve({ messages, code, details });
        },
      });
      requests.forEach((request, index) => {
        call.send(request, index === requests.length - 1);
      });
    });

  const callTheirs: MakeCall = (path, requests, metadata) =>
    new Promise((resolve) => {
      const messages: string[] = [];
      const shown = new Metadata();
      for (const [name, value] of Object.entries(metadata)) shown.set(name, value);
      const same = (bytes: Buffer): Buffer => bytes;
      const call = theirs.makeBidiStreamRequest(path, same, same, shown);
      call.on('data', (bytes: Buffer) => messages.push(bytes.toString('latin1')));
      call.on('error', () => undefined); // the status says it too
      call.on('status', ({ code, details }) => {
        resolve({ messages, code, details });
      });
      for (const request of requests) call.write(request);
      call.end();
    });

  /** What both tell of a call that is answered so. */
  async function bothOf(
    how: AnswerCall,
    requests: readonly Buffer[] = [Buffer.from('request')],
    metadata: Record<string, string> = {},
  ): Promise<{ our: Outcome; their: Outcome }> {
    answer = how;
    const their = await within(
      'the end of a call of grpc-js',
      20_000,
      callTheirs('/a.B/C', requests, metadata),
    );
    const our = await within('the end of a call of ours', 20_000, callOurs('/a.B/C', requests, metadata));
    return { our, their };
  }

  /** The one outcome; fails when they differ. */
  async function outcomeOf(...call: Parameters<typeof bothOf>): Promise<Outcome> {
    const { our, their } = await bothOf(...call);
    assert.deepEqual(our, their);
    return our;
  }

  const OK = { 'grpc-status': '0' };

  test('one message', async () => {
    assert.deepEqual(await outcomeOf(answering([wrapped('answer')], OK)), {
      messages: ['answer'],
      code: 0,
      details: '',
    });
  });

  test('the same request arrives, with what is shown beside it', async () => {
    const seen: unknown[] = [];
    await outcomeOf(
      (stream, request, headers) => {
        const names = [':method', ':scheme', ':path', ':authority', 'te', 'content-type', 'token'];
        seen.push([request.toString('latin1'), ...names.map((name) => headers[name])]);
        answering([], OK)(stream, request, headers);
      },
      [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(100_000, 'b')],
      { token: 'secret' },
    );
    assert.equal(seen.length, 2);
    assert.deepEqual(seen[0], seen[1]);
  });

  for (const bytes of [65_535, 1_000_000, 2 * 1024 * 1024]) {
    test(`a message of ${bytes} bytes each way`, async () => {
      const echo: AnswerCall = (stream, request, headers) => {
        answering([request], OK)(stream, request, headers);
      };
      const message = Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 31) & 0xff));
      const { messages, code } = await outcomeOf(echo, [message]);
      assert.equal(code, 0);
      assert.ok(messages[0] === message.toString('latin1'));
    });
  }

  test('a message that is too large, there and back', async () => {
    const limit = LIMITS['grpc.max_receive_message_length'];
    const { code, messages } = await outcomeOf(answering([wrapped('first'), wrapped('', 0, limit + 1)], OK));
    assert.deepEqual({ code, messages }, { code: 8, messages: ['first'] });
    assert.equal((await outcomeOf(answering([], OK), [Buffer.alloc(4 * 1024 * 1024 + 1)])).code, 8);
  });

  test('many messages, in pieces that are no messages', async () => {
    const all = Buffer.concat(Array.from({ length: 50 }, (_, index) => wrapped('x'.repeat(index * 97))));
    const pieces = Array.from({ length: Math.ceil(all.length / 1_001) }, (_, index) =>
      all.subarray(index * 1_001, (index + 1) * 1_001),
    );
    assert.equal((await outcomeOf(answering(pieces, OK))).messages.length, 50);
  });

  test('any status with any words, with trailers and without, after any messages', async () => {
    const words = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.trim());
    const messages = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 200 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.nat(17), words, messages, fc.boolean(), async (code, text, body, isShort) => {
        const trailers = { 'grpc-status': String(code), 'grpc-message': percentEncoded(text) };
        const how = isShort
          ? onlyHeaders({ ...HEADERS, ...trailers })
          : answering(
              body.map((message) => wrapped(message)),
              trailers,
            );
        const outcome = await outcomeOf(how);
        assert.equal(outcome.details, text);
        assert.equal(outcome.code, code);
      }),
      values(100),
    );
  });

  for (const text of ['100%', '%zz', '%C3', '%', 'a%00b']) {
    test(`words that are badly encoded: ${text}`, async () => {
      await outcomeOf(onlyHeaders({ ...HEADERS, 'grpc-status': '2', 'grpc-message': text }));
    });
  }

  test('no status of gRPC', async () => {
    await outcomeOf(onlyHeaders(HEADERS));
    await outcomeOf(answering([wrapped('one')], { 'x-other': 'y' }));
    await outcomeOf((stream) => {
      stream.respond(HEADERS);
      stream.end(wrapped('one'));
    });
  });

  for (const status of [204, 302, 400, 401, 403, 404, 429, 500, 502, 503, 504]) {
    test(`HTTP ${status}, with and without a page`, async () => {
      const headers = { ':status': status, 'content-type': 'text/html' };
      const empty = await outcomeOf(onlyHeaders(headers));
      assert.equal(empty.details, `Received HTTP status code ${status}`);
      if (status === 204) return; // has no page
      for (const page of ['<html><h1>No</h1></html>', 'no']) {
        await outcomeOf((stream) => {
          stream.respond(headers);
          stream.end(page);
        });
      }
    });
  }

  for (const code of [0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 13, 99]) {
    test(`a reset with ${code}, before and behind headers`, async () => {
      await outcomeOf(resetting(code, false));
      assert.deepEqual((await outcomeOf(resetting(code, true))).messages, ['one']);
    });
  }

  test('informational headers first', async () => {
    await outcomeOf((stream, request, headers) => {
      stream.additionalHeaders({ ':status': 103, link: 'x' });
      answering([wrapped('one')], OK)(stream, request, headers);
    });
  });

  test('a compressed message that nobody asked for', async () => {
    const { our, their } = await bothOf(answering([wrapped('one', 1)], OK));
    assert.notEqual(our.code, 0);
    assert.notEqual(their.code, 0);
  });

  // The last, because no connection is left.
  test('a connection that is lost', async () => {
    const { our, their } = await bothOf((stream) => stream.session?.destroy());
    assert.deepEqual([our.code, our.details], [14, 'Connection dropped']);
    assert.equal(their.code, 14);
  });
});
