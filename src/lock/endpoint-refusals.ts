import { EtcdError, type EtcdErrorKind } from '../base/errors.ts';
import { summary } from '../cluster/member-failures.ts';

/**
 * Failures that an outage does not cause: the endpoint belongs to another cluster, it is a proxy, or a transaction
 * through its log shows that its store has gone back, as after a restore from a backup.
 */
const REFUSALS: readonly EtcdErrorKind[] = ['wrongCluster', 'proxy', 'stale'];

/**
 * The endpoints that cannot renew the lease, however long the helper waits. When that is all of them, the lock is lost.
 */
export class EndpointRefusals {
  readonly #count: number;
  readonly #errors = new Map<string, EtcdError>();

  /** @param count the number of endpoints */
  constructor(count: number) {
    this.#count = count;
  }

  /**
   * Notes how a renewal through one endpoint failed.
   * @returns one error for all endpoints, once all have refused
   */
  add(error: EtcdError): EtcdError | undefined {
    if (!REFUSALS.includes(error.kind)) {
      this.#errors.delete(error.endpoint);
      return undefined;
    }
    this.#errors.set(error.endpoint, error);
    if (this.#errors.size < this.#count) return undefined;
    const { message, remedy, id } = summary([...this.#errors.values()]);
    return new EtcdError('otherStore', '', message, remedy, id);
  }

  /** Called when a renewal was proven. Only the refusals by a proxy still count. */
  clear(): void {
    for (const [endpoint, { kind }] of this.#errors) if (kind !== 'proxy') this.#errors.delete(endpoint);
  }
}
