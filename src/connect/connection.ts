/**
 * The folder `connect` makes connections, each to one endpoint: the addresses of the name, TCP, TLS with its files,
 * HTTP/2, and the reason when one of them fails. This file has one connection, from the dial to the end.
 *
 * It guarantees that two calls with the same connection ID went over the same TCP connection. It does not guarantee
 * that etcd is at the other end, nor that a connection that is open still answers.
 */
import { type Channel, status } from '@grpc/grpc-js';
import type { Clock, Disposer } from '../base/clock.ts';
import type { EtcdChannel } from './channel.ts';
import { type Dial, dial } from './dial.ts';
import { channelOptions } from './grpc-options.ts';

// A failed connection is kept until the next dial is due, so that calls fail with its reason. No configuration sets a
// longer back-off (grpc.max_reconnect_backoff_ms).
const REMAINS_MS = 10_000;

/** How a call ended (grpc, `doc/statuscodes.md`). */
export interface RpcStatus {
  readonly code: number;
  readonly details: string;
  /** Why there was no connection for the call. Never set in a status from the other side. */
  readonly connectError?: Error;
}

const DROPPED: RpcStatus = { code: status.UNAVAILABLE, details: 'Connection dropped' };

/** The options of all connections to one endpoint. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /**
   * Limit for setting up one connection, in milliseconds. Undefined: the limits of the calls that wait for it apply.
   */
  readonly dialTimeoutMs: number | undefined;
  /** The checked `grpc.*` keys of the configuration; see `grpc-options.ts`. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}

// The ID of the latest connection.
let lastId = 0;

/** A call that waits for the connection. */
interface Waiting {
  readonly begin: (channel: Channel) => void;
  readonly fail: (status: RpcStatus) => void;
}

/**
 * One connection to one endpoint, from the dial to the end. It is never opened again: after a failure another
 * connection is made. When it is closed, its sockets are closed in any state.
 */
export class EtcdConnection {
  /** Differs between all connections. Calls with the same ID used the same TCP connection (see `channel.ts`). */
  readonly id = (lastId += 1);
  /** When the connection could not be made, on the scale of `Clock.now()`; undefined before that. */
  failedAtMs: number | undefined;
  readonly #dial: Dial;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  #stopDial: Disposer | undefined;
  #channel: EtcdChannel | undefined;
  readonly #waiting = new Set<Waiting>();
  #closedBecause: string | undefined;
  /** The status of calls that start after the end. */
  #failure = DROPPED;
  /** Stops the timer of the current state: dialing or failed. */
  #stopTimer: Disposer = () => undefined;
  #isOver = false;
  #calls = 0;

  constructor(how: Dial, options: ConnectionOptions) {
    this.#dial = how;
    this.#options = options;
    this.#clock = options.clock;
    const { dialTimeoutMs } = options;
    if (dialTimeoutMs === undefined) return;
    this.#after(dialTimeoutMs, () => {
      this.failedAtMs = this.#clock.now();
      this.close(`no connection within ${dialTimeoutMs / 1000} s (dial_timeout)`);
    });
  }

  /** True until the connection has ended or failed. Calls then need another one. */
  get isAlive(): boolean {
    return !this.#isOver;
  }

  get wasReady(): boolean {
    return this.#channel !== undefined;
  }

  /** Why this side closed the connection under a call that ended with `status`; undefined when it did not. */
  whyClosed(status: RpcStatus): string | undefined {
    if (this.#closedBecause !== undefined) return this.#closedBecause;
    // grpc-js gives the same text for a cut connection, and for one that it closes because a ping was not answered.
    const isSilent = status.details === DROPPED.details && this.#channel?.isCut === false;
    return isSilent ? 'the member no longer answers (keepalive)' : undefined;
  }

  /** True when every socket and call of it has ended. */
  get isClosed(): boolean {
    return this.#closedBecause !== undefined;
  }

  /** Starts the dial, once. */
  connect(): void {
    if (this.#stopDial !== undefined || this.#isOver) return;
    const options = channelOptions(this.#dial.endpoint, this.#options.grpcOptions);
    this.#stopDial = dial(this.#dial, this.#clock, options, {
      onReady: (channel) => {
        this.#begin(channel);
      },
      onFailure: (error) => {
        this.#fail(error);
      },
      onEnd: () => {
        // Running calls may still be answered.
        this.#isOver = true;
        this.#closeIfIdle();
      },
    });
  }

  /**
   * Calls `begin` with the channel when the connection is ready, at once if it is. Calls `fail` when there is no
   * connection, never before this function returns.
   * @returns the function that cancels both, if neither was called
   */
  whenReady(begin: (channel: Channel) => void, fail: (status: RpcStatus) => void): Disposer {
    const waiting = { begin, fail };
    if (this.#isOver) {
      this.#waiting.add(waiting);
      queueMicrotask(() => {
        if (this.#waiting.delete(waiting)) fail(this.#failure);
      });
    } else if (this.#channel !== undefined) begin(this.#channel.channel);
    else {
      this.#waiting.add(waiting);
      this.connect();
    }
    return () => {
      this.#waiting.delete(waiting);
    };
  }

  /**
   * Marks that a call uses this connection.
   * @returns the function that marks the end of the call
   */
  hold(): Disposer {
    this.#calls += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#calls -= 1;
      this.#closeIfIdle();
    };
  }

  /** Ends the connection and every call on it at once. */
  close(because: string): void {
    if (this.#closedBecause !== undefined) return;
    this.#closedBecause = because;
    this.#isOver = true;
    this.#stopTimer();
    this.#stopDial?.();
    this.#channel?.close();
    this.#failWaiting();
  }

  #after(ms: number, then: () => void): void {
    this.#stopTimer();
    this.#stopTimer = this.#clock.at(this.#clock.now() + ms, then);
  }

  #begin(channel: EtcdChannel): void {
    this.#stopTimer();
    this.#channel = channel;
    for (const { begin } of this.#waiting) begin(channel.channel);
    this.#waiting.clear();
  }

  #fail(error: Error): void {
    this.#isOver = true;
    this.#failure = { code: status.UNAVAILABLE, details: error.message, connectError: error };
    this.failedAtMs = this.#clock.now();
    this.#after(REMAINS_MS, () => {
      this.close('no connection');
    });
    this.#failWaiting();
  }

  #failWaiting(): void {
    for (const { fail } of this.#waiting) fail(this.#failure);
    this.#waiting.clear();
  }

  #closeIfIdle(): void {
    if (this.#isOver && this.wasReady && this.#calls === 0) this.close('the member closed the connection');
  }
}
