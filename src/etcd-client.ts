import type { Metadata } from '@grpc/grpc-js';
import type { Clock } from './clock.ts';
import type { Config, Endpoint } from './config.ts';
import { EtcdError } from './errors.ts';
import type {
  CallOptions,
  Header,
  LeaseAnswer,
  LeaseId,
  LockAnswer,
  Member,
  RangeAnswer,
  TimeToLiveAnswer,
  WatchHandlers,
} from './etcd.ts';
import { CallFailure, callOnStream, callUnary } from './etcd-call.ts';
import type { ConnectionOptions } from './etcd-connection.ts';
import { followRecords } from './etcd-discovery.ts';
import { errorText, etcdErrorFrom } from './etcd-errors.ts';
import { EtcdLink } from './etcd-link.ts';
import { EtcdLogin } from './etcd-login.ts';
import * as messages from './etcd-messages.ts';
import { TlsSuspects } from './etcd-probe.ts';
import { makeSecure } from './etcd-tls.ts';
import { EtcdVersion } from './etcd-version.ts';
import { watchKey } from './etcd-watch.ts';
import { NameBook } from './name-book.ts';
import { discover, makeResolveSrv } from './srv.ts';
import { TlsFiles } from './tls-files.ts';

/** What the transport needs of the world beside the network. */
export interface TransportDeps {
  readonly clock: Clock;
  /** Told, once, of what works and should be seen to. */
  readonly onWarning?: (message: string) => void;
}

/**
 * The members as configured, one for each endpoint, none of them connected yet.
 * @throws {SetupError} with `srv_domain` only, when DNS does not name any
 */
export async function makeMembers(config: Config, { clock, onWarning }: TransportDeps): Promise<Member[]> {
  const { srvDomain, tls } = config;
  const how = {
    names: new NameBook(),
    secure: makeSecure(tls, new TlsFiles(tls)),
    suspects: new TlsSuspects(),
  };
  const options: ConnectionOptions = {
    clock,
    dialTimeoutMs: config.dialTimeoutMs,
    grpcOptions: {
      ...(tls.serverName === undefined ? {} : { 'grpc.default_authority': tls.serverName }),
      ...config.grpcOptions,
    },
  };
  const find = (): Promise<readonly Endpoint[]> =>
    srvDomain === undefined ? Promise.resolve(config.endpoints) : discover(srvDomain, makeResolveSrv(clock));
  const endpoints = await find();
  const used = config.useOtherMembers ? endpoints : endpoints.slice(0, 1);
  const links = used.map((endpoint) => new EtcdLink(endpoint, how, options));
  if (srvDomain !== undefined) followRecords(links, clock, find);
  let hasWarned = false;
  const onAuthOff = (endpoint: string): void => {
    if (hasWarned) return;
    hasWarned = true;
    // No failure: a login must be configured before authentication can be switched on under a holder.
    onWarning?.(
      `etcd at ${endpoint}: authentication is not enabled, so anybody may change the lock; run etcdctl auth enable`,
    );
  };
  return links.map((link) => new EtcdMember(link, config, onAuthOff));
}

/** A member without a leader says so at once, with this, instead of being silent until it has one. */
function withLeader(metadata: Metadata): Metadata {
  const result = metadata.clone();
  result.set('hasleader', 'true');
  return result;
}

/** One endpoint over the network: etcd's messages put in our types, and its errors in our words. */
class EtcdMember implements Member {
  readonly #link: EtcdLink;
  readonly #login: EtcdLogin;
  readonly #version: EtcdVersion;
  readonly #config: Config;

  constructor(link: EtcdLink, config: Config, onAuthOff: (endpoint: string) => void) {
    this.#link = link;
    this.#login = new EtcdLogin(link, config.login, onAuthOff);
    this.#version = new EtcdVersion(link, this.#login);
    this.#config = config;
  }

  get endpoint(): string {
    return this.#link.name;
  }

