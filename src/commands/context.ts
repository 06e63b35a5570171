import type { Clock } from '../base/clock.ts';
import type { Output } from './output.ts';
import type { LocalHost } from '../lock/local-host.ts';
import type { RunCommand } from '../base/command.ts';

/** What the administrator's commands need of the world; `main.ts` hands in the real one. */
export interface CommandContext {
  readonly clock: Clock;
  readonly host: LocalHost;
  readonly run: RunCommand;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What was asked for. */
  readonly out: Output;
  /** Warnings, failures and progress. */
  readonly err: Output;
  /** Puts a question and resolves to the line that is typed; undefined when nobody sits there to be asked. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
  /** Our own version. */
  readonly version: string;
}

/** With which status a command ends; what each means for a command stands in its help. */
export type CommandStatus = 0 | 1 | 2 | 3;
