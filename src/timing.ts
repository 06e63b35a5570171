/** All the times that the lock lives by, in milliseconds, derived once from the configuration. */
export interface Timing {
  /** The TTL that we ask for; the server's own answer is what counts. */
  readonly ttlMs: number;
  /** From the send of one renewal that succeeded to the send of the next. */
  readonly refreshMs: number;
  /** How long before the end of the lease we stop to claim it, for a lease of `ttlMs`. */
  marginMs(ttlMs: number): number;
  /** One attempt on one member. */
  readonly attemptMs: number;
  /** After this much silence the next member is asked as well. */
  readonly hedgeDelayMs: number;
  /** Between two rounds over members that all failed at once. */
  readonly retryDelayMs: number;
  /** From process start to the byte on stdout. */
  readonly answerMs: number;
  /** From the wish to let go until we exit regardless. */
  readonly releaseMs: number;
  /** Between two looks at parent and clock. */
  readonly parentCheckMs: number;
}
