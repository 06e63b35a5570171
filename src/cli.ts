import { parseArgs as parseTokens } from 'node:util';
import { UsageError } from './errors.ts';
import type { Verbosity } from './log.ts';
import { nearest } from './nearest.ts';
import { quote } from './quote.ts';

/** What the command line asks for. */
export type Args =
  | { readonly command: 'help' | 'version' }
  | {
      /** Take the lock, answer, hold, let go. */
      readonly command: 'helper';
      readonly verbosity: Verbosity;
      /** The file after `-c`; undefined means the usual place. */
      readonly configFile: string | undefined;
    };

/** What was built, fixed at build time. */
export interface BuildInfo {
  readonly version: string;
  /** The commit in hex, or a word when there is none. */
  readonly commit: string;
  /** The version of the etcd3 package. */
  readonly etcd3: string;
}

/** What runs it; `process.versions` is one. */
export interface RuntimeInfo {
  readonly node: string;
  readonly openssl: string;
}

// The letters and words of the helper that Samba ships, plus the two that every program has.
const OPTIONS = {
  config: { type: 'string', short: 'c' },
  verbose: { type: 'boolean', short: 'v', multiple: true },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

// A single wrong letter could have been any of ours, so only whole words are worth a guess.
const WORDS = Object.keys(OPTIONS).map((name) => `--${name}`);

/** One line that says which part of a command line is wrong, and what was perhaps meant. */
function explain(argv: readonly string[], error: unknown): string {
  const { tokens } = parseTokens({ args: [...argv], options: OPTIONS, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (!Object.hasOwn(OPTIONS, token.name)) {
      const near = nearest(token.rawName, WORDS);
      return `Unknown option ${quote(token.rawName)}${near === undefined ? '' : `, did you mean ${near}`}`;
    }
    if (token.name !== 'config' && token.value !== undefined) return `Option ${token.rawName} takes no value`;
    // A value that looks like an option is more likely a forgotten file; `--config=-a` is the way to mean it.
    if (token.name === 'config' && !token.inlineValue && (token.value ?? '-').startsWith('-')) {
      return 'Option -c (--config) has no file after it, want -c FILE';
    }
  }
  return `Cannot read the command line: ${error instanceof Error ? error.message : 'unknown reason'}`;
}

/**
 * Reads the arguments that follow the program's name.
 * @throws {UsageError} for anything that is not an option of ours; the message names it and the nearest known one
 */
export function parseArgs(argv: readonly string[]): Args {
  let parsed;
  try {
    parsed = parseTokens({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(explain(argv, error), { cause: error });
  }
  const { values, positionals } = parsed;
  const [extra] = positionals;
  if (extra !== undefined) throw new UsageError(`Unexpected argument ${quote(extra)}, want options only`);
  if (values.help) return { command: 'help' };
  if (values.version) return { command: 'version' };
  if (values.config === '') throw new UsageError('Option -c (--config) has an empty file name, want -c FILE');
  return {
    command: 'helper',
    verbosity: Math.min(values.verbose?.length ?? 0, 3) as Verbosity,
    configFile: values.config,
  };
}

/** The text for `--help`, and for stderr after a mistake; whole lines, the last one ended. */
export function helpText(): string {
  return `Usage: ctdb_etcd_lock [-v|-vv|-vvv] [-c FILE]

Takes CTDB's cluster lock in etcd v3, answers CTDB with one byte on standard
output, and holds the lock until SIGTERM or until the parent process is gone.
CTDB runs it; in ctdb.conf, section [cluster], on every node the same line:

  cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock

Options:
  -c, --config FILE  read this file; without it $CTDB_BASE/etcd, or
                     /etc/ctdb/etcd when CTDB_BASE is not set
  -v, --verbose      say more on standard error: -v what happened, -vv how,
                     -vvv every call
  -h, --help         show this text and exit
  -V, --version      show the versions and exit

Answers: 0 the lock is held, 1 another node holds it, 3 an error, with one line
on standard error that says why.
`;
}

/** The text for `--version`; whole lines, the last one ended. */
export function versionText(build: BuildInfo, runtime: RuntimeInfo): string {
  return `ctdb_etcd_lock ${build.version} (commit ${build.commit})
Node.js ${runtime.node}, OpenSSL ${runtime.openssl}, etcd3 ${build.etcd3}
`;
}
