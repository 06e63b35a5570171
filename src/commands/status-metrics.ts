import type { ConfigChoice } from '../config/loader.ts';
import { EtcdError } from '../base/errors.ts';
import { TlsFiles } from '../connect/tls-files.ts';
import { certificatesOf } from './certificates.ts';
import { lookAt } from './check/endpoint-look.ts';
import type { CommandStatus, CommandContext } from './context.ts';
import { ctdbLeader } from './ctdb-leader.ts';
import { metricsText, type Observation } from './lock-metrics.ts';
import { type LockView, viewLock } from './lock-view.ts';
import { ASK_LIMIT_MS, expectedFailure, findLock } from './setup.ts';

/**
 * Prints the metrics of the lock, in every case, so that the file is always complete. Asks each member once, and only
 * reads.
 * @returns 0 held, 1 free, 2 unknown
 */
export async function statusAsMetrics(
  choice: Omit<ConfigChoice, 'verbosity'>,
  context: CommandContext,
): Promise<CommandStatus> {
  const startedAtMs = context.clock.now();
  const write = (seen: Omit<Observation, 'version' | 'tookMs'>): void => {
    const tookMs = context.clock.now() - startedAtMs;
    context.out.write(metricsText({ ...seen, version: context.version, tookMs }));
  };
  try {
    const lock = await findLock(choice, context);
    const { config, directory, members, each } = lock;
    const known = { lock: directory.slice(0, -1), certificates: certificatesOf(config.tls) };
    const files = new TlsFiles(config.tls);
    const { clock, names } = context;
    try {
      const [view, leader, looks] = await Promise.all([
        viewLock(directory, members, clock.now() + ASK_LIMIT_MS).catch((error: unknown) => {
          if (error instanceof EtcdError) return error;
          throw error;
        }),
        ctdbLeader(context.run),
        Promise.all(
          each.map((member) => lookAt(member, { config, directory, files, clock, names, timedQuestions: 1 })),
        ),
      ]);
      const seen = {
        ...known,
        leader,
        members: looks.map(
          (look, index) =>
            [each[index]?.endpoint ?? '', look instanceof EtcdError ? undefined : look] as const,
        ),
      };
      if (view instanceof EtcdError) {
        write(seen);
        context.err.write(`Cannot find the holder of the lock: ${expectedFailure(view) ?? view.message}\n`);
        return 2;
      }
      write({ ...seen, view, isHeldHere: isHeldHere(view, context) });
      return view.contenders.length > 0 ? 0 : 1;
    } finally {
      members.close();
    }
  } catch (error) {
    if (expectedFailure(error) !== undefined) write({});
    throw error;
  }
}

/**
 * True when the holder runs under this kernel and this host name. Both are compared because a container has the kernel
 * of its host and a host name of its own.
 */
function isHeldHere({ contenders: [holder] }: LockView, { host }: CommandContext): boolean {
  const record = holder?.record;
  if (record === undefined || record === null || record.host !== host.hostName) return false;
  return host.self.bootId === '' || record.process.bootId === host.self.bootId;
}
