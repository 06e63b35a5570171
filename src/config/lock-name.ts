import type { CommandOutcome, RunCommand } from '../base/command.ts';
import { SetupError } from '../base/errors.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import { KEYS } from './config-keys.ts';
import { lockName } from './name-checks.ts';

export interface LockNameSources {
  /** `netbios_name` of the configuration. Undefined: testparm is asked. It does not contradict `givenName`. */
  readonly netbiosName: string | undefined;
  /** `--name` of the lock string in ctdb.conf; undefined when there is none. */
  readonly givenName: string | undefined;
  /** The file in which `netbios_name` can be set, for messages. */
  readonly configPath: string;
  /** The host name of this node. It cannot be the name of the lock, because each node has another. */
  readonly hostName: string;
}

// Part of the 4 s for the answer; the rest must do for one transaction. testparm takes about 0.1 s.
const TESTPARM_LIMIT_MS = 2_500;

// Samba prints the same name when smb.conf sets it to the host name and when smb.conf does not set it. At debug level 4
// testparm also prints the parameters that it read, from included files and the registry too (samba,
// lib/param/loadparm.c), as they are written. Spaces and case in their names have no meaning. The last one counts.
const FIND_SETTING =
  "testparm -s -d 4 --parameter-name 'netbios name' 2>&1 | sed -n 's/^ *doing parameter //p' | tr -d ' \\t' | grep -i '^netbiosname=' | tail -n 1";

const WANT = KEYS.netbiosName.range;

const COMMAND = "testparm -s --parameter-name 'netbios name'";

/** Why testparm gave no name, as a clause. */
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
 * Finds the name of the lock: `netbios_name`, or else the name that testparm prints, or else `--name` of the lock
 * string. When smb.conf sets no name, Samba uses the host name. That is refused, because each node would take another
 * lock.
 *
 * @returns one segment of an etcd key, in capitals
 * @throws {SetupError} when there is no name, or when the lock string has another one; the message says where to set it
 */
export async function findLockName(sources: LockNameSources, run: RunCommand): Promise<string> {
  const { netbiosName, givenName, configPath, hostName } = sources;
  const remedy = `set netbios_name in ${quote(configPath)}`;
  if (netbiosName !== undefined) return netbiosName;
  const [outcome, setting] = await Promise.all([
    run('testparm', ['-s', '--parameter-name', 'netbios name'], TESTPARM_LIMIT_MS),
    settingOf(run),
  ]);
  // The exit status is not looked at: testparm also fails because of the host's directories, and its name is right even
  // then.
  const checked = outcome.kind === 'exited' ? lockName(WANT)(outcome.stdout.trim()) : undefined;
  const name = checked === undefined || 'want' in checked ? undefined : checked.value;
  const isSubstituted = setting?.includes('%') === true;
  const isChosen =
    name !== undefined && !isSubstituted && (setting !== undefined || !isHostsOwn(name, hostName));
  if (isChosen && (givenName === undefined || givenName === name)) return name;
  if (givenName !== undefined && !isChosen) return givenName;
  if (isChosen && givenName !== undefined) {
    throw new SetupError(
      'name-differs',
      `Cannot name the lock: --name in the lock string is ${quote(givenName)}, and testparm prints ${quote(name)}; ${remedy}, the same on all nodes`,
    );
  }
  if (isSubstituted) {
    throw new SetupError(
      'name-own',
      `Cannot name the lock: smb.conf sets netbios name to ${quote(setting)}, and Samba replaces each % by another text on each node, so each node would take another lock; ${remedy}, the same on all nodes`,
    );
  }
  if (name !== undefined) {
    throw new SetupError(
      'name-own',
      `Cannot name the lock: ${quote(name)} is this host's own name, which testparm prints when smb.conf sets no netbios name, so each node would take another lock; ${remedy}, the same on all nodes`,
    );
  }
  const stranger = checked !== undefined && 'want' in checked && checked.asAscii === true;
  const reason = stranger
    ? `${COMMAND} printed ${quoteAsAscii(outcome.kind === 'exited' ? outcome.stdout.trim() : '')}, want ${checked.want}`
    : reasonOf(outcome);
  throw new SetupError('name-missing', `Cannot name the lock: ${reason}; ${remedy}`);
}

/**
 * The value of `netbios name` as smb.conf writes it, without spaces, and with its variables (%) as they are. Undefined
 * when smb.conf does not set it.
 */
async function settingOf(run: RunCommand): Promise<string | undefined> {
  const outcome = await run('sh', ['-c', FIND_SETTING], TESTPARM_LIMIT_MS);
  return outcome.kind === 'exited' ? /^netbiosname=(.*)$/im.exec(outcome.stdout)?.[1] : undefined;
}

// In characters. When smb.conf names nothing, Samba takes the host name up to its first dot, cut to 15 characters.
const NETBIOS_NAME_LENGTH = 15;

function isHostsOwn(name: string, hostName: string): boolean {
  const own = (hostName.split('.')[0] ?? '').slice(0, NETBIOS_NAME_LENGTH);
  return name.toLowerCase() === own.toLowerCase();
}
