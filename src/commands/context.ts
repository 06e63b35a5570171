import type { Clock } from '../base/clock.ts';
import type { DnsCache } from '../connect/dns-cache.ts';
import type { Output } from './output.ts';
import type { LocalHost } from '../lock/local-host.ts';
import type { RunCommand } from '../base/command.ts';

/** What a command needs of the system. `main.ts` passes the real one, tests pass another. */
export interface CommandContext {
  readonly clock: Clock;
  readonly names: DnsCache;
  readonly host: LocalHost;
  readonly run: RunCommand;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the result is written. */
  readonly out: Output;
  /** Where warnings, failures and progress are written. */
  readonly err: Output;
  /** Asks a question and resolves to the line that is typed; undefined without a terminal. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** The version of this program. */
  readonly version: string;
}

/**
 * The exit status of a command. The help of each command says what its values mean. For all, 3 means that the output could
 * not be written.
 */
export type CommandStatus = 0 | 1 | 2 | 3;
