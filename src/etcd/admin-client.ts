import type { Clock } from '../base/clock.ts';
import type { Config, Endpoint } from '../config/config.ts';
import { EtcdError } from '../base/errors.ts';
import { clusterIdText } from '../base/ids.ts';
import type {
  CallOptions,
  Header,
  KeyValue,
  LeaseId,
  Obstacle,
  TimeToLiveAnswer,
} from '../cluster/member.ts';
import type {
  AdminMember,
  Alarm,
  DeleteAnswer,
  Directory,
  DirectoryWatchHandlers,
  ListedMember,
  MemberStatus,
} from './admin.ts';
import { callUnary } from './call.ts';
import { EndpointCalls } from './endpoint-calls.ts';
import type { DnsCache } from '../connect/dns-cache.ts';
import type { EndpointConnector } from '../connect/endpoint-connector.ts';
import { makeConnectors } from '../connect/endpoint-connectors.ts';
import * as messages from './messages.ts';
import { isAtLeast } from './releases.ts';
import { tokenFrom, type Token } from './token.ts';
import { watchRange } from './watch.ts';

// The commands read all keys of the lock's directory, and anybody who may write there can have put large values into it.
// etcd limits a request to 1.5 MiB (--max-request-bytes).
const LARGEST_ANSWER_BYTES = 2 * 1024 * 1024;

/** One member for each of `endpoints`. None is connected yet. */
export function makeAdminMembers(
  config: Config,
  endpoints: readonly Endpoint[],
  { clock, names }: { readonly clock: Clock; readonly names: DnsCache },
): EtcdAdminMember[] {
  const defaults = { 'grpc.max_receive_message_length': LARGEST_ANSWER_BYTES };
  return makeConnectors(config, endpoints, clock, names, defaults).map(
    (connector) => new EtcdAdminMember(new EndpointCalls(connector, config), config),
  );
}

/**
 * The alarms in the errors of a status: `memberID:10276657743932975437 alarm:NOSPACE `. Go's protobuf text has one or two
 * spaces between its fields, by build.
 */
export function alarmsIn(version: string, errors: readonly string[]): readonly Alarm[] | undefined {
  if (!isAtLeast(version, '3.4.0')) return undefined;
  return errors.flatMap((text) => {
    const [, memberId, alarm] = /^memberID:([0-9]+) +alarm:([A-Z]+)/.exec(text) ?? [];
    return memberId === undefined || alarm === undefined ? [] : [{ memberId, alarm }];
  });
}

/** The quota in the answer to a status. etcd3's types do not have the field; the packed codec reads it. */
function quotaIn(answer: object): number | undefined {
  const quota = 'dbSizeQuota' in answer ? Number(answer.dbSizeQuota) : 0;
  if (quota === 0) return undefined;
  // A negative --quota-backend-bytes disables the quota (etcd, server/storage/quota.go).
  return quota < 0 ? Number.POSITIVE_INFINITY : quota;
}

/** One endpoint over the network, with the calls of the administrator's commands. */
export class EtcdAdminMember implements AdminMember {
  readonly #calls: EndpointCalls;
  readonly #connector: EndpointConnector;
  readonly #expectedClusterId: string | undefined;
  readonly #expectedBy: string;

  constructor(calls: EndpointCalls, { expectedClusterId, given }: Config) {
    this.#calls = calls;
    this.#connector = calls.connector;
    this.#expectedClusterId = expectedClusterId;
    this.#expectedBy = given.clusterId === undefined ? 'expected_cluster_id' : '--cluster-id';
  }

  get endpoint(): string {
    return this.#connector.name;
  }

  get address(): Endpoint {
    return this.#connector.endpoint;
  }

  waitsFor(): Obstacle | undefined {
    return this.#calls.waitsFor();
  }

  async logIn({ signal }: CallOptions): Promise<Token | undefined> {
    try {
      const { hasToken, metadata } = await this.#calls.login.pass(signal);
      return hasToken ? tokenFrom(metadata['token'] ?? '') : undefined;
    } catch (error) {
      throw this.#calls.toEtcdError(error, undefined);
    }
  }

