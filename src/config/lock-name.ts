import type { CommandOutcome, RunCommand } from '../base/command.ts';
import { SetupError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import { lockName } from './name-checks.ts';

/** What the lock is called. */
export interface LockName {
  /** One segment of an etcd key, never empty. */
  readonly name: string;
  /** What looks wrong about it, one line; undefined when nothing does. */
  readonly warning: string | undefined;
}

export interface LockNameSources {
  /** From the configuration; undefined means to ask testparm. */
  readonly netbiosName: string | undefined;
  /** The file in which to set netbios_name, for messages. */
  readonly configPath: string;
  /** This node's own host name, for the warning. */
  readonly hostName: string;
}

// Of the 4 s for the answer; what is left after it must do for one transaction. testparm takes about 0.1 s.
const TESTPARM_LIMIT_MS = 2_500;

const COMMAND = "testparm -s --parameter-name 'netbios name'";

/** Why there is no name, as a clause. */
function reasonOf(outcome: CommandOutcome): string {
  switch (outcome.kind) {
    case 'missing':
      return 'testparm is not installed';
    case 'timeout':
      return `testparm did not answer within ${TESTPARM_LIMIT_MS / 1000} s`;
    case 'killed':
      return `testparm was ended by ${outcome.signal}`;
    case 'failed':
      return `testparm did not start: ${outcome.reason}`;
    case 'exited': {
      const printed = outcome.stdout.trim();
      if (outcome.code === 0 || printed !== '') return `${COMMAND} printed ${quote(printed)}`;
      const said = outcome.stderr.trim().split('\n').at(-1) ?? '';
      return `${COMMAND} ended with status ${outcome.code}${said === '' ? '' : ` and said ${quote(said)}`}`;
    }
  }
}

/**
 * Finds the name of the lock: `netbios_name`, or else what testparm prints.
 * @throws {SetupError} when there is none; the message says where to set it
 */
export async function findLockName(sources: LockNameSources, run: RunCommand): Promise<LockName> {
  const { netbiosName, configPath, hostName } = sources;
  if (netbiosName !== undefined) return { name: netbiosName, warning: undefined };
  const remedy = `set netbios_name in ${quote(configPath)}`;
  const outcome = await run('testparm', ['-s', '--parameter-name', 'netbios name'], TESTPARM_LIMIT_MS);
  // testparm's exit status also says what it thinks of the host's directories; the name is good either way.
  const checked = outcome.kind === 'exited' ? lockName('')(outcome.stdout.trim()) : { want: 'an answer' };
  if ('want' in checked) {
    throw new SetupError(`Cannot name the lock: ${reasonOf(outcome)}; ${remedy}`);
  }
  const name = checked.value;
  return { name, warning: isHostsOwn(name, hostName) ? ownNameWarning(name, remedy) : undefined };
}

// Samba takes the host name, up to its first dot, cut to 15 characters, when smb.conf names nothing.
const NETBIOS_NAME_LENGTH = 15;

function isHostsOwn(name: string, hostName: string): boolean {
  const own = (hostName.split('.')[0] ?? '').slice(0, NETBIOS_NAME_LENGTH);
  return name.toLowerCase() === own.toLowerCase();
}

function ownNameWarning(name: string, remedy: string): string {
  return (
    `The lock is named ${quote(name)} after this host, so that each node would take a lock of its own; ` +
    `set the same netbios name in smb.conf on all nodes, or ${remedy}`
  );
}
