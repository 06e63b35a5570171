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
 * Reports the endpoints behind which a proxy answers, by the tests of the helper. Wherever a proxy is in the list, the
 * helper can answer `3`: when the proxy answers before the members, when it spreads its calls, or when it hides the
 * lock's key behind a namespace. A reader cannot see a namespace, so each proxy is a problem.
 * @param members those that answer, in the order of the configuration
 * @returns true when a proxy is the first of them, so that the lock cannot be tried
 */
export async function checkProxies(
  members: readonly Member[],
  context: CommandContext,
  report: CheckReport,
): Promise<boolean> {
  const found = await Promise.all(members.map((member) => proxyAt(member, context)));
  for (const error of found) {
    if (error === undefined) continue;
    const { id, endpoint, message, remedy = '' } = error;
    report.add({
      verdict: 'problem',
      area: 'connect',
      id,
      endpoint,
      text: message,
      remedy,
    });
  }
  return found[0] !== undefined;
}
