/** How a command ended. Standard error is cut to its first bytes and meant for a message, not for the log as it is. */
export type CommandOutcome =
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: string; readonly stderr: string }
  /** Killed by a signal that was not ours. */
  | { readonly kind: 'killed'; readonly signal: string }
  /** Not found in any directory. */
  | { readonly kind: 'missing' }
  /** Still running at its limit; killed by us. */
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Runs `command` with `args` for at most `limitMs` milliseconds, with an empty standard input and nothing of ours
 * inherited. Never rejects; resolves at the limit even when the command cannot be killed.
 */
export type RunCommand = (
  command: string,
  args: readonly string[],
  limitMs: number,
) => Promise<CommandOutcome>;
