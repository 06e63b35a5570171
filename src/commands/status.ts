import type { Identity } from '../config/config.ts';
import { sleepUntil } from '../base/clock.ts';
import { ASK_LIMIT_MS, expectedFailure, findLock, type Lock } from './setup.ts';
import type { CommandStatus, CommandContext } from './context.ts';
import { ctdbLeader } from './ctdb-leader.ts';
import { statusAsMetrics } from './status-metrics.ts';
import { changeLine, statusJson, statusText } from './status-text.ts';
import { type LockView, viewLock } from './lock-view.ts';

/** The options of `status` on the command line. */
interface StatusArgs {
  readonly configFile: string | undefined;
  readonly given: Identity;
  readonly json: boolean;
  readonly openmetrics: boolean;
  readonly watch: boolean;
}

// etcd's watch reports changes at once. This interval covers what the watch does not report, such as a broken watch.
const LOOK_AGAIN_MS = 1_000;

/**
 * Shows the holder of the lock.
 * @returns 0 held, 1 free, 2 unknown
 */
export async function commandStatus(args: StatusArgs, context: CommandContext): Promise<CommandStatus> {
  if (args.openmetrics) return statusAsMetrics(args, context);
  const lock = await findLock(args, context);
  try {
    if (args.watch) return await follow(lock, args, context);
    const [view, leader] = await Promise.all([look(lock, context), ctdbLeader(context.run)]);
    if (args.json) context.out.write(`${JSON.stringify(statusJson(view, leader, context), undefined, 2)}\n`);
    else context.out.write(statusText(view, leader, context));
    return view.contenders.length > 0 ? 0 : 1;
  } finally {
    lock.members.close();
  }
}

function look(lock: Lock, context: CommandContext): Promise<LockView> {
  return viewLock(lock.directory, lock.members, context.clock.now() + ASK_LIMIT_MS);
}

/** Writes a line for each change until it is interrupted, or until nobody can read the lines any more. */
async function follow(lock: Lock, args: StatusArgs, context: CommandContext): Promise<CommandStatus> {
  let lastLine: string | undefined;
  let last: CommandStatus = 2;
  const tell = (line: string, json: object): void => {
    if (line === lastLine) return;
    lastLine = line;
    const at = new Date(context.clock.wallNow()).toISOString();
    context.out.write(args.json ? `${JSON.stringify({ at, ...json })}\n` : `${at}  ${line}\n`);
  };
  while (!context.interrupted.aborted) {
    let fromRevision: bigint | undefined;
    try {
      const view = await look(lock, context);
      last = view.contenders.length > 0 ? 0 : 1;
      fromRevision = view.revision + 1n;
      tell(changeLine(view), statusJson(view, undefined, context));
    } catch (error) {
      const failure = expectedFailure(error);
      if (failure === undefined) throw error;
      last = 2;
      tell(`cannot tell: ${failure}`, { state: 'unknown', error: failure });
    }
    if (context.out.failure !== undefined) return last;
    await untilChange(lock, fromRevision, context);
  }
  return last;
}

async function untilChange(
  { members, directory }: Lock,
  fromRevision: bigint | undefined,
  { clock, interrupted }: CommandContext,
): Promise<void> {
  const changed = new AbortController();
  const wake = (): void => {
    changed.abort();
  };
  interrupted.addEventListener('abort', wake);
  const stop =
    fromRevision === undefined
      ? (): void => undefined
      : members.preferred.watchDirectory(directory, fromRevision, {
          onChange: wake,
          onEnd: () => undefined,
        });
  await sleepUntil(clock, clock.now() + LOOK_AGAIN_MS, changed.signal);
  stop();
  interrupted.removeEventListener('abort', wake);
}
