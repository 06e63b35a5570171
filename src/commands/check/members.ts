import type { CheckReport } from './report.ts';
import type { SeenEndpoint } from './endpoint-look.ts';
import { limited } from './time.ts';
import type { CommandContext } from '../context.ts';
import type { Config } from '../../config/config.ts';
import { EtcdError } from '../../base/errors.ts';
import type { ListedMember } from '../../etcd/admin.ts';

/** An ID in hex, as etcdctl shows it. */
export function hex(id: string): string {
  return BigInt(id).toString(16);
}

/** Compares the endpoints with the member list of the cluster. */
export async function checkMembership(
  config: Config,
  seen: readonly SeenEndpoint[],
  answered: readonly SeenEndpoint[],
  { clock }: CommandContext,
  report: CheckReport,
): Promise<void> {
  const listed = await firstOf(answered, (one) => limited(clock, (call) => one.member.listMembers(call)));
  if (listed instanceof EtcdError) {
    report.note('members-unseen', unread('its members', listed));
    return;
  }
  const known = new Map(answered.map(({ member, header }) => [header?.memberId, member.endpoint]));
  for (const { member, header } of answered) {
    if (header === undefined) continue;
    const { memberId } = header;
    const twin = known.get(memberId);
    if (twin !== member.endpoint)
      report.note('members-twin', `leads to the same member as ${twin ?? ''}`, member.endpoint);
    if (listed.members.some(({ id }) => id === memberId)) continue;
    report.problem(
      'members-stranger',
      'is not a member of this cluster',
      'remove it from hosts',
      member.endpoint,
    );
  }
  const isComplete = seen.every(({ header }) => header !== undefined);
  const missing = listed.members.filter(({ id, isLearner }) => !known.has(id) && !isLearner);
  for (const member of isComplete && config.srvDomain === undefined ? missing : []) {
    const remedy = `add ${addressesOf(member)} to hosts, so that the lock survives a failure of the others`;
    report.warning('members-missing', `member ${nameOf(member)} is not in hosts`, remedy);
  }
  const votes = listed.members.filter(({ isLearner }) => !isLearner).length;
  const spare = Math.floor((votes - 1) / 2);
  const text = `${votes} voting member${votes === 1 ? '' : 's'}: the lock survives the loss of ${spare}`;
  if (spare === 0) report.warning('members-few', text, 'run etcd with 3 members');
  else report.ok('members-ok', text);
  if (!config.useOtherMembers) {
    report.warning(
      'members-one',
      'allow_reconnect is no, so only the first host is used',
      'remove allow_reconnect',
    );
  }
}

/** Says why something could not be read, for a note. */
export function unread(what: string, { kind, message }: EtcdError): string {
  return kind === 'permission'
    ? `etcd shows ${what} only to its administrators`
    : `etcd did not show ${what}: ${message}`;
}

function nameOf({ name, clientUrls, id }: ListedMember): string {
  return `${name === '' ? hex(id) : name} (${clientUrls.join(' ') || 'never started'})`;
}

/** The client addresses of a member, in the form that `hosts` takes. */
function addressesOf({ clientUrls }: ListedMember): string {
  return clientUrls.map((url) => url.replace(/^https?:\/\//, '')).join(' or ') || 'its address';
}

/**
 * The answer of the first member that gives one.
 * @throws the error of the last member when none does
 */
export async function firstOf<T>(
  answered: readonly SeenEndpoint[],
  ask: (one: SeenEndpoint) => Promise<T>,
): Promise<T | EtcdError> {
  let failure = new EtcdError('unavailable', '', 'no member was asked');
  for (const one of answered) {
    try {
      return await ask(one);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      failure = error;
    }
  }
  return failure;
}
