/**
 * One connection as grpc-js has it: a channel to one address, with exactly one socket during its life.
 *
 * The proof of a renewal needs this (`lock/renewal.ts`). A grpc-js channel dials again by itself when its connection is
 * lost, and may keep a second connection in its pool. So each socket must pass `OneSocketCredentials` before HTTP/2 is
 * sent over it, and only the first socket may pass. Two calls on one channel have therefore used the same TCP
 * connection. The channel is closed when it leaves the state READY, so that later calls fail instead of waiting for a
 * dial that is refused.
 */
import type { Socket } from 'node:net';
import {
  CallCredentials,
  Channel,
  ChannelCredentials,
  type ChannelOptions,
  connectivityState,
  experimental,
  logVerbosity,
  Metadata,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { closedEarly, noHttp2 } from './connect-failure.ts';
import { errorText } from '../base/errors.ts';

/** A numeric address and a port. */
export interface Peer {
  readonly host: string;
  readonly port: number;
}

/**
 * What is done with a TCP connection before HTTP/2, such as TLS. Rejects with the reason when the connection cannot be
 * used.
 */
export type Greet = (socket: Socket, signal: AbortSignal) => Promise<Socket>;

export interface ChannelEvents {
  /** Calls can start. Called at most once, before `onEnd`. */
  readonly onReady: () => void;
  /** The connection cannot be made. Called at most once, and no other event follows. */
  readonly onFailure: (error: Error) => void;
  /** The connection is lost, or the member asks to leave it. Running calls may still be answered, new calls fail. */
  readonly onEnd: () => void;
}

const SCHEME = 'ctdb-etcd';
const ADDRESS_OPTION = 'ctdb_etcd_lock.address';

/** The address that grpc-js passes to `net.connect`, with the signal that ends the socket in any state. */
interface Address extends Peer {
  readonly signal: AbortSignal;
}

// grpc-js must not dial a second time. This back-off is longer than the longest attempt, which the kernel ends after 127 s
// (tcp_syn_retries). It is not longer than that, because its timer keeps a failed channel in memory, 5 kB each.
const NEVER_MS = 180_000;

/**
 * Options that no configuration changes. Calls are not repeated or sent to another address, and the environment has no
 * effect.
 */
const FIXED_OPTIONS: ChannelOptions = {
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': NEVER_MS,
  'grpc.max_reconnect_backoff_ms': NEVER_MS,
};

/** Gives grpc-js the one address that the channel was made for. */
class OneAddressResolver implements experimental.Resolver {
  readonly #listener: experimental.ResolverListener;
  readonly #address: Address;
  #isStarted = false;

  constructor(
    _target: experimental.GrpcUri,
    listener: experimental.ResolverListener,
    options: ChannelOptions,
  ) {
    this.#listener = listener;
    this.#address = options[ADDRESS_OPTION] as Address;
  }

  static getDefaultAuthority(target: experimental.GrpcUri): string {
    return target.path;
  }

  /** Called for the first dial, and again after a failure, which ends the channel. */
  updateResolution(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    queueMicrotask(() => {
      this.#listener(experimental.statusOrFromValue([{ addresses: [this.#address] }]), {}, null, '');
    });
  }

  destroy(): void {
    // There is nothing to close.
  }
}

experimental.registerResolver(SCHEME, OneAddressResolver);

// grpc-js writes to `console.error` when a member sends a header that is not ASCII, or leaves because of too many pings.
// `console.error` throws in the helper, which has no `process.stderr`.
setLogVerbosity(logVerbosity.NONE);

/** Lets one socket pass, once, after its greeting. */
class OneSocketCredentials extends ChannelCredentials {
  readonly #isSecure: boolean;
  readonly #greet: (socket: Socket) => Promise<Socket>;
  #isUsed = false;

  constructor(isSecure: boolean, greet: (socket: Socket) => Promise<Socket>) {
    super();
    this.#isSecure = isSecure;
    this.#greet = greet;
  }

  override _isSecure(): boolean {
    return this.#isSecure;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): experimental.SecureConnector {
    return {
      connect: async (socket) => {
        // When its signal is aborted, a socket emits an error, and it may have no other listener at that time.
        socket.on('error', () => undefined);
        if (this.#isUsed) throw new Error('this channel has had its connection');
        this.#isUsed = true;
        return { socket: await this.#greet(socket), secure: this.#isSecure };
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

export class EtcdChannel {
  readonly channel: Channel;
  readonly #events: ChannelEvents;
  readonly #isSecure: boolean;
  readonly #closing = new AbortController();
  #socket: Socket | undefined;
  /** Why the socket was refused. */
  #refusal: Error | undefined;
  #wasReady = false;
  #isOver = false;

  constructor(peer: Peer, isSecure: boolean, options: ChannelOptions, greet: Greet, events: ChannelEvents) {
    this.#events = events;
    this.#isSecure = isSecure;
    const { signal } = this.#closing;
    const credentials = new OneSocketCredentials(isSecure, async (socket) => {
      try {
        this.#socket = await greet(socket, signal);
        return this.#socket;
      } catch (error) {
        this.#refusal = error instanceof Error ? error : new Error(String(error));
        throw error;
      }
    });
    const address: Address = { ...peer, signal };
    // The target appears only in logs. The authority of calls is the option `grpc.default_authority`.
    this.channel = new Channel(`${SCHEME}:member`, credentials, {
      ...options,
      ...FIXED_OPTIONS,
      [ADDRESS_OPTION]: address,
    });
    this.#watch();
    this.channel.getConnectivityState(true);
  }

  /** True when the connection has ended or was never made. False when it is open, even if nothing arrives. */
  get isCut(): boolean {
    return this.#socket?.destroyed !== false;
  }

  /** Ends the connection, or the attempt to make it, and every call on it, at once. */
  close(): void {
    this.#isOver = true;
    if (this.#closing.signal.aborted) return;
    this.channel.close();
    // Closing a channel leaves sockets open that are still being set up or that wait for an answer.
    this.#closing.abort();
  }

  #watch(): void {
    if (this.#isOver) return;
    const state = this.channel.getConnectivityState(false);
    if (state === connectivityState.READY) {
      this.#wasReady = true;
      this.#events.onReady();
    } else if (this.#wasReady) {
      this.#isOver = true;
      this.#events.onEnd();
      // Delayed, because grpc-js is in the middle of its change of state.
      queueMicrotask(() => {
        this.channel.close();
      });
      return;
    } else if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#isOver = true;
      this.#explain();
      return;
    }
    this.channel.watchConnectivityState(state, Infinity, () => {
      this.#watch();
    });
  }

  /**
   * grpc-js reports why it cannot connect only as the failure of a call. This call is made for that reason; it is never
   * sent, because there is no connection.
   */
  #explain(): void {
    const call = this.channel.createCall('/', Infinity, null, null, null);
    call.start(new Metadata(), {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: () => undefined,
      onReceiveStatus: ({ details }) => {
        if (this.#closing.signal.aborted) return;
        this.#events.onFailure(this.#refusal ?? failureFrom(details, this.#isSecure));
        this.close();
      },
    });
  }
}

// grpc-js 1.14, load-balancer-pick-first.ts and transport.ts: the last error, in some cases with its time.
const LAST_ERROR = /^No connection established\. Last error: (?:Error: )?(.*)\. Resolution note: /s;
const WHEN = /\s*\(\d{4}-[0-9T:.-]+Z\)$/;

/** The error in grpc-js's report of a connection that could not be made. */
function failureFrom(details: string, isSecure: boolean): Error {
  const text = (LAST_ERROR.exec(details)?.[1] ?? details).replace(WHEN, '');
  if (text === 'Protocol error' || text.includes('NGHTTP2')) return noHttp2(isSecure);
  if (/^(Failed to connect|Socket closed|Connection closed before starting HTTP\/2 handshake)$/.test(text)) {
    return closedEarly(isSecure);
  }
  return new Error(errorText(text));
}
