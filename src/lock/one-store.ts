import { EtcdError } from '../base/errors.ts';
import { clusterIdText } from '../base/ids.ts';
import type { CallOptions, Header, KeyValue, LeaseId, Member, MemberList } from '../cluster/member.ts';
import type { Members } from '../cluster/members.ts';
import { grpcProxy, ONE_CLUSTER } from '../cluster/refusals.ts';
import type { HeldKey, Home } from './renewal.ts';

/** Cluster ID and member ID in hex, as etcd's logs show them. */
export function identityText({ clusterId, memberId }: Pick<Header, 'clusterId' | 'memberId'>): string {
  return `cluster ${clusterIdText(clusterId)}, member ${clusterIdText(memberId)}`;
}

/**
 * Whether `found` is the very key that the lock's transaction put. Copies of a store show such a key under another lease or create
 * revision. Two new stores that were both sent the transaction can agree on both, but not on the value, which names the endpoint;
 * it is compared as long as nobody has written to the key.
 */
function isHeld(found: KeyValue | null, held: HeldKey): boolean {
  if (found?.leaseId !== held.leaseId || found.createRevision !== held.createRevision) return false;
  return found.modRevision !== found.createRevision || found.value === held.value;
}

function otherStore(endpoint: string, header: Header | undefined, home: Home): EtcdError {
  const here = header === undefined ? '' : ` (${identityText(header)})`;
  return new EtcdError(
    'otherStore',
    endpoint,
    `is another store${here} than ${home.endpoint} (${identityText(home)}), where the lock's key is`,
    ONE_CLUSTER,
  );
}

/** What an endpoint shows of the key that is held. */
export type StoreAnswer =
  | { readonly isSame: true; readonly header: Header }
  /** The log behind the endpoint does not have it. */
  | { readonly isSame: false; readonly error: EtcdError };

/**
 * Asks `member` for the key that is held. Where it is not, the endpoint leads to another store, unless the key has been changed in the
 * meantime, which `isAtHome` tells. Rejects with `EtcdError` when the member does not say.
 *
 * A read that does not find the key may have been answered from an old state (etcd #20418), so it is asked for again through the log.
 */
export async function askStore(member: Member, call: CallOptions, held: HeldKey): Promise<StoreAnswer> {
  try {
    const { header, oldest } = await member.readKey(held.key, call);
    if (isHeld(oldest, held)) return { isSame: true, header };
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === 'stale')) throw error;
  }
  try {
    const { header, found } = await member.confirmKey(held.key, held.createRevision, call);
    if (isHeld(found, held)) return { isSame: true, header };
    return { isSame: false, error: otherStore(member.endpoint, header, held.home) };
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === 'stale')) throw error;
    // Nothing that goes through the log of one store can be older than what that store has shown before.
    return { isSame: false, error: otherStore(member.endpoint, undefined, held.home) };
  }
}

/** False when the key is not any more where it was put, as it was put; silence is no such answer. */
export async function isAtHome(members: Members, call: CallOptions, held: HeldKey): Promise<boolean> {
  const home = members.all.find(({ endpoint }) => endpoint === held.home.endpoint);
  try {
    return (
      home === undefined || isHeld((await home.confirmKey(held.key, held.createRevision, call)).found, held)
    );
  } catch (error) {
    if (error instanceof EtcdError) return true;
    throw error;
  }
}

/** A lease that nobody has: the ID is as random as that of `leaseId`. */
function unknownLease(leaseId: LeaseId): LeaseId {
  return (BigInt(leaseId) ^ (1n << 61n)).toString() as LeaseId;
}

/**
 * Looks for etcd's grpc-proxy at the endpoint, by what it answers and etcd never does: a member list of its own, without a header, and
 * a TTL below 0 for a lease that does not exist. Resolves with the member list, or undefined when there was none to be had. Rejects with
 * `EtcdError` of kind `proxy` or `otherStore`, and with nothing else.
 */
export async function inspectEndpoint(
  member: Member,
  call: CallOptions,
  leaseId: LeaseId,
): Promise<MemberList | undefined> {
  const [list, renewed] = await Promise.all([
    ifDecisive(member.listMembers(call)),
    ifDecisive(member.keepAlive(unknownLease(leaseId), call)),
  ]);
  const isMadeUp = list !== undefined && (list.header === null || list.members.some(({ id }) => id === '0'));
  if (isMadeUp || (renewed !== undefined && renewed.ttlMs < 0)) throw grpcProxy(member.endpoint);
  return list;
}

/** Undefined in place of a failure that says nothing about what is behind the endpoint; `onFailure` is told of it. */
export async function ifDecisive<T>(
  answer: Promise<T>,
  onFailure: (error: EtcdError) => void = () => undefined,
): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    const isDecisive = !(error instanceof EtcdError) || error.kind === 'proxy' || error.kind === 'otherStore';
    if (isDecisive) throw error;
    onFailure(error);
    return undefined;
  }
}

// As an IP address is written in a member's URLs and in `hosts`, port included.
const IP_ADDRESS = /^(\d+(\.\d+){3}|\[[\da-f:.]+\]):\d+$/i;

/**
 * Whether the cluster behind `home`, going by its member list, can have all the configured endpoints. Asked only when no other member has
 * confirmed the lock's key: then those that were silent may belong to another store, which another node would use.
 *
 * @param endpoints all that are configured, as `host:port`
 * @param silent those of them that did not confirm the key
 * @throws {EtcdError} of kind `otherStore` when it cannot
 */
export function requireFit(
  home: Home,
  list: MemberList,
  endpoints: readonly string[],
  silent: readonly string[],
): void {
  const addresses = list.members.flatMap(({ clientUrls }) =>
    clientUrls.length === 0 ? [''] : clientUrls.map((url) => (URL.canParse(url) ? new URL(url).host : url)),
  );
  const without = `did not answer, and cannot be of the cluster of ${home.endpoint}`;
  if (endpoints.length > addresses.length) {
    const what = `${silent.join(', ')} ${without}: the configuration names more endpoints (${endpoints.length}) than its members have (${addresses.length})`;
    throw new EtcdError('otherStore', home.endpoint, what, ONE_CLUSTER);
  }
  const areComparable =
    addresses.every((address) => IP_ADDRESS.test(address)) && addresses.includes(home.endpoint);
  const foreign = silent.filter((endpoint) => IP_ADDRESS.test(endpoint) && !addresses.includes(endpoint));
  if (areComparable && foreign.length > 0) {
    const what = `${foreign.join(', ')} ${without}, whose members have other addresses: ${addresses.join(', ')}`;
    throw new EtcdError('otherStore', home.endpoint, what, ONE_CLUSTER);
  }
}
