import { type ConnectionOptions, EtcdConnection } from './connection.ts';
import type { Endpoint } from '../config/config.ts';
import { type Dial, hostPort } from './dial.ts';

// After a dial that failed at once, such as a refused connection, calls fail with the same reason for this long. Then
// the next dial begins. The time doubles with each failure, up to the longest. It is short, so that a member that is
// back is soon used again.
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 1_000;

const LET_GO = 'the helper closed the connection';

/**
 * The connections to one endpoint: at most one that new calls use, and older ones that still serve calls. A connection
 * that has ended or is suspect is replaced. The class does not repeat a call.
 */
export class EndpointConnector {
  readonly #how: Omit<Dial, 'endpoint'>;
  readonly #options: ConnectionOptions;
  readonly #firstBackoffMs: number;
  readonly #longestBackoffMs: number;
  #endpoint: Endpoint;
  #connection: EtcdConnection | undefined;
  #backoffMs = 0;
  #isClosed = false;
  /** Connections that were replaced and still serve a call. */
  readonly #retired = new Set<EtcdConnection>();

  constructor(endpoint: Endpoint, how: Omit<Dial, 'endpoint'>, options: ConnectionOptions) {
    this.#endpoint = endpoint;
    this.#how = how;
    how.names.expect(endpoint.host);
    this.#options = options;
    const { 'grpc.initial_reconnect_backoff_ms': first, 'grpc.max_reconnect_backoff_ms': longest } =
      options.grpcOptions;
    this.#firstBackoffMs = typeof first === 'number' ? first : FIRST_BACKOFF_MS;
    this.#longestBackoffMs = typeof longest === 'number' ? longest : LONGEST_BACKOFF_MS;
  }

  /** Called each time a connection could not be made, or was given up. */
  onTrouble: () => void = () => undefined;

  /** True while there is a connection on which calls can start. */
  get isConnected(): boolean {
    return this.#connection?.isAlive === true && this.#connection.wasReady;
  }

  /** True while the address of the host is looked up and none is known. */
  get isLookingUp(): boolean {
    return this.#how.names.isLookingUp(this.#endpoint.host);
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** The endpoint of the configuration, for messages: `host:port`. */
  get name(): string {
    return hostPort(this.#endpoint);
  }

  /** The connection for a call that starts now. It may be one that has just failed, which fails the call at once. */
  current(): EtcdConnection {
    const connection = this.#connection;
    if (connection?.isAlive === true) {
      if (connection.wasReady) this.#how.names.lookAhead(this.#options.clock.now());
      return connection;
    }
    if (connection?.failedAtMs !== undefined && !connection.isClosed) {
      const now = this.#options.clock.now();
      if (this.#backoffMs === 0 || connection.wasReady) this.#backoffMs = this.#firstBackoffMs;
      if (now < connection.failedAtMs + this.#backoffMs) return connection;
      this.#backoffMs = Math.min(this.#backoffMs * 2, this.#longestBackoffMs);
      this.onTrouble();
      connection.close('the helper tries another connection');
    } else {
      this.#backoffMs = 0;
    }
    if (connection !== undefined) this.#retire(connection);
    const next = new EtcdConnection({ ...this.#how, endpoint: this.#endpoint }, this.#options);
    this.#connection = next;
    if (this.#isClosed) next.close(LET_GO);
    return next;
  }

  /** Ends a suspect connection and every call on it. The next call gets another connection. */
  replace(connection: EtcdConnection, because: string): void {
    connection.close(because);
    this.#retired.delete(connection);
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#backoffMs = 0;
    this.onTrouble();
  }

  /** Dials another endpoint from now on. */
  moveTo(endpoint: Endpoint): void {
    this.#connection?.close('DNS no longer has the endpoint');
    this.#connection = undefined;
    this.#backoffMs = 0;
    this.#endpoint = endpoint;
    this.#how.names.expect(endpoint.host);
  }

  /** Closes all connections. Later calls fail. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#retired) connection.close(LET_GO);
    this.#retired.clear();
    this.#connection?.close(LET_GO);
  }

  #retire(connection: EtcdConnection): void {
    for (const retired of this.#retired) if (retired.isClosed) this.#retired.delete(retired);
    if (!connection.isClosed) this.#retired.add(connection);
  }
}
