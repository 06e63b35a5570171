import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** How long the fact may take before waiting fails; 10 s unless said otherwise. */
  readonly withinMs?: number;
  /** Between two looks; 20 ms unless said otherwise. */
  readonly everyMs?: number;
}

/**
 * Looks again and again until `look` yields something other than undefined, null or false, and resolves to that.
 * Rejects with `what` and the time when it does not come true in time, or with whatever `look` throws.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const { withinMs = 10_000, everyMs = 20 } = options;
  const endMs = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false)
      return found as Exclude<T, undefined | null | false>;
    if (performance.now() > endMs) throw new Error(`Waited ${withinMs} ms in vain for this: ${what}`);
    await delay(everyMs);
  }
}

/** Rejects when `promise` has not settled within the time; `what` names what was awaited. */
export async function within<T>(what: string, withinMs: number, promise: Promise<T>): Promise<T> {
  const giveUp = new AbortController();
  const late = delay(withinMs, undefined, { signal: giveUp.signal }).then(
    () => {
      throw new Error(`Waited ${withinMs} ms in vain for this: ${what}`);
    },
    // Aborted because the promise won the race: nobody looks at this outcome any more.
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    giveUp.abort();
  }
}
