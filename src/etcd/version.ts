import { EtcdError } from '../base/errors.ts';
import { CallFailure, callUnary } from './call.ts';
import { isLoginWanted, isStaleLogin } from './errors.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import type { EtcdLogin } from './login.ts';
import { SingleFlight } from './single-flight.ts';

// The transaction compares a whole directory (`range_end` in Compare), which etcd knows since 3.3. An older one does not
// refuse it: it overlooks the range, and would give the lock to everybody.
const OLDEST = { major: 3, minor: 3 };

function isSupported(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > OLDEST.major || (Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor);
}

/** Makes sure, once, that a member is new enough for the lock. */
export class EtcdVersion {
  readonly #asking: SingleFlight<undefined>;
  readonly #connector: EndpointConnector;
  /** The endpoint that is known to be new enough; a connector can move to another one. */
  #known: string | undefined;

  constructor(connector: EndpointConnector, login: EtcdLogin) {
    this.#connector = connector;
    this.#asking = new SingleFlight(
      () => connector.name,
      async (signal) => {
        const asked = connector.name;
        const { metadata } = await login.pass(signal);
        try {
          const { version } = await callUnary(connector, signal, 'status', {}, metadata);
          if (!isSupported(version)) {
            throw new EtcdError(
              'notEtcd',
              connector.name,
              `the member runs etcd ${version === '' ? 'of an unknown version' : version}, which is too old`,
              'use etcd 3.3 or newer',
              'net-old',
            );
          }
        } catch (error) {
          // No etcd that is too old wants a login for this question.
          if (!(error instanceof CallFailure)) throw error;
          if (!isStaleLogin(error.status) && !isLoginWanted(error.status)) throw error;
        }
        this.#known = asked;
        return undefined;
      },
    );
  }

  /** Asks ahead of the transaction. */
  start(): void {
    if (this.#known !== this.#connector.name) this.#asking.start();
  }

  /** Rejects when the member is too old, or when it does not say. */
  async check(signal: AbortSignal): Promise<void> {
    if (this.#known !== this.#connector.name) await this.#asking.wait(signal);
  }
}
