import type { LoginConfig } from '../config/config.ts';
import { CallFailure, callUnary } from './call.ts';
import { isAuthOff, isLoginWanted, isStaleLogin } from './server-errors.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { StrangeAnswer } from './messages.ts';
import { passwordOf } from './password.ts';
import { SingleFlight } from './single-flight.ts';
import type { CallMetadata } from './methods.ts';

/** The metadata that a call shows to the member. */
export interface Pass {
  readonly metadata: CallMetadata;
  /** False when no login is configured, or when authentication is off. */
  readonly hasToken: boolean;
}

// What gRPC takes as the value of a header (grpc, doc/PROTOCOL-HTTP2.md). etcd's tokens are such text.
const TOKEN = /^[\x20-\x7e]+$/;

/**
 * The login on one member. Other members need not know its token. A token can expire, a restarted member forgets all
 * tokens, and each change of users and roles ends them. So each refusal of a token leads to one new login.
 * Authentication can also be switched on and off while the helper runs.
 */
export class EtcdLogin {
  readonly #connector: EndpointConnector;
  readonly #config: LoginConfig | undefined;
  readonly #asking: SingleFlight<Pass>;
  readonly #onAuthOff: (endpoint: string) => void;
  #pass: Pass | undefined;
  #isSent = false;

  /** @param onAuthOff called when a login is configured and authentication is off on the member */
  constructor(
    connector: EndpointConnector,
    config: LoginConfig | undefined,
    onAuthOff: (endpoint: string) => void = () => undefined,
  ) {
    this.#connector = connector;
    this.#config = config;
    this.#onAuthOff = onAuthOff;
    this.#asking = new SingleFlight(
      () => connector.name,
      (signal) => this.#logIn(signal),
    );
    if (config === undefined) this.#pass = { metadata: {}, hasToken: false };
  }

  /** Logs in before the first call, because the member needs 50 to 100 ms to check a password (bcrypt). */
  start(): void {
    if (this.#pass === undefined) this.#asking.start();
  }

  /** True while the member checks the password. */
  get isUnderWay(): boolean {
    return this.#isSent && this.#connector.isConnected;
  }

  async pass(signal: AbortSignal): Promise<Pass> {
    return this.#pass ?? (await this.#asking.wait(signal));
  }

  /** True when a new login may lead to success after a refusal with `pass`. */
  canRetryAfter(error: unknown, pass: Pass): boolean {
    if (this.#config === undefined || !(error instanceof CallFailure)) return false;
    return isStaleLogin(error.status) || (!pass.hasToken && isLoginWanted(error.status));
  }

  /** Makes the next call log in again, unless another call has done so since `pass` was used. */
  forget(pass: Pass): void {
    if (this.#config !== undefined && this.#pass === pass) this.#pass = undefined;
  }

  async #logIn(signal: AbortSignal): Promise<Pass> {
    let metadata: CallMetadata = {};
    let hasToken = false;
    if (this.#config !== undefined) {
      const request = {
        name: this.#config.username,
        password: await passwordOf(this.#config).read(this.#connector.name),
      };
      this.#isSent = true;
      try {
        const { token } = await callUnary(this.#connector, signal, 'authenticate', request, {});
        if (!TOKEN.test(token)) throw new StrangeAnswer('the token is not ASCII text');
        metadata = { token };
        hasToken = true;
      } catch (error) {
        if (!(error instanceof CallFailure && isAuthOff(error.status))) throw error;
        this.#onAuthOff(this.#connector.name);
      } finally {
        this.#isSent = false;
      }
    }
    this.#pass = { metadata, hasToken };
    return this.#pass;
  }
}
