import type { Metadata } from '@grpc/grpc-js';
import type { Clock } from './clock.ts';
import type { Config, Endpoint } from './config.ts';
import { EtcdError } from './errors.ts';
import type { CallOptions, Header, KeyValue, LeaseId, TimeToLiveAnswer } from './etcd.ts';
import type {
  AdminMember,
  Alarm,
  DeleteAnswer,
  Directory,
  DirectoryWatchHandlers,
  ListedMember,
  MemberStatus,
} from './etcd-admin.ts';
import { CallFailure, callUnary } from './etcd-call.ts';
import { errorText, etcdErrorFrom } from './etcd-errors.ts';
import { EtcdLink } from './etcd-link.ts';
import { EtcdLogin } from './etcd-login.ts';
import * as messages from './etcd-messages.ts';
import { TlsSuspects } from './etcd-probe.ts';
import { openStream, type StreamCalls } from './etcd-stubs.ts';
import { makeSecure } from './etcd-tls.ts';
import { NameBook } from './name-book.ts';
import { TlsFiles } from './tls-files.ts';

/** One member for each of `endpoints`, none of them connected yet. */
export function makeAdminMembers(
  config: Config,
  endpoints: readonly Endpoint[],
  clock: Clock,
): EtcdAdminMember[] {
  const { tls, dialTimeoutMs } = config;
  const how = {
    names: new NameBook(),
    secure: makeSecure(tls, new TlsFiles(tls)),
    suspects: new TlsSuspects(),
  };
  const authority = tls.serverName === undefined ? {} : { 'grpc.default_authority': tls.serverName };
  const options = { clock, dialTimeoutMs, grpcOptions: { ...authority, ...config.grpcOptions } };
  return endpoints.map((endpoint) => new EtcdAdminMember(new EtcdLink(endpoint, how, options), config));
}

/** One endpoint over the network, as the administrator's commands ask it. */
export class EtcdAdminMember implements AdminMember {
  readonly #link: EtcdLink;
  readonly #login: EtcdLogin;
  readonly #config: Config;

  constructor(link: EtcdLink, config: Config) {
    this.#link = link;
    this.#login = new EtcdLogin(link, config.login);
    this.#config = config;
  }

  get endpoint(): string {
    return this.#link.name;
  }

  get address(): Endpoint {
    return this.#link.endpoint;
  }

  async logIn({ signal }: CallOptions): Promise<{ readonly isAuthOn: boolean }> {
    try {
      return { isAuthOn: (await this.#login.pass(signal)).hasToken };
    } catch (error) {
      throw this.#inOurWords(error, undefined);
    }
  }

  status({ signal }: CallOptions): Promise<MemberStatus> {
    return this.#ask(undefined, signal, async (metadata) => {
      const answer = await callUnary(this.#link, signal, 'status', {}, metadata);
      return {
        header: this.#headerFrom(answer.header),
        version: answer.version,
        leaderId: answer.leader,
        raftTerm: BigInt(answer.raftTerm),
        dbSizeBytes: Number(answer.dbSize),
        dbInUseBytes: Number(answer.dbSizeInUse),
        isLearner: answer.isLearner,
      };
    });
  }

  listMembers({
    signal,
  }: CallOptions): Promise<{ readonly header: Header; readonly members: ListedMember[] }> {
    return this.#ask(undefined, signal, async (metadata) => {
      const answer = await callUnary(this.#link, signal, 'memberList', {}, metadata);
      const members = answer.members.map(({ ID, name, clientURLs, isLearner }) => ({
        id: ID,
        name,
        clientUrls: clientURLs,
        isLearner,
      }));
      return { header: messages.headerFrom(answer.header), members };
    });
  }

