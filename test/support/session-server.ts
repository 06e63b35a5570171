import { createRequire } from 'node:module';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type { ILeaseKeepAliveRequest, ILeaseKeepAliveResponse, IResponseHeader } from 'etcd3/lib/rpc.js';
import { wrapped } from './grpc-stand-in.ts';

const definition = loadSync(createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto'), {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
});

function method(service: string, name: string): MethodDefinition<object, object> {
  const methods = definition[`etcdserverpb.${service}`] as unknown as Record<
    string,
    MethodDefinition<object, object>
  >;
  const found = methods[name];
  if (found === undefined) throw new Error(`rpc.proto has no ${service}.${name}`);
  return found;
}

const RANGE = method('KV', 'Range');
const KEEP_ALIVE = method('Lease', 'LeaseKeepAlive');

/** A stream of keepalives, as the server sees it. */
export interface KeepaliveStream {
  /** The lease of each request so far. */
  readonly asked: string[];
  /** What the client showed beside its message when it opened the stream. */
  readonly token: string | undefined;
  readonly isClosed: boolean;
  /** Sends one answer, whether one was asked for or not. */
  answer(leaseId: string, ttl?: number): void;
  /** Ends the stream with a status of gRPC: 0 (OK) unless said otherwise. etcd from 3.6 on ends one with 1 (CANCELLED). */
  end(status?: number): void;
}

/**
 * A server of HTTP/2 that answers `Range` and `LeaseKeepAlive`, and whose answers say over which connection they came: the member ID is the
 * number of the connection, counted over all servers of a test.
 */
export class SessionServer implements AsyncDisposable {
  /** The connections that are open, the oldest first. */
  readonly sessions = new Map<number, ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  readonly keepalives: KeepaliveStream[] = [];
  /** Comes to answer each keepalive; answers at once unless said otherwise. */
  onKeepAlive: (stream: KeepaliveStream, leaseId: string) => void = (stream, leaseId) => {
    stream.answer(leaseId);
  };
  static #lastNumber = 0;
  #server: Http2Server;
  #port = 0;

  private constructor() {
    this.#server = this.#make();
  }

  static async start(host = '127.0.0.1', port = 0): Promise<SessionServer> {
    const server = new SessionServer();
    await server.#listen(host, port);
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections there have been. */
  static get count(): number {
    return SessionServer.#lastNumber;
  }

  /** Ends all connections at once, by their sockets: a session that was told to close, and then to be destroyed, leaves its socket open. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections and takes new ones on the same port, as a process that was started again does. */
  async restart(): Promise<void> {
    const { address } = this.#server.address() as AddressInfo;
    await this.#stop();
    this.#server = this.#make();
    await this.#listen(address, this.#port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  #make(): Http2Server {
    const server = createServer();
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('session', (session) => {
      SessionServer.#lastNumber += 1;
      const number = SessionServer.#lastNumber;
      this.sessions.set(number, session);
      session.on('error', () => undefined);
      session.once('close', () => this.sessions.delete(number));
      session.on('stream', (stream: ServerHttp2Stream, headers) => {
        stream.on('error', () => undefined);
        const header = { cluster_id: '1', member_id: String(number), revision: '1', raft_term: '1' };
        const { ':path': path, token } = headers;
        if (path === KEEP_ALIVE.path) this.#serveKeepAlive(stream, header, token?.toString());
        else this.#serveRange(stream, header);
      });
    });
    return server;
  }

  #serveRange(stream: ServerHttp2Stream, header: IResponseHeader): void {
    stream.resume();
    stream.once('end', () => {
      if (stream.destroyed) return;
      greet(stream);
      stream.end(wrapped(RANGE.responseSerialize({ header, kvs: [], count: '0' })));
    });
  }

  #serveKeepAlive(stream: ServerHttp2Stream, header: IResponseHeader, token: string | undefined): void {
    let status = 0;
    const keepalive: KeepaliveStream = {
      asked: [],
      token,
      get isClosed() {
        return stream.closed;
      },
      answer: (ID, ttl = 9) => {
        const answer: ILeaseKeepAliveResponse = { header, ID, TTL: String(ttl) };
        if (!stream.destroyed) stream.write(wrapped(KEEP_ALIVE.responseSerialize(answer)));
      },
      end: (code = 0) => {
        status = code;
        stream.end();
      },
    };
    this.keepalives.push(keepalive);
    greet(stream, () => status);
    stream.on('data', (bytes: Buffer) => {
      // Each request comes in one piece, behind 5 bytes of head.
      const { ID } = KEEP_ALIVE.requestDeserialize(bytes.subarray(5)) as ILeaseKeepAliveRequest;
      keepalive.asked.push(String(ID));
      this.onKeepAlive(keepalive, String(ID));
    });
  }

  async #listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, host, resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.cut();
    await closed;
  }
}

function greet(stream: ServerHttp2Stream, status = (): number => 0): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    const code = status();
    stream.sendTrailers({
      'grpc-status': String(code),
      ...(code === 0 ? {} : { 'grpc-message': 'context canceled' }),
    });
  });
}
