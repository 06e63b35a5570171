import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdCluster, EtcdMember } from '../support/etcd-cluster.ts';
import { monotonicMs } from '../support/mutex-parent.ts';
import { waitFor } from '../support/wait.ts';

/** JSON as etcd's HTTP gateway writes it: 64-bit numbers are strings, what is zero or empty is left out. */
type Json = { readonly [name: string]: Json | undefined } & { readonly [index: number]: Json } & string;

/** One change of a key, as one member told it. */
export interface KeyChange {
  readonly kind: 'put' | 'delete';
  readonly key: string;
  readonly value: string;
  readonly revision: number;
  /** When we heard of it, on the machine's monotonic clock. */
  readonly atMs: number;
}

export interface MemberStatus {
  readonly memberId: string;
  /** '0' when the member knows no leader. */
  readonly leaderId: string;
  readonly raftTerm: number;
  readonly revision: string;
  /** The index of the last raft entry. */
  readonly raftIndex: number;
}

// So many puts under way share one write to the log's disk.
const WRITERS = 64;

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const fromBase64 = (text: string | undefined): string => Buffer.from(text ?? '', 'base64').toString();

/** The end of all keys that start with `prefix`. */
const prefixEnd = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

/** The administrator's way to etcd, by HTTP from the test process, which no fault cuts off. */
export class Gateway {
  readonly #members: readonly EtcdMember[];

  constructor(cluster: EtcdCluster) {
    this.#members = cluster.members;
  }

  /** One call to one member; rejects on any error and after `limitMs`. */
  async call(member: EtcdMember, path: string, body: object, limitMs = 3_000): Promise<Json> {
    const response = await fetch(`http://${member.endpoint}/v3/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(limitMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} on ${member.name}: ${text}`);
    return JSON.parse(text) as Json;
  }

