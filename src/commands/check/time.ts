import type { Clock } from '../../base/clock.ts';
import type { CallOptions } from '../../cluster/member.ts';

// Twice the helper's own 1.5 s for an attempt, so that a slow member can be told from a silent one.
export const CALL_LIMIT_MS = 3_000;

/**
 * Runs `call` with a signal that is aborted after `limitMs`.
 * @param onLimit called just before the abort
 */
export async function limited<T>(
  clock: Clock,
  call: (options: CallOptions) => Promise<T>,
  limitMs: number = CALL_LIMIT_MS,
  onLimit: () => void = () => undefined,
): Promise<T> {
  const controller = new AbortController();
  const stopTimer = clock.at(clock.now() + limitMs, () => {
    onLimit();
    controller.abort('timeout');
  });
  try {
    return await call({ signal: controller.signal });
  } finally {
    stopTimer();
  }
}

/** A duration for the report: `0.8 ms`, `12 ms`, `1.2 s`. */
export function formatLatency(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
