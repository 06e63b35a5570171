import type { CommandContext } from './context.ts';
import type { Config, Endpoint } from '../config/config.ts';
import { type ConfigChoice, configPathOf, loadConfigInTime } from '../config/loader.ts';
import { ConfigError, EtcdError, SetupError } from '../base/errors.ts';
import type { AdminMember } from '../etcd/admin.ts';
import { makeAdminMembers } from '../etcd/admin-client.ts';
import { findLockName } from '../config/lock-name.ts';
import { choiceOf, readCtdbFile } from './lock-string.ts';
import { Members } from '../cluster/members.ts';
import { lockDirectory } from '../lock/lock-key.ts';
import { discover, makeResolveSrv } from '../connect/srv.ts';
import { timingOf } from '../config/timing.ts';

/** The lock of a command, and the members that store it. */
export interface Lock {
  readonly config: Config;
  readonly name: string;
  readonly directory: string;
  readonly members: Members<AdminMember>;
  /** The same members, for questions to each of them. */
  readonly each: readonly AdminMember[];
}

// A time limit that a person at a terminal can wait for. Nothing else waits for the command.
export const ASK_LIMIT_MS = 5_000;

/**
 * The endpoints of the configuration, or those that DNS names.
 * @throws {SetupError} when DNS does not answer
 */
export async function findEndpoints(config: Config, context: CommandContext): Promise<readonly Endpoint[]> {
  const { srvDomain, endpoints, tlsWantedBy } = config;
  const found =
    srvDomain === undefined
      ? endpoints
      : await discover(srvDomain, makeResolveSrv(context.clock), tlsWantedBy);
  return config.useOtherMembers ? found : found.slice(0, 1);
}

/**
 * Finds the lock that CTDB's helper would take, unless the command line names another. Warnings about the configuration
 * go to standard error.
 * @throws {ConfigError} {SetupError} with the line that the helper would log
 */
export async function findLock(
  choice: Omit<ConfigChoice, 'verbosity'>,
  context: CommandContext,
): Promise<Lock> {
  const args = { ...choiceOf(choice, await readCtdbFile(context)), verbosity: 0 } as const;
  const { config, warnings } = await loadConfigInTime(args, context.env, context);
  for (const { id, text } of warnings) context.err.write(`Warning: ${text} [${id}]\n`);
  const name = await findLockName(
    {
      netbiosName: config.netbiosName,
      givenName: config.given.name,
      configPath: config.file ?? configPathOf(args, context.env),
      hostName: context.host.hostName,
    },
    context.run,
  );
  const endpoints = await findEndpoints(config, context);
  const each = makeAdminMembers(config, endpoints, context);
  const members = new Members(each, context.clock, timingOf(config));
  const directory = lockDirectory(config.lockPrefix, config.locksDir, name);
  return { config, name, directory, members, each };
}

/** The line for an expected failure; undefined for a fault of the program. */
export function expectedFailure(error: unknown): string | undefined {
  if (error instanceof ConfigError || error instanceof SetupError) return error.message;
  if (!(error instanceof EtcdError)) return undefined;
  const where = error.endpoint === '' ? 'etcd at ' : `etcd at ${error.endpoint}: `;
  return where + error.message + (error.remedy === undefined ? '' : `; ${error.remedy}`);
}
