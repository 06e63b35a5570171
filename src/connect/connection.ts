import { setMaxListeners } from 'node:events';
import type { Clock, Disposer } from '../base/clock.ts';
import { type Dial, dial } from './dial.ts';
import { fieldsOf, type GrpcOptions, withDefaults } from './grpc-options.ts';
import { type CallEvents, GrpcCall, type RpcStatus, STATUS } from '../grpc-call.ts';
import { hpackBlock, hpackText } from '../hpack.ts';
import { keepAlive } from '../http2-keepalive.ts';
import type { Http2Session } from '../http2-session.ts';

// A failed connection is kept for what it says to calls until the next dial is due, which no configuration puts off
// for longer than this (grpc.max_reconnect_backoff_ms).
const REMAINS_MS = 10_000;

// Far below what a server or a proxy gives an answer to its PING (gRPC's own default is 20 s); and no holder wakes up for it,
// because it does so for other reasons that often.
const PING_PATIENCE_MS = 500;

// Tokens: a proxy on the way may not enter them in its tables.
const isSecret = (name: string): boolean => name === 'token' || name === 'authorization';

/** What all connections to one endpoint are made from. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Upper bound for setting up one connection; undefined leaves that to those who wait for it. */
  readonly dialTimeoutMs: number | undefined;
  /** From the configuration, which has checked them: see `grpc-options.ts`. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}

/** A call that waits for the connection. */
interface Waiting {
  readonly call: GrpcCall;
  readonly headers: Buffer;
}

// Of the connection that was made last.
let lastId = 0;

const DROPPED: RpcStatus = { code: STATUS.unavailable, details: 'Connection dropped' };

/**
 * One HTTP/2 connection to one endpoint, from the dial to the end. It never comes back: after a failure another is made.
 * Its sockets, in whatever state, are gone when it is closed.
 */
export class EtcdConnection {
  readonly id = (lastId += 1);
  /** Set once the connection could not be made, on the clock's scale. */
  failedAtMs: number | undefined;
  /** Why we closed it ourselves, in the words that a failed call gives; undefined while that is not so. */
  closedBecause: string | undefined;
  readonly #dial: Dial;
  readonly #options: GrpcOptions;
  readonly #closing = new AbortController();
  readonly #clock: Clock;
  #isDialled = false;
  #session: Http2Session | undefined;
  readonly #waiting = new Set<Waiting>();
  /** Of each call, beside its path and what it shows the member: made once, for that is a twentieth of a renewal. */
  readonly #commonHeaders: string;
  /** What calls get that start after the end. */
  #failure = DROPPED;
  /** The timer of the state that it is in: dialling, idle, failed. */
  #stopTimer: Disposer = () => undefined;
  #stopKeepalive: Disposer = () => undefined;
  #wasReady = false;
  #isOver = false;
  #calls = 0;

  constructor(how: Omit<Dial, 'signal'>, { clock, dialTimeoutMs, grpcOptions }: ConnectionOptions) {
    this.#dial = { ...how, signal: this.#closing.signal };
    this.#clock = clock;
    this.#options = withDefaults(grpcOptions);
    this.#commonHeaders = hpackText(fieldsOf(how.endpoint, this.#options), isSecret);
    // Each socket of this connection listens to the signal, and a name can have many addresses.
    setMaxListeners(0, this.#dial.signal);
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
    return this.#wasReady;
  }

  /** True when nothing of it is left. */
  get isClosed(): boolean {
    return this.closedBecause !== undefined;
  }

  /** Starts to dial, unless that has been done. */
  connect(): void {
    if (this.#isDialled || this.#isOver) return;
    this.#isDialled = true;
    const sessionOptions = {
      windowBytes: this.#options['grpc-node.flow_control_window'],
      largestBacklogBytes: this.#options['grpc-node.max_session_memory'] * 1024 * 1024,
      afterPatience: (call: () => void) => this.#clock.at(this.#clock.now() + PING_PATIENCE_MS, call),
    };
    dial(this.#dial, this.#clock, sessionOptions, {
      onReady: (session) => {
        this.#begin(session);
      },
      onFailure: (error) => {
        this.#fail(error);
      },
      onGoAway: () => {
        // Told by the member to go away: calls that are under way may still be answered.
        this.#isOver = true;
        this.#closeIfIdle();
      },
      onClose: () => {
        this.#isOver = true;
        this.#closeIfIdle();
      },
    });
  }

  /** Starts a call of the path's method; it waits for the connection, or fails with it. Nothing is told before this returns. */
  startCall(path: string, metadata: Readonly<Record<string, string>>, events: CallEvents): GrpcCall {
    const call = new GrpcCall(events, {
      largestSentBytes: this.#options['grpc.max_send_message_length'],
      largestReceivedBytes: this.#options['grpc.max_receive_message_length'],
    });
    if (this.#isOver) {
      queueMicrotask(() => {
        call.fail(this.#failure);
      });
      return call;
    }
    const headers = hpackBlock(
      hpackText([[':path', path]], isSecret),
      this.#commonHeaders,
      hpackText(Object.entries(metadata), isSecret),
    );
    if (this.#session !== undefined) call.start(this.#session, headers);
    else {
      this.#waiting.add({ call, headers });
      this.connect();
    }
    return call;
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
    this.closedBecause ??= because;
    this.#isOver = true;
    this.#stopTimer();
    this.#stopKeepalive();
    if (this.#closing.signal.aborted) return;
    this.#session?.destroy();
    // Also the sockets that are still being set up.
    this.#closing.abort();
    this.#failWaiting();
  }

  #after(ms: number, then: () => void): void {
    this.#stopTimer();
    this.#stopTimer = this.#clock.at(this.#clock.now() + ms, then);
  }

  #begin(session: Http2Session): void {
    this.#session = session;
    this.#wasReady = true;
    this.#stopTimer();
    const options = this.#options;
    const keepalive = {
      timeMs: options['grpc.keepalive_time_ms'],
      timeoutMs: options['grpc.keepalive_timeout_ms'],
      isForIdle: options['grpc.keepalive_permit_without_calls'] === 1,
    };
    this.#stopKeepalive = keepAlive(session, this.#clock, keepalive, () => {
      this.close('the member no longer answers (keepalive)');
    });
    for (const { call, headers } of this.#waiting) call.start(session, headers);
    this.#waiting.clear();
    this.#closeIfIdle();
  }

  #fail(error: Error): void {
    this.#isOver = true;
    this.#failure = { code: STATUS.unavailable, details: error.message, connectError: error };
    this.failedAtMs = this.#clock.now();
    this.#after(REMAINS_MS, () => {
      this.close('no connection');
    });
    this.#failWaiting();
  }

  #failWaiting(): void {
    for (const { call } of this.#waiting) call.fail(this.#failure);
    this.#waiting.clear();
  }

  #closeIfIdle(): void {
    if (!this.#wasReady || this.#calls > 0) return;
    if (this.#isOver) this.close('the member closed the connection');
    else
      this.#after(this.#options['grpc.client_idle_timeout_ms'], () => {
        if (this.#calls === 0) this.close('nobody has used the connection (grpc.client_idle_timeout_ms)');
      });
  }
}
