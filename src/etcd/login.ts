import type { LoginConfig } from '../config/config.ts';
import { readPasswordFile } from '../config/password-file.ts';
import { EtcdError } from '../base/errors.ts';
import { CallFailure, callUnary } from './call.ts';
import { isAuthOff, isLoginWanted, isStaleLogin } from './errors.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { SingleFlight } from './single-flight.ts';
import type { CallMetadata } from './methods.ts';

/** What a call shows the member. */
export interface Pass {
  readonly metadata: CallMetadata;
  /** False when no login is configured, or when the member said that authentication is off. */
  readonly hasToken: boolean;
}

function passwordOf({ password, passwordFile }: LoginConfig, endpoint: string): string {
  if (passwordFile === undefined) return password ?? '';
  const file = readPasswordFile(passwordFile, 'UTF-8');
  if (file.kind === 'password') return file.bytes.toString();
  const { problem, remedy = 'correct password_file' } = file;
  const message = `cannot read password_file "${passwordFile}": ${problem}`;
  throw new EtcdError('auth', endpoint, message, remedy, 'auth-file');
}

/**
 * Our login on one member, whose tokens other members need not know. Tokens expire, a restarted member forgets them, and
 * each change of users and roles ends them all; so a pass that was refused is replaced by a new login, once per refusal.
 * Authentication can also be switched on and off under us.
 */
export class EtcdLogin {
  readonly #connector: EndpointConnector;
  readonly #config: LoginConfig | undefined;
  readonly #asking: SingleFlight<Pass>;
  readonly #onAuthOff: (endpoint: string) => void;
  #pass: Pass | undefined;
  #isSent = false;

  /** @param onAuthOff told when a login is configured and the member has authentication switched off */
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

  /** Logs in ahead of the first call: the member takes its time to check a password (bcrypt, 50 to 100 ms). */
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

  /** Whether a new login may mend a call that was refused with `pass`. */
  canRetryAfter(error: unknown, pass: Pass): boolean {
    if (this.#config === undefined || !(error instanceof CallFailure)) return false;
    return isStaleLogin(error.status) || (!pass.hasToken && isLoginWanted(error.status));
  }

  /** The next call logs in again, unless another one has done so since `pass` was used. */
  forget(pass: Pass): void {
    if (this.#config !== undefined && this.#pass === pass) this.#pass = undefined;
  }

  async #logIn(signal: AbortSignal): Promise<Pass> {
    let metadata: CallMetadata = {};
    let hasToken = false;
    if (this.#config !== undefined) {
      const request = {
        name: this.#config.username,
        password: passwordOf(this.#config, this.#connector.name),
      };
      this.#isSent = true;
      try {
        const { token } = await callUnary(this.#connector, signal, 'authenticate', request, {});
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
