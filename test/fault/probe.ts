import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../support/mutex-parent.ts';
import type { Gateway } from './gateway.ts';
import type { History } from './history.ts';

const PROBE_EVERY_MS = 200;
const PROBE_LIMIT_MS = 1_000;

/** Notes when etcd as a whole answers, by linearizable reads from where no fault reaches, until `signal` is aborted. */
export async function probe(gateway: Gateway, history: History, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const fromMs = monotonicMs();
    try {
      await gateway.revision(PROBE_LIMIT_MS);
      history.answered.push({ fromMs, toMs: monotonicMs() });
    } catch {
      // No answer is what is looked for.
    }
    await delay(PROBE_EVERY_MS);
  }
}
