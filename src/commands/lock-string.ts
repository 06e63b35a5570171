import { UsageError } from '../base/errors.ts';
import { findHungFile } from '../base/hung-file.ts';
import { readSmallFile } from '../base/small-file.ts';
import type { ConfigChoice } from '../config/loader.ts';
import { parseArgs, type Args } from './cli.ts';
import type { CommandContext } from './context.ts';
import { type CtdbConf, parseCtdbConf } from './ctdb-conf.ts';

/** The file name of this program, without its directory. */
export const PROGRAM = 'ctdb_etcd_lock';

type HelperArgs = Extract<Args, { command: 'helper' }>;

/** What CTDB uses as its cluster lock. */
export type LockString =
  /** No lock. */
  | { readonly kind: 'none' }
  /** A file, which CTDB locks with a helper of its own. */
  | { readonly kind: 'file'; readonly text: string }
  /** A program, which CTDB executes. */
  | {
      readonly kind: 'program';
      readonly text: string;
      readonly program: string;
      readonly words: readonly string[];
    };

/** What ctdb.conf says. */
export interface CtdbFile {
  readonly path: string;
  /** Undefined when the file is missing or cannot be read. */
  readonly conf: CtdbConf | undefined;
  /** Why the file cannot be read, as a clause. */
  readonly unread: string | undefined;
  readonly lock: LockString;
}

const LARGEST_FILE_BYTES = 65_536;

/**
 * Splits a lock string as CTDB does (samba, `cluster_mutex_helper_args`): at spaces and tabs, without quotes. PATH is
 * not searched.
 */
export function lockStringOf(text: string | undefined): LockString {
  if (text === undefined) return { kind: 'none' };
  if (!text.startsWith('!')) return { kind: 'file', text };
  const [program = '', ...words] = text
    .slice(1)
    .split(/[ \t]+/)
    .filter((word) => word !== '');
  return { kind: 'program', text, program, words };
}

/** Reads CTDB's configuration on this node. */
export async function readCtdbFile(context: CommandContext): Promise<CtdbFile> {
  const { env } = context;
  const base = (env['CTDB_BASE'] ?? '') === '' ? '/etc/ctdb' : (env['CTDB_BASE'] ?? '');
  const path = `${base.replace(/\/$/, '')}/ctdb.conf`;
  const nothing = { path, conf: undefined, lock: { kind: 'none' } } as const;
  const hung = await findHungFile([path], context);
  if (hung !== undefined) return { ...nothing, unread: hung.problem };
  const file = readSmallFile(path, LARGEST_FILE_BYTES);
  if (file.kind === 'absent') return { ...nothing, unread: undefined };
  if (file.kind === 'unusable') return { ...nothing, unread: file.problem };
  const conf = parseCtdbConf(file.bytes);
  const lock = lockStringOf(
    conf.values.get('cluster/cluster lock') ?? conf.values.get('cluster/recovery lock'),
  );
  return { path, conf, unread: undefined, lock };
}

/** The arguments as the helper reads them, or what is wrong with them. Undefined when CTDB runs another program. */
export function helperArgsOf(lock: LockString): HelperArgs | { readonly mistake: string } | undefined {
  if (lock.kind !== 'program' || !lock.program.endsWith(`/${PROGRAM}`)) return undefined;
  try {
    const args = parseArgs(lock.words);
    return args.command === 'helper' ? args : { mistake: `${lock.words.join(' ')} takes no lock` };
  } catch (error) {
    if (error instanceof UsageError) return { mistake: error.message };
    throw error;
  }
}

type Choice = Omit<ConfigChoice, 'verbosity'>;

/**
 * The configuration and identity for a command: those of its own command line, or else those of the lock string. So
 * `check` and `status` look at the lock that CTDB takes.
 */
export function choiceOf({ configFile, given }: Choice, { lock }: CtdbFile): Choice {
  const args = helperArgsOf(lock);
  if (args === undefined || 'mistake' in args) return { configFile, given };
  // The identity in the lock string belongs to the file that the lock string names. Another file can name another lock.
  if (configFile !== undefined) return { configFile, given };
  return {
    configFile: args.configFile,
    given: {
      name: given.name ?? args.given.name,
      clusterId: given.clusterId ?? args.given.clusterId,
    },
  };
}
