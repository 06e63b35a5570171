import type { Identity } from '../config/config.ts';
import { formatFields, paint, printable } from './output.ts';
import { ASK_LIMIT_MS, findLock } from './setup.ts';
import { describeContender } from './status-text.ts';
import type { CommandStatus, CommandContext } from './context.ts';
import { leaseText, viewLock } from './lock-view.ts';

/** The options of `release` on the command line. */
interface ReleaseArgs {
  readonly configFile: string | undefined;
  readonly given: Identity;
  readonly force: boolean;
}

/**
 * Takes the lock away from its holder.
 * @returns 0 done, 1 not done and nothing changed, 2 unknown
 */
export async function commandRelease(args: ReleaseArgs, context: CommandContext): Promise<CommandStatus> {
  const { members, directory } = await findLock(args, context);
  const { out, err, clock } = context;
  try {
    const before = await viewLock(directory, members, clock.now() + ASK_LIMIT_MS);
    const [holder, next] = before.contenders;
    if (holder === undefined) {
      out.write(`Nobody holds ${directory.slice(0, -1)}, nothing to release\n`);
      return 1;
    }
    const hex = leaseText(holder);
    out.write(
      formatFields([
        ['Lock', directory.slice(0, -1)],
        ['Holder', describeContender(holder)],
        ...(holder.record === null ? [] : [['Since', printable(holder.record.since)] as const]),
        ['Key', printable(holder.key)],
        ['Lease', hex === '' ? 'none' : hex],
        ['Revision', holder.createRevision.toString()],
      ]),
    );
    if (out.failure?.isUnread === false) {
      err.write('Nothing released\n');
      return 1;
    }
    if (!args.force) {
      const answer = await context.ask(
        'Take the lock away from this holder? CTDB then holds an election [y/N] ',
      );
      if (answer === undefined) {
        err.write('Nothing released: there is no terminal to ask on, use --force\n');
        return 1;
      }
      if (!/^y(es)?$/i.test(answer.trim())) {
        err.write('Nothing released\n');
        return 1;
      }
    }
    const byMs = clock.now() + ASK_LIMIT_MS;
    const answer = await members.ask((member, call) => member.deleteExactly(holder, call), byMs);
    const after = await viewLock(directory, members, clock.now() + ASK_LIMIT_MS);
    const isStillThere = after.contenders.some(
      ({ key, createRevision }) => key === holder.key && createRevision === holder.createRevision,
    );
    if (!answer.succeeded) {
      const [now] = after.contenders;
      const state = now === undefined ? 'nobody holds it now' : `it is held by ${describeContender(now)} now`;
      const how = isStillThere ? 'its key was written again' : 'the holder has changed';
      err.write(`${paint(err, 'yellow', 'Nothing released')}: ${how} in the meantime; ${state}\n`);
      return 1;
    }
    out.write(
      `${paint(out, 'green', 'Released')}: deleted ${printable(holder.key)} in revision ${answer.header.revision.toString()}\n`,
    );
    if (next !== undefined) out.write(`Next in line: ${describeContender(next)}\n`);
    return 0;
  } finally {
    members.close();
  }
}
