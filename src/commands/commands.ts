/**
 * The folder `commands` has the command line, and what `check`, `status` and `release` do. A helper that CTDB starts
 * runs only its `cli.ts`, which reads the command line.
 *
 * A command shows the lock as it was when etcd answered. It does not guarantee that nothing has changed since, nor that
 * the next helper takes the lock.
 */
import type { CommandArgs } from './cli.ts';
import type { CommandName } from './options.ts';
import { whenAborted } from '../base/clock.ts';
import { commandCheck } from './check/check.ts';
import { pluginLine } from './check/plugin.ts';
import { commandRelease } from './release.ts';
import { expectedFailure } from './setup.ts';
import { commandStatus } from './status.ts';
import { ConfigError } from '../base/errors.ts';
import { askOnTerminal, makeOutput } from './terminal.ts';
import type { CommandStatus, CommandContext } from './context.ts';

export { commandHelp } from './help.ts';

/** What `main.ts` passes in. The outputs and the question are added here. */
export type CommandRuntime = Omit<CommandContext, 'out' | 'err' | 'ask'>;

const STDOUT = 1;
const STDERR = 2;

// Unlike the other statuses, so that a collector does not take half an output for a whole one. To a monitoring system it
// is "unknown".
const OUTPUT_LOST = 3;

const CANNOT: Readonly<Record<CommandName, string>> = {
  check: 'Cannot check',
  status: 'Cannot find the holder of the lock',
  release: 'Cannot release the lock',
};

/** Runs one of the administrator's commands on this terminal. */
export async function runCommand(args: CommandArgs, runtime: CommandRuntime): Promise<CommandStatus> {
  const [out, err] = [makeOutput(STDOUT, runtime.env), makeOutput(STDERR, runtime.env)];
  const status = await runOn(args, {
    ...runtime,
    out,
    err,
    ask: (question) => askOnTerminal(question, err, runtime.interrupted),
  });
  if (out.failure === undefined || out.failure.isUnread) return status;
  err.write(`${out.failure.line}\n`);
  return OUTPUT_LOST;
}

async function runOn(args: CommandArgs, context: CommandContext): Promise<CommandStatus> {
  try {
    return await dispatch(args, context);
  } catch (error) {
    const failure = expectedFailure(error);
    if (failure === undefined) throw error;
    if (args.command === 'check' && args.plugin !== undefined) {
      context.out.write(pluginLine(3, failure));
      return 3;
    }
    // A ConfigError is a full sentence. Other failures need a beginning that names the command.
    context.err.write(
      error instanceof ConfigError ? `${failure}\n` : `${CANNOT[args.command]}: ${failure}\n`,
    );
    return 2;
  }
}

function dispatch(args: CommandArgs, context: CommandContext): Promise<CommandStatus> {
  switch (args.command) {
    case 'status':
      return args.watch
        ? commandStatus(args, context)
        : unlessInterrupted(commandStatus(args, context), context, 2);
    case 'release':
      return commandRelease(args, context);
    case 'check':
      return unlessInterrupted(commandCheck(args, context), context, args.plugin === undefined ? 2 : 3);
  }
}

/** Runs a command that changes nothing, so that Ctrl-C can end it at once. */
function unlessInterrupted(
  running: Promise<CommandStatus>,
  context: CommandContext,
  otherwise: CommandStatus,
): Promise<CommandStatus> {
  return Promise.race([running, whenAborted(context.interrupted).then(() => otherwise)]);
}
