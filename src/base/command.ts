/** How a command ended. `stderr` holds only the first bytes and is meant for a message. */
export type CommandOutcome =
  | { readonly kind: 'exited'; readonly code: number; readonly stdout: string; readonly stderr: string }
  /** Killed by a signal that this process did not send. */
  | { readonly kind: 'killed'; readonly signal: string }
  /** Found in no directory. */
  | { readonly kind: 'missing' }
  /** Still running at its time limit, and then killed by this process. */
  | { readonly kind: 'timeout' }
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Runs `command` with `args` for at most `limitMs` milliseconds. Its standard input is empty and it inherits no
 * descriptor. Never rejects. Resolves at the limit even when the command cannot be killed.
 */
export type RunCommand = (
  command: string,
  args: readonly string[],
  limitMs: number,
) => Promise<CommandOutcome>;
