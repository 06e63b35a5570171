/**
 * The folder `etcd` implements the port of `cluster/member.ts` over the network. It puts each question into etcd's
 * messages, adds the login, and turns etcd's errors into those of the failure guide. What the administrator's commands
 * ask besides has a port of its own (`admin.ts`).
 *
 * It sets no time limit and repeats no call, except once with a new login. Its callers do both, most of them through
 * `cluster/question.ts`. A call that failed may still have taken effect in etcd.
 */
import type { Clock } from '../base/clock.ts';
import type { Notice } from '../base/log.ts';
import type { Config, Endpoint } from '../config/config.ts';
import type {
  CallOptions,
  ConfirmAnswer,
  Header,
  LeaseAnswer,
  LeaseId,
  LockAnswer,
  Member,
  Obstacle,
  MemberList,
  RangeAnswer,
  TimeToLiveAnswer,
  WatchHandlers,
} from '../cluster/member.ts';
import { type Answered, callKeepAlive, callUnary, callUnaryAnswered } from './call.ts';
import { EndpointCalls } from './endpoint-calls.ts';
import { followRecords } from '../connect/discovery.ts';
import type { DnsCache } from '../connect/dns-cache.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { makeConnectors } from '../connect/endpoint-connectors.ts';
import * as messages from './messages.ts';
import type { CallMetadata, UnaryAnswer, UnaryRequest } from './methods.ts';
import { EtcdVersion } from './version.ts';
import { watchRange } from './watch.ts';
import { discover, makeResolveSrv } from '../connect/srv.ts';

/** What the members need in addition to the configuration. */
export interface TransportDeps {
  readonly clock: Clock;
  /** Shared by everything that dials in this process, so that each name is looked up once. */
  readonly names: DnsCache;
  /** Called once for something that works but needs attention. */
  readonly onWarning?: (warning: Notice) => void;
}

/**
 * The members of the configuration, one for each endpoint. None is connected yet.
 * @throws {SetupError} only with `srv_domain`, when DNS names no member
 */
export async function makeMembers(
  config: Config,
  { clock, names, onWarning }: TransportDeps,
): Promise<Member[]> {
  const { srvDomain } = config;
  const find = (): Promise<readonly Endpoint[]> =>
    srvDomain === undefined
      ? Promise.resolve(config.endpoints)
      : discover(srvDomain, makeResolveSrv(clock), config.tlsWantedBy);
  const endpoints = await find();
  const connectors = makeConnectors(
    config,
    config.useOtherMembers ? endpoints : endpoints.slice(0, 1),
    clock,
    names,
  );
  if (srvDomain !== undefined) followRecords(connectors, clock, find);
  let hasWarned = false;
  const onAuthOff = (endpoint: string): void => {
    if (hasWarned) return;
    hasWarned = true;
    // This is no failure: the administrator must configure the login before authentication can be switched on while a
    // holder runs.
    onWarning?.({
      id: 'warn-auth-off',
      text: `etcd at ${endpoint}: authentication is not enabled, so anyone can change the lock; run etcdctl auth enable`,
    });
  };
  return connectors.map((connector) => new EtcdMember(new EndpointCalls(connector, config, onAuthOff)));
}

/**
 * With this header, a member without a raft leader answers with an error at once. Otherwise it would not answer until
 * there is a leader.
 */
function withLeader(metadata: CallMetadata): CallMetadata {
  return { ...metadata, hasleader: 'true' };
}

/** One endpoint over the network. Converts etcd's messages and errors to the types of the port. */
class EtcdMember implements Member {
  readonly #calls: EndpointCalls;
  readonly #connector: EndpointConnector;
  readonly #version: EtcdVersion;

  constructor(calls: EndpointCalls) {
    this.#calls = calls;
    this.#connector = calls.connector;
    this.#version = new EtcdVersion(calls.connector, calls.login);
  }

  get endpoint(): string {
    return this.#connector.name;
  }

