import { EtcdError } from '../base/errors.ts';
import { clusterIdText } from '../base/ids.ts';
import type { CallOptions, ConnectionId, Header, Member } from './member.ts';
import { ONE_CLUSTER, spreadCalls } from './refusals.ts';

/** The raft term and the revision that a member, or the cluster, has reached. */
interface Progress {
  readonly raftTerm: bigint;
  readonly revision: bigint;
}

/**
 * How an answer was made. `log`: by an entry of the raft log. `read`: by a linearizable read. `alone`: by one member,
 * without a quorum.
 */
type Origin = 'log' | 'read' | 'alone';

/**
 * True when the store behind an answer has gone back. Only the revision shows that. A member that catches up by a raft
 * snapshot goes on showing an old raft term until it applies the next entry (etcd, applySnapshot).
 */
function isBehind(header: Header, progress: Progress | undefined): boolean {
  return progress !== undefined && header.revision < progress.revision;
}

/**
 * True when a deposed leader may have given an answer that no entry of the log made (etcd #20418). For an entry the
 * term says nothing: its member shows the new term only after the answer (etcd, server.go, apply).
 */
function isOfEarlierTerm(header: Header, progress: Progress | undefined, origin: Origin): boolean {
  return origin !== 'log' && progress !== undefined && header.raftTerm < progress.raftTerm;
}

/** The later of both values. The same object when the answer is no later. */
function advanced(progress: Progress | undefined, { raftTerm, revision }: Header): Progress {
  if (progress === undefined) return { raftTerm, revision };
  if (raftTerm <= progress.raftTerm && revision <= progress.revision) return progress;
  return {
    raftTerm: raftTerm > progress.raftTerm ? raftTerm : progress.raftTerm,
    revision: revision > progress.revision ? revision : progress.revision,
  };
}

/**
 * Checks the header of each answer. It refuses the answer of a member that belongs to another cluster, or that is
 * behind what was seen before: restored from a backup, cut off, or still replaying its log. The proof of a renewal does
 * not need this check.
 *
 * An answer is compared with what had been seen when its request was sent. Two answers can overtake each other in the
 * network, which does not make either of them stale.
 */
export class ClusterGuard {
  /** By member ID. Each change makes a new map, so that a call keeps the map of the time when it was sent. */
  #progressOf: ReadonlyMap<string, Progress> = new Map();
  /** The latest answer that a quorum confirmed. No later answer of this kind may be behind it. */
  #agreed: Progress = { raftTerm: 0n, revision: 0n };
  #clusterId: string | undefined;
  /** The key or option that set the expected cluster ID. Undefined when the first answer set it. */
  readonly #expectedBy: string | undefined;
  /** The endpoint whose answer set the expected cluster ID. */
  #firstEndpoint = '';

  /**
   * @param expectedClusterId decimal uint64; without it the first answer sets the expected ID
   * @param expectedBy the key or option that gives it, for messages
   */
  constructor(expectedClusterId: string | undefined, expectedBy = 'expected_cluster_id') {
    this.#clusterId = expectedClusterId;
    this.#expectedBy = expectedClusterId === undefined ? undefined : expectedBy;
  }

