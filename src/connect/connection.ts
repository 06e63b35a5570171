import { type Channel, status } from '@grpc/grpc-js';
import type { Clock, Disposer } from '../base/clock.ts';
import type { EtcdChannel } from './channel.ts';
import { type Dial, dial } from './dial.ts';
import { channelOptions } from './grpc-options.ts';

// A failed connection is kept for what it says to calls until the next dial is due, which no configuration puts off
// for longer than this (grpc.max_reconnect_backoff_ms).
const REMAINS_MS = 10_000;

/** How a call ended (grpc, `doc/statuscodes.md`). */
export interface RpcStatus {
  readonly code: number;
  readonly details: string;
  /** Why there was no connection to make the call on. Never there in what came from the other side. */
  readonly connectError?: Error;
}

const DROPPED: RpcStatus = { code: status.UNAVAILABLE, details: 'Connection dropped' };

/** What all connections to one endpoint are made from. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Upper bound for setting up one connection; undefined leaves that to those who wait for it. */
  readonly dialTimeoutMs: number | undefined;
  /** From the configuration, which has checked them: see `grpc-options.ts`. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}

// Of the connection that was made last.
let lastId = 0;

/** A call that waits for the connection. */
interface Waiting {
  readonly begin: (channel: Channel) => void;
  readonly fail: (status: RpcStatus) => void;
}

/**
 * One connection to one endpoint, from the dial to the end. It never comes back: after a failure another is made.
 * Its sockets, in whatever state, are gone when it is closed.
 */
export class EtcdConnection {
  /** Unlike that of any other connection: calls with the same one went over the same TCP connection (see `channel.ts`). */
  readonly id = (lastId += 1);
  /** Set once the connection could not be made, on the clock's scale. */
  failedAtMs: number | undefined;
  readonly #dial: Dial;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  #stopDial: Disposer | undefined;
  #channel: EtcdChannel | undefined;
  readonly #waiting = new Set<Waiting>();
  #closedBecause: string | undefined;
  /** What calls get that start after the end. */
  #failure = DROPPED;
  /** The timer of the state that it is in: dialing, failed. */
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

  /** True until the connection has ended or failed; then calls need another one. */
  get isAlive(): boolean {
    return !this.#isOver;
  }

  get wasReady(): boolean {
    return this.#channel !== undefined;
  }

  /** Why the connection was closed from this side under a call that ended with `status`; undefined when it was not. */
  whyClosed(status: RpcStatus): string | undefined {
    if (this.#closedBecause !== undefined) return this.#closedBecause;
    // grpc-js says the same of a connection that was cut, and of one that it leaves because a ping was not answered.
    const isSilent = status.details === DROPPED.details && this.#channel?.isCut === false;
    return isSilent ? 'the member no longer answers (keepalive)' : undefined;
  }

  /** True when nothing of it is left. */
  get isClosed(): boolean {
    return this.#closedBecause !== undefined;
  }

  /** Starts to dial, unless that has been done. */
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
        // Calls that are under way may still be answered.
        this.#isOver = true;
        this.#closeIfIdle();
      },
    });
  }

  /**
   * Calls `begin` with the channel once the connection stands, at once if it does; or `fail`, never before this returns, when there is
   * none. The function that is returned calls off what has not begun.
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

  /** Says that a call uses this connection; the returned function says that it has ended. */
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

  /** Ends the connection at once, and every call on it. */
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
