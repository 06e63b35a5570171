import type { EtcdServer } from './etcd-server.ts';
import type { Random } from './random.ts';

/** What stands between an endpoint and the members. */
export type Balancing =
  /** The endpoint is a member. */
  | 'none'
  /** A balancer that leads each connection to some member. */
  | 'connections'
  /** A balancer that leads each call to some member, whichever connection it comes on. */
  | 'calls';

/** Where an endpoint's connections and calls end up. */
export class Route {
  readonly #own: EtcdServer;
  readonly #all: readonly EtcdServer[];
  readonly #balancing: Balancing;
  readonly #random: Random;

  constructor(own: EtcdServer, all: readonly EtcdServer[], balancing: Balancing, random: Random) {
    this.#own = own;
    this.#all = all;
    this.#balancing = balancing;
    this.#random = random;
  }

  forConnection(): EtcdServer {
    return this.#balancing === 'none' ? this.#own : this.#random.pick(this.#all);
  }

  /** @param server where the connection of the call leads to */
  forCall(server: EtcdServer): EtcdServer {
    return this.#balancing === 'calls' ? this.#random.pick(this.#all) : server;
  }
}
