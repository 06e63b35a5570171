import { Metadata } from '@grpc/grpc-js';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
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
import { errorText, etcdErrorFrom } from './etcd-errors.ts';
import { EtcdLink } from './etcd-link.ts';
import * as messages from './etcd-messages.ts';
import { makeSecure } from './etcd-tls.ts';
import { watchKey } from './etcd-watch.ts';
import { NameBook } from './name-book.ts';
import { TlsFiles } from './tls-files.ts';

/** What the transport needs of the world beside the network. */
export interface TransportDeps {
  readonly clock: Clock;
}

/** The members as configured, one for each endpoint, none of them connected yet. */
export function makeMembers(config: Config, deps: TransportDeps): Promise<Member[]> {
  const how = { names: new NameBook(), secure: makeSecure(config.tls, new TlsFiles(config.tls)) };
  const options: ConnectionOptions = {
    clock: deps.clock,
    dialTimeoutMs: config.dialTimeoutMs,
    grpcOptions: {
      ...(config.tls.serverName === undefined ? {} : { 'grpc.default_authority': config.tls.serverName }),
      ...config.grpcOptions,
    },
  };
  const endpoints = config.useOtherMembers ? config.endpoints : config.endpoints.slice(0, 1);
  return Promise.resolve(
    endpoints.map((endpoint) => new EtcdMember(new EtcdLink(endpoint, how, options), config)),
  );
}

/** One endpoint over the network: etcd's messages put in our types, and its errors in our words. */
class EtcdMember implements Member {
  readonly #link: EtcdLink;
  readonly #config: Config;

  constructor(link: EtcdLink, config: Config) {
    this.#link = link;
    this.#config = config;
  }

  get endpoint(): string {
    return this.#link.name;
  }

  grant(leaseId: LeaseId, ttlMs: number, { signal }: CallOptions): Promise<LeaseAnswer> {
    const request = { ID: leaseId, TTL: messages.secondsFromMs(ttlMs) };
    return this.#ask(undefined, async (metadata) =>
      messages.leaseAnswerFrom(leaseId, await callUnary(this.#link, signal, 'leaseGrant', request, metadata)),
    );
  }

  revoke(leaseId: LeaseId, { signal }: CallOptions): Promise<{ readonly header: Header }> {
    const request = { ID: leaseId };
    return this.#ask(undefined, async (metadata) => {
      const { header } = await callUnary(this.#link, signal, 'leaseRevoke', request, metadata);
      return { header: messages.headerFrom(header) };
    });
  }

  keepAlive(leaseId: LeaseId, { signal }: CallOptions): Promise<LeaseAnswer> {
    const request = { ID: leaseId };
    return this.#ask(undefined, async (metadata) =>
      messages.leaseAnswerFrom(
        leaseId,
        await callOnStream(this.#link, signal, 'leaseKeepAlive', request, metadata),
      ),
    );
  }

  timeToLive(leaseId: LeaseId, { signal }: CallOptions): Promise<TimeToLiveAnswer> {
    const request = { ID: leaseId };
    return this.#ask(undefined, async (metadata) =>
      messages.timeToLiveFrom(await callUnary(this.#link, signal, 'leaseTimeToLive', request, metadata)),
    );
  }

  readKey(key: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.keyRequest(key);
    return this.#ask(key, async (metadata) =>
      messages.rangeAnswerFrom(await callUnary(this.#link, signal, 'range', request, metadata)),
    );
  }

  readOldest(directory: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.oldestRequest(directory);
    return this.#ask(directory, async (metadata) =>
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
    return this.#ask(directory, async (metadata) =>
      messages.lockAnswerFrom(await callUnary(this.#link, signal, 'txn', request, metadata)),
    );
  }

  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void {
    return watchKey(this.#link, key, fromRevision, new Metadata(), {
      ...handlers,
      onEnd: (failure) => {
        handlers.onEnd(this.#inOurWords(failure, key).message);
      },
    });
  }

  connect(): void {
    this.#link.current().connect();
  }

  close(): void {
    this.#link.close();
  }

  async #ask<T>(key: string | undefined, send: (metadata: Metadata) => Promise<T>): Promise<T> {
    try {
      return await send(new Metadata());
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
