import type { CommandOutcome, RunCommand } from '../base/command.ts';
import { SetupError } from '../base/errors.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import { KEYS } from './config-keys.ts';
import { lockName } from './name-checks.ts';

export interface LockNameSources {
  /** From the configuration; undefined means to ask testparm. It agrees with `givenName`. */
  readonly netbiosName: string | undefined;
  /** `--name` in the lock string of ctdb.conf; undefined when there is none. */
  readonly givenName: string | undefined;
  /** The file in which to set netbios_name, for messages. */
  readonly configPath: string;
  /** This node's own host name, which is no name for a lock. */
  readonly hostName: string;
}

// Of the 4 s for the answer; what is left after it must do for one transaction. testparm takes about 0.1 s.
const TESTPARM_LIMIT_MS = 2_500;

// A second look, only when the name is the host's own.
const SECOND_LOOK_LIMIT_MS = 500;

// Samba prints the same name whether smb.conf sets it to the host's own or not at all. At debug level 4 it also says which parameters
// it has read, from included files and the registry too (samba, lib/param/loadparm.c); spaces and case in their names mean nothing.
const COUNT_SETTINGS =
  "testparm -s -d 4 --parameter-name 'netbios name' 2>&1 | sed -n 's/^ *doing parameter //p' | tr -d ' \\t' | grep -ic '^netbiosname='";

const WANT = KEYS.netbiosName.range;

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
 * Finds the name of the lock: `netbios_name`, or else what testparm prints, or else the name in the lock string. A name that
 * Samba made of the host's own, because smb.conf sets none, is no name: each node would take a lock of its own.
 *
 * @returns one segment of an etcd key, in capitals
 * @throws {SetupError} when there is none, or when the lock string has another; the message says where to set it
 */
export async function findLockName(sources: LockNameSources, run: RunCommand): Promise<string> {
  const { netbiosName, givenName, configPath, hostName } = sources;
  const remedy = `set netbios_name in ${quote(configPath)}`;
  if (netbiosName !== undefined) return netbiosName;
  const outcome = await run('testparm', ['-s', '--parameter-name', 'netbios name'], TESTPARM_LIMIT_MS);
  // testparm's exit status also says what it thinks of the host's directories; the name is good either way.
  const checked = outcome.kind === 'exited' ? lockName(WANT)(outcome.stdout.trim()) : undefined;
  const name = checked === undefined || 'want' in checked ? undefined : checked.value;
  const isChosen = name !== undefined && (!isHostsOwn(name, hostName) || (await isSetInSmbConf(run)));
  if (isChosen && (givenName === undefined || givenName === name)) return name;
  if (givenName !== undefined && !isChosen) return givenName;
  if (isChosen && givenName !== undefined) {
    throw new SetupError(
      'name-differs',
      `Cannot name the lock: --name in the lock string is ${quote(givenName)}, and testparm prints ${quote(name)}; ${remedy}, the same on all nodes`,
    );
  }
  if (name !== undefined) {
    throw new SetupError(
      'name-own',
      `Cannot name the lock: ${quote(name)} is this host's own name, which Samba takes when smb.conf sets no netbios name, so that each node would take a lock of its own; ${remedy}, the same on all nodes`,
    );
  }
  const stranger = checked !== undefined && 'want' in checked && checked.asAscii === true;
  const reason = stranger
    ? `${COMMAND} printed ${quoteAsAscii(outcome.kind === 'exited' ? outcome.stdout.trim() : '')}, want ${checked.want}`
    : reasonOf(outcome);
  throw new SetupError('name-missing', `Cannot name the lock: ${reason}; ${remedy}`);
}

async function isSetInSmbConf(run: RunCommand): Promise<boolean> {
  const outcome = await run('sh', ['-c', COUNT_SETTINGS], SECOND_LOOK_LIMIT_MS);
  return outcome.kind === 'exited' && Number(outcome.stdout) > 0;
}

// Samba takes the host name, up to its first dot, cut to 15 characters, when smb.conf names nothing.
const NETBIOS_NAME_LENGTH = 15;

function isHostsOwn(name: string, hostName: string): boolean {
  const own = (hostName.split('.')[0] ?? '').slice(0, NETBIOS_NAME_LENGTH);
  return name.toLowerCase() === own.toLowerCase();
}