  status({ signal }: CallOptions): Promise<MemberStatus> {
    return this.#calls.ask(undefined, signal, async (metadata) => {
      const answer = await callUnary(this.#connector, signal, 'status', {}, metadata);
      return {
        header: this.#headerFrom(answer.header),
        version: answer.version,
        leaderId: answer.leader,
        raftTerm: BigInt(answer.raftTerm),
        dbSizeBytes: Number(answer.dbSize),
        dbInUseBytes: Number(answer.dbSizeInUse),
        dbQuotaBytes: quotaIn(answer),
        isLearner: answer.isLearner,
        alarms: alarmsIn(answer.version, answer.errors),
      };
    });
  }

  listMembers({
    signal,
  }: CallOptions): Promise<{ readonly header: Header; readonly members: ListedMember[] }> {
    return this.#calls.ask(undefined, signal, async (metadata) => {
      const answer = await callUnary(this.#connector, signal, 'memberList', {}, metadata);
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
    return this.#calls.ask(undefined, signal, async (metadata) => {
      const { alarms } = await callUnary(this.#connector, signal, 'alarm', { action: 'Get' }, metadata);
      return alarms.map(({ memberID, alarm }) => ({ memberId: memberID, alarm: alarm.toUpperCase() }));
    });
  }

  readDirectory(directory: string, { signal }: CallOptions): Promise<Directory> {
    const request = { ...messages.oldestRequest(directory), limit: 0 };
    return this.#calls.ask(directory, signal, async (metadata) => {
      const { header, kvs } = await callUnary(this.#connector, signal, 'range', request, metadata);
      return { header: this.#headerFrom(header), keys: kvs.map(messages.keyValueFrom) };
    });
  }

  timeToLive(leaseId: LeaseId, { signal }: CallOptions): Promise<TimeToLiveAnswer> {
    return this.#calls.ask(undefined, signal, async (metadata) =>
      messages.timeToLiveFrom(
        await callUnary(this.#connector, signal, 'leaseTimeToLive', { ID: leaseId }, metadata),
      ),
    );
  }

  rehearse(directory: string, key: string, leaseId: LeaseId, { signal }: CallOptions): Promise<Directory> {
    const { compare, success, failure } = messages.putIfEmptyRequest(directory, key, '', leaseId);
    const request = {
      // No key has a version below 0. So the condition is always false, and the first branch, which writes, is never
      // carried out.
      compare: [
        ...(compare ?? []),
        { key: Buffer.from(key), target: 'Version' as const, result: 'Less' as const, version: 0 },
      ],
      ...(success === undefined ? {} : { success }),
      ...(failure === undefined ? {} : { failure }),
    };
    return this.#calls.ask(directory, signal, async (metadata) => {
      const answer = await callUnary(this.#connector, signal, 'txn', request, metadata);
      if (answer.succeeded) throw new messages.StrangeAnswer('a key has a version below 0');
      const { oldest } = messages.putIfEmptyAnswerFrom(answer);
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
    return this.#calls.ask(found.key, signal, async (metadata) => {
      const { header, succeeded } = await callUnary(this.#connector, signal, 'txn', request, metadata);
      return { header: this.#headerFrom(header), succeeded };
    });
  }

  watchDirectory(directory: string, fromRevision: bigint, handlers: DirectoryWatchHandlers): () => void {
    const { key, range_end } = messages.rangeUnder(directory);
    return watchRange(this.#calls, { key, range_end }, fromRevision, {
      onDelete: handlers.onChange,
      onPut: handlers.onChange,
      onEnd: (error) => {
        handlers.onEnd(this.#calls.toEtcdError(error, directory));
      },
    });
  }

  close(): void {
    this.#connector.close();
  }

  /** The header, checked against the cluster that the configuration expects. */
  #headerFrom(header: Parameters<typeof messages.headerFrom>[0]): Header {
    const read = messages.headerFrom(header);
    const expected = this.#expectedClusterId;
    if (expected === undefined || read.clusterId === expected) return read;
    throw new EtcdError(
      'wrongCluster',
      this.endpoint,
      `belongs to etcd cluster ${clusterIdText(read.clusterId)}, and ${this.#expectedBy} is ${clusterIdText(expected)}`,
      `correct hosts or ${this.#expectedBy}`,
    );
  }
}