  alarms({ signal }: CallOptions): Promise<readonly Alarm[]> {
    return this.#ask(undefined, signal, async (metadata) => {
      const { alarms } = await callUnary(this.#link, signal, 'alarm', { action: 'Get' }, metadata);
      return alarms.map(({ memberID, alarm }) => ({ memberId: memberID, alarm: alarm.toUpperCase() }));
    });
  }

  readDirectory(directory: string, { signal }: CallOptions): Promise<Directory> {
    const request = { ...messages.oldestRequest(directory), limit: 0 };
    return this.#ask(directory, signal, async (metadata) => {
      const { header, kvs } = await callUnary(this.#link, signal, 'range', request, metadata);
      return { header: this.#headerFrom(header), keys: kvs.map(messages.keyValueFrom) };
    });
  }

  timeToLive(leaseId: LeaseId, { signal }: CallOptions): Promise<TimeToLiveAnswer> {
    return this.#ask(undefined, signal, async (metadata) =>
      messages.timeToLiveFrom(
        await callUnary(this.#link, signal, 'leaseTimeToLive', { ID: leaseId }, metadata),
      ),
    );
  }

  rehearse(directory: string, key: string, leaseId: LeaseId, { signal }: CallOptions): Promise<Directory> {
    const { compare, success, failure } = messages.lockRequest(directory, key, '', leaseId);
    const request = {
      // No version is below 0, so the first branch, which would write, is never taken.
      compare: [
        ...(compare ?? []),
        { key: Buffer.from(key), target: 'Version' as const, result: 'Less' as const, version: 0 },
      ],
      ...(success === undefined ? {} : { success }),
      ...(failure === undefined ? {} : { failure }),
    };
    return this.#ask(directory, signal, async (metadata) => {
      const answer = await callUnary(this.#link, signal, 'txn', request, metadata);
      if (answer.succeeded) throw new messages.StrangeAnswer('a key has a version below 0');
      const { oldest } = messages.lockAnswerFrom(answer);
      return { header: this.#headerFrom(answer.header), keys: oldest === null ? [] : [oldest] };
    });
  }

  deleteExactly(
    found: Pick<KeyValue, 'key' | 'createRevision' | 'modRevision'>,
    { signal }: CallOptions,
  ): Promise<DeleteAnswer> {
    const key = Buffer.from(found.key);
    const created = found.createRevision.toString();
    const written = found.modRevision.toString();
    const request = {
      compare: [
        { key, target: 'Create' as const, result: 'Equal' as const, create_revision: created },
        { key, target: 'Mod' as const, result: 'Equal' as const, mod_revision: written },
      ],
      success: [{ request_delete_range: { key } }],
    };
    return this.#ask(found.key, signal, async (metadata) => {
      const { header, succeeded } = await callUnary(this.#link, signal, 'txn', request, metadata);
      return { header: this.#headerFrom(header), succeeded };
    });
  }

  watchDirectory(directory: string, fromRevision: bigint, handlers: DirectoryWatchHandlers): () => void {
    let stop = (): void => undefined;
    const stopped = new AbortController();
    const end = (error: unknown): void => {
      if (stopped.signal.aborted) return;
      stopped.abort('unwanted');
      stop();
      handlers.onEnd(this.#inOurWords(error, directory));
    };
    const open = async (): Promise<void> => {
      const pass = await this.#login.pass(stopped.signal);
      if (stopped.signal.aborted) return;
      const connection = this.#link.current();
      const release = connection.hold();
      const metadata = pass.metadata.clone();
      metadata.set('hasleader', 'true');
      const stream = openStream(connection.host, 'watch', metadata);
      stop = () => {
        stream.cancel();
        release();
      };
      stream.on('data', ({ events, canceled, cancel_reason }: StreamCalls['watch']['response']) => {
        if (events.length > 0 && !stopped.signal.aborted) handlers.onChange();
        if (!canceled) return;
        this.#login.forget(pass);
        end(new EtcdError('unavailable', this.endpoint, cancel_reason));
      });
      // Also after the end: an 'error' without a handler would end the process.
      stream.on('error', (error: Error & { code?: number; details?: string }) => {
        end(new CallFailure({ code: error.code ?? 2, details: error.details ?? error.message }));
      });
      stream.on('end', () => {
        end(new EtcdError('unavailable', this.endpoint, 'the member ended the watch'));
      });
      const { key, range_end } = messages.rangeUnder(directory);
      stream.write({ create_request: { key, range_end, start_revision: fromRevision.toString() } });
    };
    open().catch(end);
    return () => {
      if (stopped.signal.aborted) return;
      stopped.abort('unwanted');
      stop();
    };
  }

  close(): void {
    this.#link.close();
  }

  async #ask<T>(
    key: string | undefined,
    signal: AbortSignal,
    send: (metadata: Metadata) => Promise<T>,
  ): Promise<T> {
    try {
      const pass = await this.#login.pass(signal);
      try {
        return await send(pass.metadata);
      } catch (error) {
        if (!this.#login.canMend(error, pass)) throw error;
        this.#login.forget(pass);
        return await send((await this.#login.pass(signal)).metadata);
      }
    } catch (error) {
      throw this.#inOurWords(error, key);
    }
  }

  /** The header, when it comes from the cluster that the configuration expects. */
  #headerFrom(header: Parameters<typeof messages.headerFrom>[0]): Header {
    const read = messages.headerFrom(header);
    const { expectedClusterId } = this.#config;
    if (expectedClusterId === undefined || read.clusterId === expectedClusterId) return read;
    throw new EtcdError(
      'wrongCluster',
      this.endpoint,
      `belongs to cluster ${read.clusterId}, want ${expectedClusterId} (expected_cluster_id)`,
      'correct hosts or expected_cluster_id',
    );
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