  /**
   * Returns the same member with a check of each answer. A refused answer rejects with kind `stale`, `lagging`,
   * `proxy` or `otherStore`, or with `wrongCluster` when the configuration gives the cluster ID.
   */
  guard(member: Member): Member {
    /** The last answer that named its connection, and the member that gave it. */
    let lastAnswer: { readonly connection: ConnectionId; readonly memberId: string } | undefined;
    const checked = async <T extends { readonly header: Header; readonly connection?: ConnectionId }>(
      origin: Origin,
      send: () => Promise<T>,
    ): Promise<T> => {
      const agreedAtSend = this.#agreed;
      const seenAtSend = this.#progressOf;
      const answer = await send();
      const { header, connection } = answer;
      this.#checkCluster(member.endpoint, header);
      if (connection !== undefined) {
        const { memberId } = header;
        if (memberId === '0') throw spreadCalls(member.endpoint);
        if (lastAnswer?.connection === connection && lastAnswer.memberId !== memberId)
          throw spreadCalls(member.endpoint);
        lastAnswer = { connection, memberId };
      }
      const seen = seenAtSend.get(header.memberId);
      this.#check(member.endpoint, header, origin, seen, origin === 'alone' ? undefined : agreedAtSend);
      return answer;
    };
    return {
      get endpoint() {
        return member.endpoint;
      },
      grant: (leaseId, ttlMs, call) => checked('log', () => member.grant(leaseId, ttlMs, call)),
      revoke: (leaseId, call) => checked('log', () => member.revoke(leaseId, call)),
      keepAlive: (leaseId, call) => checked('alone', () => member.keepAlive(leaseId, call)),
      timeToLive: (leaseId, call) => checked('alone', () => member.timeToLive(leaseId, call)),
      confirmKey: (key, createRevision, call) =>
        checked('log', () => member.confirmKey(key, createRevision, call)),
      readKey: (key, call) => checked('read', () => member.readKey(key, call)),
      readOldest: (directory, call) => checked('read', () => member.readOldest(directory, call)),
      putIfEmpty: (directory: string, key: string, value: string, leaseId, call: CallOptions) =>
        checked('log', () => member.putIfEmpty(directory, key, value, leaseId, call)),
      updateValue: (key, value, createRevision, call) =>
        checked('log', () => member.updateValue(key, value, createRevision, call)),
      watch: (key, fromRevision, handlers) => member.watch(key, fromRevision, handlers),
      waitsFor: () => member.waitsFor?.(),
      listMembers: async (call) => {
        const list = await member.listMembers(call);
        if (list.header !== null) this.#checkCluster(member.endpoint, list.header);
        return list;
      },
      connect: () => {
        member.connect();
      },
      close: () => {
        member.close();
      },
    };
  }

  #checkCluster(endpoint: string, { clusterId }: Header): void {
    if (this.#clusterId === undefined) {
      this.#clusterId = clusterId;
      this.#firstEndpoint = endpoint;
    }
    if (clusterId === this.#clusterId) return;
    const what = `belongs to etcd cluster ${clusterIdText(clusterId)}`;
    const other = clusterIdText(this.#clusterId);
    if (this.#expectedBy !== undefined) {
      const remedy = `correct hosts or ${this.#expectedBy}`;
      throw new EtcdError('wrongCluster', endpoint, `${what}, and ${this.#expectedBy} is ${other}`, remedy);
    }
    throw new EtcdError(
      'otherStore',
      endpoint,
      `${what}, and ${this.#firstEndpoint} to ${other}`,
      ONE_CLUSTER,
    );
  }

  #check(
    endpoint: string,
    header: Header,
    origin: Origin,
    seenAtSend: Progress | undefined,
    agreedAtSend: Progress | undefined,
  ): void {
    if (isBehind(header, seenAtSend))
      throw new EtcdError('stale', endpoint, `its revision went back to ${header.revision.toString()}`);
    if (isBehind(header, agreedAtSend)) {
      const what = `is behind the cluster: its revision is ${header.revision.toString()}`;
      throw new EtcdError('stale', endpoint, what);
    }
    for (const progress of [seenAtSend, agreedAtSend]) {
      if (!isOfEarlierTerm(header, progress, origin)) continue;
      const what = `shows raft term ${header.raftTerm.toString()} after ${progress?.raftTerm.toString() ?? ''}: it has not caught up yet`;
      throw new EtcdError('lagging', endpoint, what);
    }
    const before = this.#progressOf.get(header.memberId);
    const after = advanced(before, header);
    if (after !== before) this.#progressOf = new Map(this.#progressOf).set(header.memberId, after);
    if (agreedAtSend !== undefined) this.#agreed = advanced(this.#agreed, header);
  }
}
