import { sleepUntil, whenAborted, type Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Members } from '../cluster/members.ts';
import type { HeldKey } from './renewal.ts';

// A broken watch costs nothing, so there is no hurry; but etcd must not be flooded with new ones.
const REOPEN_MS = 500;

/** What the watch needs to know of the renewals, and may ask of them. */
interface Proofs {
  readonly provenRevision: bigint;
  renewNow(): void;
}

/**
 * Resolves when etcd reports that our key was deleted; the silence of a watch proves nothing. Each watch starts after a
 * revision in which the key is known to have been there, so that no deletion falls between two of them; the key's name is
 * ours alone, so that any deletion is the loss. A watch that breaks, or whose member is not the one that answers any more,
 * is opened anew where answers come from. Somebody else's write to the key brings the next renewal forward.
 */
export async function watchForLoss(
  held: Pick<HeldKey, 'key'>,
  proofs: Proofs,
  tools: { readonly members: Members; readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const { members, clock, log } = tools;
  while (!signal.aborted) {
    const member = members.preferred;
    const ended = new AbortController();
    const finish = (): void => {
      ended.abort('over');
    };
    signal.addEventListener('abort', finish);
    const seen = { deleted: false };
    const stop = member.watch(held.key, proofs.provenRevision + 1n, {
      onDelete: () => {
        seen.deleted = true;
        finish();
      },
      onPut: () => {
        proofs.renewNow();
      },
      onEnd: (reason) => {
        log.detail('info-watch', () => `Watch on ${member.endpoint} ended: ${reason}`);
        finish();
      },
    });
    // Another member answers our questions now.
    const stopLooking = members.onMove(finish);
    await whenAborted(ended.signal);
    stopLooking();
    stop();
    signal.removeEventListener('abort', finish);
    if (seen.deleted) return;
    await sleepUntil(clock, clock.now() + REOPEN_MS, signal);
  }
}
