import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** What a stand-in says to one call: a message, or a status without one. */
export type StandInAnswer = { readonly message: Buffer } | { readonly status: number; readonly text: string };

// Field 1, a ResponseHeader: cluster 1, member 1, revision 1, raft term 1.
const HEADER = Buffer.from('0a080801100118012001', 'hex');

/** Field `number` of a message, of wire type 2 (bytes). */
function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

/** What an etcd of that version answers to a first look at a lock that is free, and to the grant of a lease. */
export function answersOfVersion(version: string): (path: string, request: Buffer) => StandInAnswer {
  return (path, request) => {
    switch (path) {
      case '/etcdserverpb.KV/Range':
        return { message: HEADER };
      case '/etcdserverpb.Lease/LeaseGrant': {
        // The request is TTL, then ID, each one byte of tag and a number; the answer is ID, then TTL.
        const idAt = request.indexOf(0x10);
        const [ttl, id] = [request.subarray(1, idAt), request.subarray(idAt + 1)];
        return { message: Buffer.concat([HEADER, Buffer.from([0x10]), id, Buffer.from([0x18]), ttl]) };
      }
      case '/etcdserverpb.Lease/LeaseRevoke':
        return { message: HEADER };
      case '/etcdserverpb.Maintenance/Status':
        return { message: Buffer.concat([HEADER, bytesField(2, Buffer.from(version))]) };
      default:
        return { status: 12, text: `unknown method ${path}` };
    }
  };
}

/** A message of gRPC as it is sent: whether it is compressed, its length, which may be a lie, and its bytes. */
export function wrapped(
  message: Buffer | string,
  compressed = 0,
  length = Buffer.byteLength(message),
): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, Buffer.from(message)]);
}

/** How one call is answered, once all of its request is there. */
export type AnswerCall = (stream: ServerHttp2Stream, request: Buffer, headers: IncomingHttpHeaders) => void;

/** A server of HTTP/2 on a free port. The test that starts it gives the answers. */
export class CallServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Http2Server;
  readonly #sessions: ReadonlySet<{ destroy(): void }>;

  private constructor(server: Http2Server, sessions: ReadonlySet<{ destroy(): void }>) {
    this.#server = server;
    this.#sessions = sessions;
    this.port = (server.address() as AddressInfo).port;
  }

  static async start(answer: AnswerCall): Promise<CallServer> {
    const server = createServer();
    const sessions = new Set<{ destroy(): void }>();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('error', () => undefined);
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        // A client that has given its call up wants no answer.
        if (!stream.destroyed) answer(stream, Buffer.concat(parts), headers);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CallServer(server, sessions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }
}

/** Answers one call: a message, or a status without one. */
export function respond(stream: ServerHttp2Stream, answer: StandInAnswer): void {
  const trailers =
    'message' in answer
      ? { 'grpc-status': '0' }
      : { 'grpc-status': String(answer.status), 'grpc-message': encodeURIComponent(answer.text) };
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  if ('message' in answer) stream.write(wrapped(answer.message));
  stream.end();
}

/** A gRPC server of its own in the place of a member; never the other way round: real members stand in for nothing. */
export class GrpcStandIn implements AsyncDisposable {
  readonly endpoint: string;
  readonly #server: CallServer;

  private constructor(server: CallServer) {
    this.#server = server;
    this.endpoint = `127.0.0.1:${server.port}`;
  }

  static async start(answer: (path: string, request: Buffer) => StandInAnswer): Promise<GrpcStandIn> {
    const server = await CallServer.start((stream, request, headers) => {
      // Before each message: one byte and its length in four.
      respond(stream, answer(headers[':path'] ?? '', request.subarray(5)));
    });
    return new GrpcStandIn(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
