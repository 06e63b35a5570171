import type { Config } from '../config/config.ts';
import { errorText, EtcdError } from '../base/errors.ts';
import type { Obstacle } from '../cluster/member.ts';
import { CallFailure } from './call.ts';
import { etcdErrorFrom } from './errors.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { EtcdLogin } from './login.ts';
import { StrangeAnswer } from './messages.ts';
import type { CallMetadata } from './methods.ts';

/** The calls to one endpoint: with the login, and with every failure as `EtcdError`. */
export class EndpointCalls {
  readonly connector: EndpointConnector;
  readonly login: EtcdLogin;
  readonly #config: Config;

  constructor(connector: EndpointConnector, config: Config, onAuthOff?: (endpoint: string) => void) {
    this.connector = connector;
    this.login = new EtcdLogin(connector, config.login, onAuthOff);
    this.#config = config;
  }

  /** What calls wait for now. */
  waitsFor(): Obstacle | undefined {
    if (this.connector.isLookingUp) return 'name';
    return this.login.isUnderWay ? 'login' : undefined;
  }

  /**
   * Runs one call with the login. When the member refuses the login, the call is sent once more with a new one. Rejects
   * with `EtcdError`.
   * @param key the key or directory of the call, for a message about permissions
   */
  async ask<T>(
    key: string | undefined,
    signal: AbortSignal,
    send: (metadata: CallMetadata) => Promise<T>,
  ): Promise<T> {
    try {
      const pass = await this.login.pass(signal);
      try {
        return await send(pass.metadata);
      } catch (error) {
        if (!this.login.canRetryAfter(error, pass)) throw error;
        this.login.forget(pass);
        return await send((await this.login.pass(signal)).metadata);
      }
    } catch (error) {
      throw this.toEtcdError(error, key);
    }
  }

  toEtcdError(error: unknown, key: string | undefined): EtcdError {
    if (error instanceof EtcdError) return error;
    const { name, endpoint } = this.connector;
    if (error instanceof CallFailure) {
      return etcdErrorFrom(error.status, {
        endpoint: name,
        isSecure: endpoint.secure,
        tls: this.#config.tls,
        username: this.#config.login?.username,
        key,
        closedBecause: error.closedBecause,
      });
    }
    if (error instanceof StrangeAnswer)
      return new EtcdError('notEtcd', name, `not etcd: ${error.message}`, 'correct hosts and port');
    return new EtcdError('unknown', name, errorText(error));
  }
}
