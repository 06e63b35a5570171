/**
 * The two things of `performance` that the program uses. The real one loads nine modules of the runtime at its first
 * mention. Stands in for it in the packed program.
 */
export const performance = {
  /** Milliseconds since the process was started, on CLOCK_MONOTONIC. */
  now: (): number => process.uptime() * 1000,
  /** Wall-clock time, in milliseconds since 1970, at which the process was started. */
  timeOrigin: Date.now() - process.uptime() * 1000,
};
