import { Channel, type ChannelOptions } from '@grpc/grpc-js';
import { setMaxListeners } from 'node:events';
import { Host } from 'etcd3/lib/connection-pool.js';
import type { Clock, Disposer } from './clock.ts';
import { DIAL_OPTION, type Dial, DialCredentials, dialTarget } from './etcd-dial.ts';

// States of a channel; grpc-js has them as a const enum, which cannot be imported by code that is only stripped.
const READY = 2;
const TRANSIENT_FAILURE = 3;
const SHUTDOWN = 4;

// Within one connection grpc-js must not dial again by itself: a dead member would be dialled for ever, wanted or not,
// and its log filled with failed handshakes. A new connection is made when a call needs one.
const NEVER_MS = 3_600_000;

// A failed connection is kept for what it says to calls until the next dial is due, which no configuration puts off
// for longer than this (grpc.max_reconnect_backoff_ms).
const REMAINS_MS = 10_000;

/** What nobody may change: one connection per endpoint, and nothing repeated or sent elsewhere behind our back. */
const FIXED_OPTIONS: ChannelOptions = {
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': NEVER_MS,
  'grpc.max_reconnect_backoff_ms': NEVER_MS,
};

/** What `grpc.*` keys of the configuration may change. */
const DEFAULT_OPTIONS: ChannelOptions = {
  // A watch is the only call that can be silent for long. etcd counts pings that come more often than every 5 s
  // (--grpc-keepalive-min-time) as an attack and closes the connection, so 10 s keep clear of that; they are sent only
  // while a call is open, as etcd demands.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  // Our answers have a few hundred bytes. etcd takes keys and values of at most 1.5 MiB together (--max-request-bytes),
  // and somebody's large one in the lock's directory must not be in our way.
  'grpc.max_receive_message_length': 2 * 1024 * 1024,
};

/** What all connections to one endpoint are made from. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Upper bound for setting up one connection; undefined leaves that to those who wait for it. */
  readonly dialTimeoutMs: number | undefined;
  /** From the configuration. */
  readonly grpcOptions: Readonly<Record<string, string | number>>;
}

/**
 * One HTTP/2 connection to one endpoint, from the dial to the end. It never comes back: after a failure another is made.
 * Its sockets, in whatever state, are gone when it is closed.
 */
export class EtcdConnection {
  /** Set once the connection could not be made, on the clock's scale. */
  failedAtMs: number | undefined;
  /** Why we closed it ourselves, in the words that a failed call gives; undefined while that is not so. */
  closedBecause: string | undefined;
  /** etcd3's generated clients, all of them on this one connection. */
  readonly host: Host;
  readonly #channel: Channel;
  readonly #closing = new AbortController();
  readonly #clock: Clock;
  #stopTimer: Disposer = () => undefined;
  #wasReady = false;
  #isOver = false;
  #calls = 0;

  constructor(how: Omit<Dial, 'signal'>, options: ConnectionOptions) {
    const dial: Dial = { ...how, signal: this.#closing.signal };
    this.#clock = options.clock;
    // Each socket of this connection listens to the signal, and a name can have many addresses.
    setMaxListeners(0, dial.signal);
    const channelOptions: ChannelOptions = {
      ...DEFAULT_OPTIONS,
      ...options.grpcOptions,
      ...FIXED_OPTIONS,
      [DIAL_OPTION]: dial,
    };
    const credentials = new DialCredentials(dial);
    const target = dialTarget(dial.endpoint);
    this.#channel = new Channel(target, credentials, channelOptions);
    this.host = new Host(target, credentials, { channelOverride: this.#channel });
    this.#watchState();
    const { dialTimeoutMs } = options;
    if (dialTimeoutMs === undefined) return;
    this.#stopTimer = this.#clock.at(this.#clock.now() + dialTimeoutMs, () => {
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
    if (!this.#isOver) this.#channel.getConnectivityState(true);
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
    if (this.#closing.signal.aborted) return;
    this.#channel.close();
    // Closing a channel leaves sockets open that are still being set up or wait for an answer.
    this.#closing.abort();
  }

  #watchState(): void {
    const current = this.#channel.getConnectivityState(false);
    const state: number = current;
    if (state === SHUTDOWN) return;
    if (state === READY) {
      this.#wasReady = true;
      this.#stopTimer();
    } else if (this.#wasReady) {
      // Disconnected, or told by the member to go away: calls that are under way may still be answered.
      this.#isOver = true;
      this.#closeIfIdle();
      return;
    } else if (state === TRANSIENT_FAILURE) {
      this.#stopTimer();
      this.#isOver = true;
      this.failedAtMs = this.#clock.now();
      this.#stopTimer = this.#clock.at(this.failedAtMs + REMAINS_MS, () => {
        this.close('no connection');
      });
      return;
    }
    this.#channel.watchConnectivityState(current, Infinity, () => {
      this.#watchState();
    });
  }

  #closeIfIdle(): void {
    if (this.#isOver && this.#wasReady && this.#calls === 0) this.close('the member closed the connection');
  }
}
