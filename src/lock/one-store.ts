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
 * True when `found` is the key that the lock's transaction put. A copy of a store shows such a key with another lease
 * or create revision. Two new stores that both got the transaction can agree in both, but not in the value, which
 * contains the endpoint. The value is compared only while no client has written to the key.
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
    `is another store${here} than ${home.endpoint} (${identityText(home)}), which has the key of the lock`,
    ONE_CLUSTER,
  );
}

/** For an endpoint that was read without the key and whose log then did not answer. */
export function unclearStore(endpoint: string, home: Home): EtcdError {
  const what = `does not show the key of the lock, and then did not answer, so it may be another store than ${home.endpoint}`;
  return new EtcdError('otherStore', endpoint, what, ONE_CLUSTER);
}

/** For a member that does not show its member list while no other endpoint confirms the key. */
export function unknownMembers(home: Home, silent: readonly string[]): EtcdError {
  const what = `does not show its member list, and ${silent.join(', ')} did not answer, so they may be of another cluster`;
  return new EtcdError('otherStore', home.endpoint, what, ONE_CLUSTER);
}

/** What an endpoint shows of the held key. */
export type StoreAnswer =
  | { readonly isSame: true; readonly header: Header }
  /** The store behind the endpoint does not have the key. */
  | { readonly isSame: false; readonly error: EtcdError };

/**
 * Asks `member` for the held key. When the key is missing there, the endpoint leads to another store, unless the key
 * has been changed in the meantime; `isAtHome` shows that. Rejects with `EtcdError` when the member does not answer.
 *
 * A read without the key may come from an old state (etcd #20418), so it is repeated through the raft log.
 * @param onMissing called when the read was answered without the key, before the log is asked
 */
export async function askStore(
  member: Member,
  call: CallOptions,
  held: HeldKey,
  onMissing: () => void = () => undefined,
): Promise<StoreAnswer> {
  try {
    const { header, oldest } = await member.readKey(held.key, call);
    if (isHeld(oldest, held)) return { isSame: true, header };
    onMissing();
  } catch (error) {
    // The member shows an old revision or raft term. An answer through the log shows whether it belongs to another store.
    if (!(error instanceof EtcdError && (error.kind === 'stale' || error.kind === 'lagging'))) throw error;
  }
  try {
    const { header, found } = await member.confirmKey(held.key, held.createRevision, call);
    if (isHeld(found, held)) return { isSame: true, header };
    return { isSame: false, error: otherStore(member.endpoint, header, held.home) };
  } catch (error) {
    if (!(error instanceof EtcdError && error.kind === 'stale')) throw error;
    // An answer through the log of one store is never older than what that store has shown before.
    return { isSame: false, error: otherStore(member.endpoint, undefined, held.home) };
  }
}

/**
 * False when the key is no longer where it was put, or no longer as it was put. A member without an answer does not
 * lead to false.
 */
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

/** A random lease ID that no lease has, derived from `leaseId`. */
function unknownLease(leaseId: LeaseId): LeaseId {
  return (BigInt(leaseId) ^ (1n << 61n)).toString() as LeaseId;
}

/**
 * Finds etcd's grpc-proxy by answers that etcd never gives: a member list of its own without a header, and a TTL below
 * 0 for a lease that does not exist. Resolves with the member list, or undefined when it could not be read. Rejects
 * only with `EtcdError` of kind `proxy` or `otherStore`.
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

/**
 * Resolves to undefined when a failure says nothing about the store behind the endpoint. `onFailure` is then called
 * with it.
 */
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

// An IP address with its port, as in a member's URLs and in `hosts`.
const IP_ADDRESS = /^(\d+(\.\d+){3}|\[[\da-f:.]+\]):\d+$/i;

/**
 * Checks whether all configured endpoints can belong to the cluster behind `home`, by its member list. Needed only when
 * no other member has confirmed the lock's key: the silent endpoints may then belong to another store, which another
 * node would use.
 * @param endpoints all configured endpoints, as `host:port`
 * @param silent the endpoints that did not confirm the key
 * @throws {EtcdError} of kind `otherStore` when they cannot
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
  const without = `did not answer, and cannot be a member of the cluster of ${home.endpoint}`;
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
