import { formatHolder, type HolderRecord } from '../lock/holder-record.ts';
import type { LocalHost } from '../lock/local-host.ts';

/** The holder record of this process: the value that it puts under the lock's key. */
export class OwnRecord {
  readonly #fields: Pick<HolderRecord, 'node' | 'host' | 'process' | 'version' | 'ttlMs' | 'refreshMs'>;
  #taken: HolderRecord | undefined;

  constructor(
    { hostName, self }: Pick<LocalHost, 'hostName' | 'self'>,
    { ttlMs, refreshMs }: Pick<HolderRecord, 'ttlMs' | 'refreshMs'>,
    version: string,
  ) {
    this.#fields = { node: hostName, host: hostName, process: self, version, ttlMs, refreshMs };
  }

  /** The value for a take through the endpoint `via`, with the time of day. */
  valueForTake(via: string): string {
    this.#taken = { ...this.#fields, pnn: undefined, since: new Date().toISOString(), via };
    return formatHolder(this.#taken);
  }

  /** The value of the last take, with CTDB's number of this node; undefined before a take. */
  valueWithPnn(pnn: number): string | undefined {
    return this.#taken === undefined ? undefined : formatHolder({ ...this.#taken, pnn });
  }
}
