import { EtcdError } from '../../base/errors.ts';
import { ClusterGuard } from '../../cluster/cluster-guard.ts';
import type { Member } from '../../cluster/member.ts';
import { newLeaseId } from '../../lock/lease-id.ts';
import { inspectEndpoint } from '../../lock/one-store.ts';
import type { CommandContext } from '../context.ts';
import type { CheckReport } from './report.ts';
import { limited } from './time.ts';

// A balancer that takes turns shows its second member at the second question. The others are for one that chooses at
// random.
const QUESTIONS = 4;

/** The error of kind `proxy` when something answers there that is not one member; undefined otherwise. */
async function proxyAt(member: Member, { clock }: CommandContext): Promise<EtcdError | undefined> {
  const guarded = new ClusterGuard(undefined).guard(member);
  const leaseId = newLeaseId();
  try {
    await limited(clock, (call) => inspectEndpoint(guarded, call, leaseId));
    for (let count = 0; count < QUESTIONS; count += 1) {
      await limited(clock, (call) => guarded.keepAlive(leaseId, call));
    }
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return error.kind === 'proxy' ? error : undefined;
  }
  return undefined;
}

/**
 * Reports the endpoints behind which a proxy answers, by the tests of the helper. The helper refuses the lock when its
 * first endpoint is one, and does not use the others.
 * @param members those that answer, in the order of the configuration
 * @returns true when the helper refuses the lock
 */
export async function checkProxies(
  members: readonly Member[],
  context: CommandContext,
  report: CheckReport,
): Promise<boolean> {
  const found = await Promise.all(members.map((member) => proxyAt(member, context)));
  for (const [index, error] of found.entries()) {
    if (error === undefined) continue;
    const { id, endpoint, message, remedy = '' } = error;
    report.add({
      verdict: index === 0 ? 'problem' : 'warning',
      area: 'connect',
      id,
      endpoint,
      text: message,
      remedy,
    });
  }
  return found[0] !== undefined;
}
