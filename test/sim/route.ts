import type { EtcdServer } from './etcd-server.ts';
import type { GrpcProxy } from './grpc-proxy.ts';
import type { Random } from './random.ts';

/** What stands between an endpoint and the members. */
export type Balancing =
  /** The endpoint is a member. */
  | 'none'
  /** A balancer that leads each connection to some member. */
  | 'connections'
  /** A balancer that leads each call to some member, whichever connection it comes on. */
  | 'calls'
  /** As `connections`, but connections end often, and behind it are processes that have one member ID, as copies of a disk do. */
  | 'copies'
  /** A proxy that renews leases at its own pace (etcd grpc-proxy). */
  | 'proxy';

const CONNECTION_ENDS = 0.4;

/** Where an endpoint's connections and calls end up. */
export class Route {
  /** Before the endpoint's own member. */
  readonly proxy: GrpcProxy | undefined;
  readonly #own: EtcdServer;
  readonly #all: readonly EtcdServer[];
  readonly #balancing: Balancing;
  readonly #random: Random;

  /** @param proxy that of the endpoint, used where there are proxies */
  constructor(
    own: EtcdServer,
    all: readonly EtcdServer[],
    proxy: GrpcProxy | undefined,
    balancing: Balancing,
    random: Random,
  ) {
    this.proxy = balancing === 'proxy' ? proxy : undefined;
    this.#own = own;
    this.#all = all;
    this.#balancing = balancing;
    this.#random = random;
  }

  forConnection(): EtcdServer {
    return this.#balancing === 'none' || this.#balancing === 'proxy'
      ? this.#own
      : this.#random.pick(this.#all);
  }

  /** Whether the connection has ended, unnoticed, since the last call. */
  hasConnectionEnded(): boolean {
    return this.#balancing === 'copies' && this.#random.chance(CONNECTION_ENDS);
  }

  /** @param server where the connection of the call leads to */
  forCall(server: EtcdServer): EtcdServer {
    return this.#balancing === 'calls' ? this.#random.pick(this.#all) : server;
  }
}