  /** Asks all members; the first good answer wins. Only for calls that can be made several times. */
  async any(path: string, body: object, limitMs = 3_000): Promise<Json> {
    try {
      return await Promise.any(this.#members.map((member) => this.call(member, path, body, limitMs)));
    } catch (error) {
      if (error instanceof AggregateError) throw new Error(String(error.errors[0]), { cause: error });
      throw error;
    }
  }

  async status(member: EtcdMember, limitMs = 800): Promise<MemberStatus> {
    const answer = await this.call(member, 'maintenance/status', {}, limitMs);
    return {
      memberId: answer['header']?.['member_id'] ?? '0',
      leaderId: answer['leader'] ?? '0',
      raftTerm: Number(answer['raftTerm'] ?? answer['raft_term'] ?? 0),
      revision: answer['header']?.['revision'] ?? '0',
      raftIndex: Number(answer['raftIndex'] ?? answer['raft_index'] ?? 0),
    };
  }

  /**
   * The index of the raft leader, as those say who know one, and of these the one of the highest term: a member that campaigns
   * in vain has a higher term and no leader. Undefined while there is none.
   */
  async leaderIndex(): Promise<number | undefined> {
    const said = await Promise.allSettled(this.#members.map((member) => this.status(member)));
    const known = said.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
    const [best] = known
      .filter((status) => status !== undefined && status.leaderId !== '0')
      .sort((one, other) => (other?.raftTerm ?? 0) - (one?.raftTerm ?? 0));
    if (best === undefined) return undefined;
    const index = known.findIndex((status) => status?.memberId === best.leaderId);
    return index === -1 ? undefined : index;
  }

  /** Makes a member raft leader. */
  async moveLeader(toIndex: number): Promise<void> {
    for (let tries = 0; tries < 20; tries += 1) {
      const from = await this.leaderIndex();
      if (from === toIndex) return;
      const [leader, target] = [this.#members[from ?? -1], this.#members[toIndex]];
      if (leader === undefined || target === undefined) continue;
      const { memberId } = await this.status(target);
      await this.call(leader, 'maintenance/transfer-leadership', { targetID: memberId }).catch(
        () => undefined,
      );
    }
    throw new Error(`Cannot make member ${toIndex} raft leader`);
  }

  /** The keys in a directory and the lease of each, in lower-case hex. */
  async keys(directory: string): Promise<{ key: string; leaseHex: string; value: string }[]> {
    const answer = await this.any('kv/range', {
      key: base64(directory),
      range_end: base64(prefixEnd(directory)),
    });
    return list(answer['kvs']).map((kv) => ({
      key: fromBase64(kv['key']),
      value: fromBase64(kv['value']),
      leaseHex: BigInt(kv['lease'] ?? '0').toString(16),
    }));
  }

  /**
   * All leases, in lower-case hex, by the raft leader's list: each member answers this from what it has applied itself, and
   * one that was cut off can be behind for half a minute after that. Waits for a leader.
   */
  async leases(): Promise<string[]> {
    const leader = await waitFor('a member of etcd leads', async () => {
      const index = await this.leaderIndex();
      return index === undefined ? undefined : this.#members[index];
    });
    const answer = await this.call(leader, 'lease/leases', {});
    return list(answer['leases']).map((lease) => BigInt(lease['ID'] ?? '0').toString(16));
  }

  async deleteKey(key: string): Promise<void> {
    await this.any('kv/deleterange', { key: base64(key) });
  }

  async revokeLease(leaseHex: string): Promise<void> {
    await this.any('lease/revoke', { ID: BigInt(`0x${leaseHex}`).toString() }).catch((error: unknown) => {
      if (!String(error).includes('not found')) throw error;
    });
  }

  /** Writes this many entries into the log through these members, side by side; resolves when all are committed. */
  async writeEntries(members: readonly EtcdMember[], count: number): Promise<void> {
    let left = count;
    const write = async (index: number): Promise<void> => {
      const member = members[index % members.length];
      while (left > 0 && member !== undefined) {
        left -= 1;
        await this.call(member, 'kv/put', { key: base64(`/other/${index}`), value: base64('x') }, 10_000);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, index) => write(index)));
  }

  async put(key: string, value: string): Promise<void> {
    await this.any('kv/put', { key: base64(key), value: base64(value) });
  }

  /** The cluster's revision, by a linearizable read. */
  async revision(limitMs?: number): Promise<string> {
    return (await this.any('kv/range', { key: base64('x') }, limitMs))['header']?.['revision'] ?? '0';
  }

  async compact(revision: string): Promise<void> {
    await this.any('kv/compaction', { revision, physical: true }, 10_000).catch((error: unknown) => {
      if (!String(error).includes('compacted')) throw error;
    });
  }

  /** Every member's file is written anew, one after the other, as an administrator would. */
  async defragment(): Promise<void> {
    for (const member of this.#members) await this.call(member, 'maintenance/defragment', {}, 20_000);
  }

  /** True while some member has raised NOSPACE. */
  async hasAlarm(): Promise<boolean> {
    return list((await this.any('maintenance/alarm', {}))['alarms']).length > 0;
  }

  async disarm(): Promise<void> {
    for (const alarm of list((await this.any('maintenance/alarm', {}))['alarms'])) {
      await this.any('maintenance/alarm', {
        action: 'DEACTIVATE',
        memberID: alarm['memberID'],
        alarm: alarm['alarm'],
      });
    }
  }

  /**
   * Reports each change in a directory from now on as one member tells it, again and again from where it ended, until
   * `signal` is aborted.
   */
  async watch(
    member: EtcdMember,
    directory: string,
    onChange: (change: KeyChange) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let next = 1;
    while (!signal.aborted) {
      try {
        const response = await fetch(`http://${member.endpoint}/v3/watch`, {
          method: 'POST',
          body: JSON.stringify({
            create_request: {
              key: base64(directory),
              range_end: base64(prefixEnd(directory)),
              start_revision: String(next),
            },
          }),
          signal,
        });
        for await (const line of linesOf(response)) {
          const atMs = monotonicMs();
          const result = (JSON.parse(line) as Json)['result'];
          const compacted = Number(result?.['compact_revision'] ?? 0);
          if (compacted > 0) next = compacted;
          if (result?.['canceled'] !== undefined) break;
          for (const event of list(result?.['events'])) {
            const revision = Number(event['kv']?.['mod_revision'] ?? 0);
            next = Math.max(next, revision + 1);
            onChange({
              kind: event['type'] === 'DELETE' ? 'delete' : 'put',
              key: fromBase64(event['kv']?.['key']),
              value: fromBase64(event['kv']?.['value']),
              revision,
              atMs,
            });
          }
        }
      } catch {
        // The member is dead, frozen or without a leader: it is asked again.
      }
      await delay(100);
    }
  }
}

function list(json: Json | undefined): readonly Json[] {
  return (json ?? []) as readonly Json[];
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
}
