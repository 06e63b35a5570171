import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { answersOfVersion, respond } from './grpc-stand-in.ts';

/**
 * What etcd 3.6 does otherwise than 3.5, without an etcd 3.6: it has no API v2, `/version` names the version of its storage, and up to
 * 3.6.11 only users with the role root may ask for its status. gRPC and HTTP share one port, as in etcd.
 */
export class LaterEtcd implements AsyncDisposable {
  readonly endpoint: string;
  /** The paths of all HTTP requests. */
  readonly pages: readonly string[];
  readonly #servers: readonly Server[];
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(
    port: number,
    fields: { servers: readonly Server[]; sockets: Set<Socket>; pages: string[] },
  ) {
    this.endpoint = `127.0.0.1:${port}`;
    this.pages = fields.pages;
    this.#servers = fields.servers;
    this.#sockets = fields.sockets;
  }

  /** @param version what it calls itself, such as `3.6.11` */
  static async start(version: string): Promise<LaterEtcd> {
    const pages: string[] = [];
    const sockets = new Set<Socket>();
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    };
    const [grpc, http] = [grpcOf(version), httpOf(version, pages)];
    const [grpcPort, httpPort] = [await listen(grpc), await listen(http)];
    const front = createServer((socket) => {
      socket.once('data', (bytes) => {
        // HTTP/2 without TLS begins with these letters (RFC 9113, section 3.4).
        const behind = connect(bytes.toString('latin1', 0, 3) === 'PRI' ? grpcPort : httpPort, '127.0.0.1');
        keep(behind);
        behind.write(bytes);
        socket.pipe(behind).pipe(socket);
      });
    });
    const servers = [front, grpc, http];
    for (const server of servers) server.on('connection', keep);
    return new LaterEtcd(await listen(front), { servers, sockets, pages });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function grpcOf(version: string): Http2Server {
  const answer = answersOfVersion(version);
  const server = createHttp2Server();
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      if (stream.destroyed) return;
      const path = headers[':path'] ?? '';
      const isStatus = path === '/etcdserverpb.Maintenance/Status';
      // Behind one byte and the length in four.
      const request = Buffer.concat(parts).subarray(5);
      respond(
        stream,
        isStatus ? { status: 7, text: 'etcdserver: permission denied' } : answer(path, request),
      );
    });
  });
  return server;
}

function httpOf(version: string, pages: string[]): HttpServer {
  const line = version.replace(/\.\d+$/, '.0');
  return createHttpServer(({ url = '' }, response) => {
    pages.push(url);
    if (url === '/version') {
      response.setHeader('Content-Type', 'application/json');
      response.end(`{"etcdserver":"${version}","etcdcluster":"${line}","storage":"${line}"}`);
      return;
    }
    response.writeHead(404, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
    });
    response.end('404 page not found\n');
  });
}