  grant(leaseId: LeaseId, ttlMs: number, { signal }: CallOptions): Promise<LeaseAnswer> {
    const request = { ID: leaseId, TTL: messages.secondsFromMs(ttlMs) };
    return this.#ask(undefined, signal, async (metadata) =>
      messages.leaseAnswerFrom(leaseId, await callUnary(this.#link, signal, 'leaseGrant', request, metadata)),
    );
  }

  revoke(leaseId: LeaseId, { signal }: CallOptions): Promise<{ readonly header: Header }> {
    const request = { ID: leaseId };
    return this.#ask(undefined, signal, async (metadata) => {
      const { header } = await callUnary(this.#link, signal, 'leaseRevoke', request, metadata);
      return { header: messages.headerFrom(header) };
    });
  }

  keepAlive(leaseId: LeaseId, { signal }: CallOptions): Promise<LeaseAnswer> {
    const request = { ID: leaseId };
    return this.#ask(undefined, signal, async (metadata) =>
      messages.leaseAnswerFrom(
        leaseId,
        await callOnStream(this.#link, signal, 'leaseKeepAlive', request, metadata),
      ),
    );
  }

  timeToLive(leaseId: LeaseId, { signal }: CallOptions): Promise<TimeToLiveAnswer> {
    const request = { ID: leaseId };
    return this.#ask(undefined, signal, async (metadata) =>
      messages.timeToLiveFrom(await callUnary(this.#link, signal, 'leaseTimeToLive', request, metadata)),
    );
  }

  readKey(key: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.keyRequest(key);
    return this.#ask(key, signal, async (metadata) =>
      messages.rangeAnswerFrom(await callUnary(this.#link, signal, 'range', request, metadata)),
    );
  }

  readOldest(directory: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.oldestRequest(directory);
    return this.#ask(directory, signal, async (metadata) =>
      messages.rangeAnswerFrom(await callUnary(this.#link, signal, 'range', request, metadata)),
    );
  }

  lock(
    directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    { signal }: CallOptions,
  ): Promise<LockAnswer> {
    const request = messages.lockRequest(directory, key, value, leaseId);
    return this.#ask(directory, signal, async (metadata) => {
      await this.#version.check(signal);
      return messages.lockAnswerFrom(await callUnary(this.#link, signal, 'txn', request, metadata));
    });
  }

  describe(
    key: string,
    value: string,
    createRevision: bigint,
    { signal }: CallOptions,
  ): Promise<{ readonly header: Header; readonly succeeded: boolean }> {
    const request = messages.describeRequest(key, value, createRevision);
    return this.#ask(key, signal, async (metadata) => {
      const { header, succeeded } = await callUnary(this.#link, signal, 'txn', request, metadata);
      return { header: messages.headerFrom(header), succeeded };
    });
  }

  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void {
    return watchKey(this.#link, this.#login, key, fromRevision, {
      ...handlers,
      onEnd: (error) => {
        handlers.onEnd(this.#inOurWords(error, key).message);
      },
    });
  }

  connect(): void {
    this.#link.current().connect();
    this.#login.start();
    this.#version.start();
  }

  close(): void {
    this.#link.close();
  }

  /** Runs one call with our login; where the member refuses the login, once more with a new one. */
  async #ask<T>(
    key: string | undefined,
    signal: AbortSignal,
    send: (metadata: Metadata) => Promise<T>,
  ): Promise<T> {
    try {
      const pass = await this.#login.pass(signal);
      try {
        return await send(withLeader(pass.metadata));
      } catch (error) {
        if (!this.#login.canMend(error, pass)) throw error;
        this.#login.forget(pass);
        return await send(withLeader((await this.#login.pass(signal)).metadata));
      }
    } catch (error) {
      throw this.#inOurWords(error, key);
    }
  }

  #inOurWords(error: unknown, key: string | undefined): EtcdError {
    if (error instanceof EtcdError) return error;
    if (error instanceof CallFailure) {
      return etcdErrorFrom(error.status, {
        endpoint: this.endpoint,
        isSecure: this.#link.endpoint.secure,
        tls: this.#config.tls,
        username: this.#config.login?.username,
        key,
        closedBecause: error.closedBecause,
      });
    }
    if (error instanceof messages.StrangeAnswer) {
      return new EtcdError('notEtcd', this.endpoint, `not etcd: ${error.message}`, 'correct hosts and port');
    }
    return new EtcdError('unknown', this.endpoint, errorText(error));
  }
}
