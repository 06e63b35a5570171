import { EtcdError } from '../base/errors.ts';
import { CallFailure, callUnary } from './call.ts';
import { isLoginWanted, isStaleLogin } from './server-errors.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import type { EtcdLogin } from './login.ts';
import { SingleFlight } from './single-flight.ts';

// The lock's transaction compares a whole directory (`range_end` in Compare), which etcd has since 3.3. An older member
// ignores the range instead of refusing it, and would give the lock to every helper.
const OLDEST = { major: 3, minor: 3 };

function isSupported(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return false;
  return Number(major) > OLDEST.major || (Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor);
}

/** Checks once that a member is new enough for the lock. */
export class EtcdVersion {
  readonly #asking: SingleFlight<undefined>;
  readonly #connector: EndpointConnector;
  /** The endpoint whose version was found new enough. The connector can move to another endpoint. */
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
          // No release that is too old asks for a login here.
          if (!(error instanceof CallFailure)) throw error;
          if (!isStaleLogin(error.status) && !isLoginWanted(error.status)) throw error;
        }
        this.#known = asked;
        return undefined;
      },
    );
  }

  /** Asks before the transaction needs the answer. */
  start(): void {
    if (this.#known !== this.#connector.name) this.#asking.start();
  }

  /** Rejects when the member is too old, or when it does not tell its version. */
  async check(signal: AbortSignal): Promise<void> {
    if (this.#known !== this.#connector.name) await this.#asking.wait(signal);
  }
}
