import { EtcdError, type EtcdErrorKind } from '../base/errors.ts';
import { summary } from '../cluster/member-failures.ts';

/**
 * What no outage brings about: the endpoint belongs to another cluster, a proxy answers there, or a transaction through its log shows a
 * store that has gone back, as after a restore from a backup.
 */
const REFUSALS: readonly EtcdErrorKind[] = ['wrongCluster', 'proxy', 'stale'];

/** Which endpoints cannot renew the lease, whatever is waited for. When that is all of them, the lock is lost. */
export class EndpointRefusals {
  readonly #count: number;
  readonly #errors = new Map<string, EtcdError>();

  /** @param count how many endpoints there are */
  constructor(count: number) {
    this.#count = count;
  }

  /** Takes in how a renewal through one endpoint has failed. Returns one error for all once all have refused. */
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

  /** A renewal has been proven: of the others, only what a proxy refused still counts. */
  clear(): void {
    for (const [endpoint, { kind }] of this.#errors) if (kind !== 'proxy') this.#errors.delete(endpoint);
  }
}
