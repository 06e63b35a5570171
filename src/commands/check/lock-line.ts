import { resolve } from 'node:path';
import { ConfigError, SetupError } from '../../base/errors.ts';
import { clusterIdText } from '../../base/ids.ts';
import { nearest } from '../../base/nearest.ts';
import { lookAtFile } from '../../base/small-file.ts';
import { loadConfigInTime } from '../../config/loader.ts';
import { findLockName } from '../../config/lock-name.ts';
import { lockDirectory } from '../../lock/lock-key.ts';
import type { CommandContext } from '../context.ts';
import { helperArgsOf, PROGRAM, type CtdbFile, type LockString } from '../lock-string.ts';
import type { CheckedConfig } from './config.ts';
import { checkProgram } from './program.ts';
import type { CheckReport } from './report.ts';

const USUAL_PROGRAM = `/usr/libexec/ctdb/${PROGRAM}`;

/** What is known of the lock when the lock string is checked. */
export interface KnownLock {
  /** Undefined when the configuration does not name a lock; the failure has then been reported. */
  readonly checked: CheckedConfig | undefined;
  /** Decimal; undefined when no member told it. */
  readonly clusterId: string | undefined;
}

/** Adds the options that say which lock it is to a lock string. The rest of `lock` stays as it is. */
export function identityLine({ checked, clusterId }: KnownLock, lock: LockString): string {
  const program = lock.kind === 'program' && isOurs(lock.program) ? lock.program : USUAL_PROGRAM;
  const args = helperArgsOf(lock);
  const kept = args === undefined || 'mistake' in args ? undefined : args;
  const id = clusterId ?? kept?.given.clusterId;
  return [
    `!${program}`,
    ...(checked === undefined ? [] : ['--name', checked.name]),
    ...(id === undefined ? [] : ['--cluster-id', clusterIdText(id)]),
    ...(kept?.configFile === undefined ? [] : ['-c', kept.configFile]),
    ...(kept === undefined || kept.verbosity === 0 ? [] : [`-${'v'.repeat(kept.verbosity)}`]),
  ].join(' ');
}

function isOurs(program: string): boolean {
  return program.endsWith(`/${PROGRAM}`);
}

/**
 * Checks the program that CTDB executes and its arguments.
 * @returns false when CTDB does not run this helper, or runs it with arguments that cannot take the lock
 */
export async function checkLockLine(
  { path, lock }: CtdbFile & { readonly lock: Exclude<LockString, { kind: 'none' }> },
  known: KnownLock,
  context: CommandContext,
  report: CheckReport,
): Promise<boolean> {
  const line = identityLine(known, lock);
  const remedy = `set cluster lock = ${line} on every node`;
  const problem = (id: string, text: string): false => {
    report.problem(id, `"${path}": cluster lock: ${text}`, remedy);
    return false;
  };
  if (lock.kind === 'file') {
    if (/^["'\u2018-\u201f]/.test(lock.text)) {
      return problem(
        'ctdb-quotes',
        `the quotes are part of the value, so CTDB would lock the file ${lock.text} on each node separately`,
      );
    }
    if (lock.text.includes(PROGRAM)) {
      const [file = ''] = lock.text.split(/[ \t]+/);
      return problem(
        'ctdb-bang',
        `the "!" is missing: CTDB would lock the file "${file}" on each node separately`,
      );
    }
    report.warning(
      'ctdb-other',
      `"${path}" is not migrated yet: CTDB keeps its lock in the file ${lock.text}`,
      `with CTDB stopped on all nodes, ${remedy}`,
    );
    return false;
  }
  if (!isOurs(lock.program)) return checkOther(path, lock, remedy, problem, report);
  if (/^![ \t]/.test(lock.text)) {
    return problem(
      'ctdb-space',
      'there is a space after the "!": CTDB compares this line exactly between the nodes, and shuts down a node that has it without the space',
    );
  }
  if (!checkProgram(lock.program, report)) return false;
  if (/["'\u2018-\u201f]/.test(lock.text))
    return problem(
      'ctdb-quotes',
      'it has quotes, which CTDB passes on unchanged: it splits arguments at spaces only',
    );
  const args = helperArgsOf(lock);
  if (args !== undefined && 'mistake' in args) return problem('ctdb-arguments', args.mistake);
  if (args === undefined) return false;
  if (!(await readsTheSame(args, path, known, context, report))) return false;
  const { name, clusterId } = args.given;
  const lacking = [
    ...(name === undefined ? ['--name'] : []),
    ...(clusterId === undefined ? ['--cluster-id'] : []),
  ];
  if (lacking.length === 0)
    report.ok('ctdb-ok', `"${path}": cluster lock is this helper, with --name and --cluster-id`);
  else {
    report.warning(
      'ctdb-identity',
      `"${path}": cluster lock is this helper, without ${lacking.join(' and ')}: CTDB cannot detect a node that takes another lock`,
      remedy,
    );
  }
  return true;
}

/** Reports that CTDB runs another program. It can be the lock before the change to this helper, or a typing error. */
function checkOther(
  path: string,
  { text, program }: Extract<LockString, { kind: 'program' }>,
  remedy: string,
  problem: (id: string, text: string) => false,
  report: CheckReport,
): false {
  if (!program.startsWith('/'))
    return problem(
      'ctdb-path',
      `"${program}" is not an absolute path, and CTDB does not search for programs`,
    );
  const [base = ''] = program.split('/').slice(-1);
  if (nearest(base, [PROGRAM]) !== undefined || /etcd[-_]?lock/i.test(text))
    return problem('ctdb-path', `"${program}" is not this helper, ${PROGRAM}`);
  if (lookAtFile(program).kind === 'absent') return problem('ctdb-path', `"${program}" is not there`);
  report.warning(
    'ctdb-other',
    `"${path}" is not migrated yet: CTDB keeps its lock with ${text}`,
    `with CTDB stopped on all nodes, ${remedy}`,
  );
  return false;
}

function fileText(path: string | undefined): string {
  return path === undefined ? 'no file' : `"${path}"`;
}

/** Reports whether the helper that CTDB starts takes the lock that was checked. */
async function readsTheSame(
  args: Exclude<ReturnType<typeof helperArgsOf>, undefined | { readonly mistake: string }>,
  path: string,
  { checked }: KnownLock,
  context: CommandContext,
  report: CheckReport,
): Promise<boolean> {
  if (checked === undefined) return true;
  // CTDB starts its helpers in the root directory.
  const configFile = args.configFile === undefined ? undefined : resolve('/', args.configFile);
  const ours = checked.config.file === undefined ? undefined : resolve(checked.config.file);
  try {
    const { config } = await loadConfigInTime({ ...args, configFile }, context.env, context);
    const theirs = config.file === undefined ? undefined : resolve(config.file);
    if (theirs === ours) return true;
    const name = await findLockName(
      {
        netbiosName: config.netbiosName,
        givenName: config.given.name,
        configPath: theirs ?? '',
        hostName: context.host.hostName,
      },
      context.run,
    );
    const directory = lockDirectory(config.lockPrefix, config.locksDir, name);
    const same = directory === checked.directory ? 'the same lock' : directory.slice(0, -1);
    report.note(
      'ctdb-file',
      `the helper that CTDB runs reads ${fileText(theirs)}, which selects ${same}, and this check reads ${fileText(ours)}`,
    );
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof SetupError)) throw error;
    const remedy = `correct that, or the cluster lock in "${path}"`;
    report.problem('ctdb-refused-file', `the helper that CTDB runs would answer 3: ${error.message}`, remedy);
    return false;
  }
}