  grant(leaseId: LeaseId, ttlMs: number, { signal }: CallOptions): Promise<LeaseAnswer> {
    const request = { ID: leaseId, TTL: messages.secondsFromMs(ttlMs) };
    return this.#ask(undefined, signal, async (metadata) => {
      const granting = callUnaryAnswered(this.#connector, signal, 'leaseGrant', request, metadata);
      // The version is needed for the transaction that follows a grant. It is asked for while the member writes the
      // lease to its disk.
      this.#version.start();
      const { message, connection } = await granting;
      return { ...messages.leaseAnswerFrom(leaseId, message), connection };
    });
  }

  revoke(leaseId: LeaseId, { signal }: CallOptions): Promise<{ readonly header: Header }> {
    const request = { ID: leaseId };
    return this.#ask(undefined, signal, async (metadata) => {
      const { header } = await callUnary(this.#connector, signal, 'leaseRevoke', request, metadata);
      return { header: messages.headerFrom(header) };
    });
  }

  keepAlive(leaseId: LeaseId, { signal }: CallOptions): Promise<LeaseAnswer> {
    return this.#ask(undefined, signal, async (metadata) => {
      const { message, connection } = await callKeepAlive(this.#connector, signal, leaseId, metadata);
      return { ...messages.leaseAnswerFrom(leaseId, message), connection };
    });
  }

  timeToLive(leaseId: LeaseId, { signal }: CallOptions): Promise<TimeToLiveAnswer> {
    const request = { ID: leaseId };
    return this.#ask(undefined, signal, async (metadata) =>
      messages.timeToLiveFrom(await callUnary(this.#connector, signal, 'leaseTimeToLive', request, metadata)),
    );
  }

  confirmKey(key: string, createRevision: bigint, { signal }: CallOptions): Promise<ConfirmAnswer> {
    const request = messages.confirmRequest(key, createRevision);
    return this.#ask(key, signal, async (metadata) => {
      const { message, connection } = await this.#transact(signal, request, metadata);
      return { ...messages.confirmAnswerFrom(message), connection };
    });
  }

  readKey(key: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.keyRequest(key);
    return this.#ask(key, signal, async (metadata) =>
      messages.rangeAnswerFrom(await callUnary(this.#connector, signal, 'range', request, metadata)),
    );
  }

  readOldest(directory: string, { signal }: CallOptions): Promise<RangeAnswer> {
    const request = messages.oldestRequest(directory);
    return this.#ask(directory, signal, async (metadata) =>
      messages.rangeAnswerFrom(await callUnary(this.#connector, signal, 'range', request, metadata)),
    );
  }

  putIfEmpty(
    directory: string,
    key: string,
    value: string,
    leaseId: LeaseId,
    { signal }: CallOptions,
  ): Promise<LockAnswer> {
    const request = messages.putIfEmptyRequest(directory, key, value, leaseId);
    return this.#ask(directory, signal, async (metadata) => {
      await this.#version.check(signal);
      const { message, connection } = await this.#transact(signal, request, metadata);
      return { ...messages.putIfEmptyAnswerFrom(message), connection };
    });
  }

  /** A transaction, with the connection over which its answer came. */
  #transact(
    signal: AbortSignal,
    request: UnaryRequest<'txn'>,
    metadata: CallMetadata,
  ): Promise<Answered<UnaryAnswer<'txn'>>> {
    return callUnaryAnswered(this.#connector, signal, 'txn', request, metadata);
  }

  updateValue(
    key: string,
    value: string,
    createRevision: bigint,
    { signal }: CallOptions,
  ): Promise<{ readonly header: Header; readonly succeeded: boolean }> {
    const request = messages.updateRequest(key, value, createRevision);
    return this.#ask(key, signal, async (metadata) => {
      const { header, succeeded } = await callUnary(this.#connector, signal, 'txn', request, metadata);
      return { header: messages.headerFrom(header), succeeded };
    });
  }

  watch(key: string, fromRevision: bigint, handlers: WatchHandlers): () => void {
    return watchRange(this.#calls, { key: Buffer.from(key) }, fromRevision, {
      ...handlers,
      onEnd: (error) => {
        handlers.onEnd(this.#calls.toEtcdError(error, key).message);
      },
    });
  }

  waitsFor(): Obstacle | undefined {
    return this.#calls.waitsFor();
  }

  listMembers({ signal }: CallOptions): Promise<MemberList> {
    return this.#ask(undefined, signal, async (metadata) =>
      messages.memberListFrom(await callUnary(this.#connector, signal, 'memberList', {}, metadata)),
    );
  }

  connect(): void {
    this.#connector.current().connect();
    this.#calls.login.start();
  }

  close(): void {
    this.#connector.close();
  }

  #ask<T>(
    key: string | undefined,
    signal: AbortSignal,
    send: (metadata: CallMetadata) => Promise<T>,
  ): Promise<T> {
    return this.#calls.ask(key, signal, (metadata) => send(withLeader(metadata)));
  }
}
