import { sleepUntil, whenAborted, type Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Members } from '../cluster/members.ts';
import type { HeldKey } from './renewal.ts';

// A broken watch does no harm, and etcd must not be flooded with new ones.
const REOPEN_MS = 500;

/** The part of the renewals that the watch uses. */
interface Proofs {
  readonly provenRevision: bigint;
  renewNow(): void;
}

/**
 * Resolves when etcd reports that the key was deleted.
 *
 * - A silent watch proves nothing.
 * - Each watch starts after a revision in which the key is known to have existed, so no deletion is missed between
 *   two watches.
 * - The name of the key is unique to this helper, so any deletion means that the lock is lost.
 * - The watch is opened again when it breaks, or when another member becomes the preferred one.
 * - A write to the key by another client makes the next renewal come at once.
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
    // Another member is the preferred one now, so the watch moves to it.
    const stopLooking = members.onMove(finish);
    await whenAborted(ended.signal);
    stopLooking();
    stop();
    signal.removeEventListener('abort', finish);
    if (seen.deleted) return;
    await sleepUntil(clock, clock.now() + REOPEN_MS, signal);
  }
}
