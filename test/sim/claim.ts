import type { Contender } from './contender.ts';

/**
 * What CTDB can see: the lock is said to be held, from the effect of the `0` until end of file on stdout.
 */
export interface Claim {
  readonly contender: Contender;
  readonly key: string;
  readonly openedMs: number;
  /**
   * Why the key may be gone although the claim lives: something outside the lock's power took it, or the process is frozen
   * and nobody watches it. An excuse says by when the claim has to end.
   */
  excuse: string | undefined;
}
