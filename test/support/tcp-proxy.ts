import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Seen from the helper: what it sends, or what it is answered. */
export type Direction = 'toServer' | 'fromServer';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A TCP relay in front of one server, whose faults can be turned on and off while it runs:
 *
 * - `pause(direction)`: what is sent stays in the relay until `resume`; TCP itself goes on, so nobody sees an error;
 * - `drop(direction)`: what is sent is thrown away for good, which no stream recovers from;
 * - `cut()`: all connections are reset, new ones are welcome;
 * - `refuse()` / `accept()`: nobody listens on the port any more, and again;
 * - `lead(endpoint)`: new connections go to another server;
 * - `blackHole()`: both directions paused, for the connections that are open and for all to come.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #links = new Set<Link>();
  readonly #paused = new Set<Direction>();
  readonly #dropped = new Set<Direction>();
  #target: { readonly host: string; readonly port: number };
  #server: Server;
  #port = 0;
  /** How many connections were accepted so far. */
  accepted = 0;
  /** How many bytes were relayed so far in each direction. */
  readonly relayed: Record<Direction, number> = { toServer: 0, fromServer: 0 };

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = this.#makeServer();
  }

  /** Starts a relay to `endpoint` (`host:port`) on a free port of 127.0.0.1. */
  static async start(endpoint: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetFrom(endpoint));
    await proxy.accept();
    return proxy;
  }

  /** `127.0.0.1:port`, as in the helper's `hosts`. */
  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** How many connections are open now. */
  get open(): number {
    return this.#links.size;
  }

  pause(direction: Direction): void {
    this.#paused.add(direction);
    for (const link of this.#links) source(link, direction).pause();
  }

  drop(direction: Direction): void {
    this.#dropped.add(direction);
  }

  /** Ends `pause`, `drop` and `blackHole`; what was paused is delivered now. */
  resume(): void {
    this.#paused.clear();
    this.#dropped.clear();
    for (const link of this.#links) {
      link.client.resume();
      link.server.resume();
    }
  }

  blackHole(): void {
    this.pause('toServer');
    this.pause('fromServer');
  }

  cut(): void {
    for (const { client, server } of this.#links) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }

  /** Relays the connections to come to another server. */
  lead(endpoint: string): void {
    this.#target = targetFrom(endpoint);
  }

  /** Stops listening; resolves when connections are refused. Open connections stay open. */
  async refuse(): Promise<void> {
    const closing = this.#server;
    // `close` waits for the open connections too; the port itself is free at once.
    closing.close();
    this.#server = this.#makeServer();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Listens, after `refuse` on the same port as before. */
  async accept(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    this.cut();
  }

  #makeServer(): Server {
    return createServer((client) => {
      this.accepted += 1;
      const server = connect(this.#target.port, this.#target.host);
      const link = { client, server };
      this.#links.add(link);
      this.#relay(link, 'toServer');
      this.#relay(link, 'fromServer');
      const end = (): void => {
        this.#links.delete(link);
        client.destroy();
        server.destroy();
      };
      for (const socket of [client, server]) {
        socket.setNoDelay(true);
        // A connection that was cut ends with an error, here and at the other end: it is what was asked for.
        socket.on('error', end);
        socket.on('close', end);
      }
    });
  }

  #relay(link: Link, direction: Direction): void {
    const from = source(link, direction);
    const to = from === link.client ? link.server : link.client;
    from.on('data', (bytes: Buffer) => {
      if (this.#dropped.has(direction)) return;
      this.relayed[direction] += bytes.length;
      to.write(bytes);
    });
    from.on('end', () => to.end());
    if (this.#paused.has(direction)) from.pause();
  }
}

function targetFrom(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(':');
  return { host: endpoint.slice(0, colon), port: Number(endpoint.slice(colon + 1)) };
}

function source(link: Link, direction: Direction): Socket {
  return direction === 'toServer' ? link.client : link.server;
}
