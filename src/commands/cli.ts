import { parseArgs as parseTokens } from 'node:util';
import { UsageError } from '../base/errors.ts';
import type { Notice, Verbosity } from '../base/log.ts';
import { nearest } from '../base/nearest.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import { NO_IDENTITY, type Identity } from '../config/config.ts';
import type { ConfigKey } from '../config/config-key.ts';
import { KEYS } from '../config/config-keys.ts';

/** What there is beside the bare call, which CTDB makes. */
export const COMMANDS = ['check', 'status', 'release'] as const;
export type CommandName = (typeof COMMANDS)[number];

/** `check` as a plugin of Nagios and its kin. */
export interface PluginArgs {
  /** After so long the line is printed with what is known by then. */
  readonly limitMs: number;
}

/** One of the administrator's commands, with its options. */
export type CommandArgs = {
  readonly configFile: string | undefined;
  readonly given: Identity;
} & (
  | { readonly command: 'check'; readonly json: boolean; readonly plugin: PluginArgs | undefined }
  | {
      readonly command: 'status';
      readonly json: boolean;
      readonly openmetrics: boolean;
      readonly watch: boolean;
    }
  | { readonly command: 'release'; readonly force: boolean }
);

/** What the command line asks for. */
export type Args =
  | { readonly command: 'version' }
  | {
      readonly command: 'help';
      /** Undefined is the program as a whole. */
      readonly topic: CommandName | undefined;
    }
  | CommandArgs
  | {
      /** Take the lock, answer, hold, let go. */
      readonly command: 'helper';
      readonly verbosity: Verbosity;
      /** The file after `-c`; undefined means the usual place. */
      readonly configFile: string | undefined;
      readonly given: Identity;
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

// The letters and words of the helper that Samba ships, plus the two that every program has, plus those of the commands.
const OPTIONS = {
  config: { type: 'string', short: 'c' },
  name: { type: 'string' },
  'cluster-id': { type: 'string' },
  verbose: { type: 'boolean', short: 'v', multiple: true },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
  json: { type: 'boolean' },
  plugin: { type: 'boolean' },
  timeout: { type: 'string' },
  openmetrics: { type: 'boolean' },
  watch: { type: 'boolean' },
  force: { type: 'boolean' },
} as const;
type Option = keyof typeof OPTIONS;

/** Which options each command takes; `helper` is the bare call. */
export const OPTIONS_OF: Readonly<Record<CommandName | 'helper', readonly Option[]>> = {
  helper: ['config', 'name', 'cluster-id', 'verbose', 'help', 'version'],
  check: ['config', 'name', 'cluster-id', 'json', 'plugin', 'timeout', 'help'],
  status: ['config', 'name', 'cluster-id', 'json', 'openmetrics', 'watch', 'help'],
  release: ['config', 'name', 'cluster-id', 'force', 'help'],
};

function isOption(name: string): name is Option {
  return Object.hasOwn(OPTIONS, name);
}

function isCommand(word: string): word is CommandName {
  return COMMANDS.some((command) => command === word);
}

/** Says that `rawName` is not an option of `command`, or of any, and what was perhaps meant. */
function notAnOption(name: string, rawName: string, command: CommandName | 'helper' | undefined): string {
  if (isOption(name) && command !== undefined) {
    const takers = COMMANDS.filter((other) => OPTIONS_OF[other].includes(name)).join(' and ');
    return command === 'helper'
      ? `Option ${rawName} belongs to ${takers}, want a command before it`
      : `Option ${rawName} is not one of ${command}, see ctdb_etcd_lock ${command} --help`;
  }
  // A single wrong letter could have been any of ours, so only whole words are worth a guess.
  const near = nearest(
    rawName,
    Object.keys(OPTIONS).map((option) => `--${option}`),
  );
  return `Unknown option ${quote(rawName)}${near === undefined ? '' : `, did you mean ${near}`}`;
}

/**
 * One line that says which option is wrong, and what was perhaps meant; undefined when none is. Without a command every
 * option of any of them will do.
 */
function explain(argv: readonly string[], command: CommandName | 'helper' | undefined): Notice | undefined {
  const { tokens } = parseTokens({ args: [...argv], options: OPTIONS, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (!isOption(token.name) || (command !== undefined && !OPTIONS_OF[command].includes(token.name))) {
      return { id: 'cli-option', text: notAnOption(token.name, token.rawName, command) };
    }
    if (!takesText(token.name)) {
      if (token.value !== undefined)
        return { id: 'cli-option', text: `Option ${token.rawName} takes no value` };
    } else if (!token.inlineValue && (token.value ?? '-').startsWith('-')) {
      // A value that looks like an option is more likely a forgotten one; `--config=-a` is the way to mean it.
      return NOTHING_AFTER[token.name];
    }
  }
  return undefined;
}

/** What to say where an option has no value after it. */
const NOTHING_AFTER = {
  config: { id: 'cli-config', text: 'Option -c (--config) has no file after it, want -c FILE' },
  name: { id: 'cli-identity', text: 'Option --name has no name after it, want --name NAME' },
  'cluster-id': { id: 'cli-identity', text: 'Option --cluster-id has no ID after it, want --cluster-id ID' },
  timeout: { id: 'cli-watching', text: 'Option --timeout has no value after it, want --timeout SECONDS' },
} as const;

function takesText(name: Option): name is keyof typeof NOTHING_AFTER {
  return OPTIONS[name].type === 'string';
}

/** The value of an option that a key of the configuration file has too, checked as there. */
function valueOf<T>(option: string, key: ConfigKey<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const checked = key.check(text);
  if (!('want' in checked)) return checked.value;
  throw new UsageError('cli-identity', `Option ${option} is ${quoteAsAscii(text)}, want ${checked.want}`);
}

/** Why these words are no command, in one line; undefined when they are one, or none. */
function explainWords([word, extra]: readonly string[]): Notice | undefined {
  const problem = (text: string): Notice => ({ id: 'cli-command', text });
  if (word === undefined) return undefined;
  if (!isCommand(word)) {
    const near = nearest(word, [...COMMANDS, 'help']);
    const hint =
      near === undefined
        ? `want ${COMMANDS.join(', ')} or none; the name of a lock goes after --name`
        : `did you mean ${near}`;
    return problem(`Unknown command ${quote(word)}, ${hint}`);
  }
  return extra === undefined
    ? undefined
    : problem(`Unexpected argument ${quote(extra)} after ${word}, want options only`);
}

/**
 * Reads the arguments that follow the program's name.
 * @throws {UsageError} for anything that is not a command or an option of it; the message names it and the nearest known one
 */
export function parseArgs(argv: readonly string[]): Args {
  // As CTDB calls us: nothing to be read, so nothing is loaded that reads it.
  if (argv.length === 0) {
    return { command: 'helper', verbosity: 0, configFile: undefined, given: NO_IDENTITY };
  }
  const { positionals } = parseTokens({ args: [...argv], options: OPTIONS, strict: false });
  // `help check` is what people type where `check --help` is meant.
  const wantsHelp = positionals[0] === 'help';
  const words = wantsHelp ? positionals.slice(1) : positionals;
  const [word = ''] = words;
  const command = isCommand(word) ? word : 'helper';
  // What follows a mistyped option looks like a word, and the options of a mistyped command look misplaced.
  const misspelled = explain(argv, undefined);
  const mistake = misspelled ?? explainWords(words) ?? explain(argv, command);
  if (mistake !== undefined) throw new UsageError(mistake.id, mistake.text);
  let parsed;
  try {
    parsed = parseTokens({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    throw new UsageError('cli-other', `Cannot read the command line: ${reason}`, { cause: error });
  }
  const { values } = parsed;
  if (wantsHelp || values.help) return { command: 'help', topic: command === 'helper' ? undefined : command };
  if (values.version) return { command: 'version' };
  if (values.config === '')
    throw new UsageError('cli-config', 'Option -c (--config) has an empty file name, want -c FILE');
  const configFile = values.config;
  const given: Identity = {
    name: valueOf('--name', KEYS.netbiosName, values.name),
    clusterId: valueOf('--cluster-id', KEYS.expectedClusterId, values['cluster-id']),
  };
  const [json, watch, force] = [values.json ?? false, values.watch ?? false, values.force ?? false];
  const [plugin, openmetrics] = [values.plugin ?? false, values.openmetrics ?? false];
  switch (command) {
    case 'check':
      if (json && plugin)
        throw new UsageError('cli-watching', 'Options --json and --plugin exclude each other, want one');
      if (!plugin && values.timeout !== undefined)
        throw new UsageError('cli-watching', 'Option --timeout belongs to --plugin, want both or none');
      return { command, configFile, given, json, plugin: plugin ? pluginArgs(values.timeout) : undefined };
    case 'status':
      if (openmetrics && (json || watch))
        throw new UsageError(
          'cli-watching',
          `Options --openmetrics and --${json ? 'json' : 'watch'} exclude each other, want one`,
        );
      return { command, configFile, given, json, openmetrics, watch };
    case 'release':
      return { command, configFile, given, force };
    case 'helper':
      return {
        command,
        verbosity: Math.min(values.verbose?.length ?? 0, 3) as Verbosity,
        configFile,
        given,
      };
  }
}

// Nagios and Icinga give a plugin up after 60 s, and most plugins give themselves 10 s.
const PLUGIN_LIMIT_S = { standard: 10, smallest: 1, largest: 60 };

function pluginArgs(timeout: string | undefined): PluginArgs {
  const { standard, smallest, largest } = PLUGIN_LIMIT_S;
  const limitS = timeout === undefined ? standard : /^[0-9]{1,2}$/.test(timeout) ? Number(timeout) : NaN;
  if (!(limitS >= smallest && limitS <= largest))
    throw new UsageError(
      'cli-watching',
      `Option --timeout is ${quote(timeout ?? '')}, want whole seconds from ${smallest} to ${largest}`,
    );
  return { limitMs: limitS * 1_000 };
}

/** True when a plugin was asked for, whatever else is wrong with the line: its mistakes have a form of their own. */
export function wantsPlugin(argv: readonly string[]): boolean {
  return argv.includes('--plugin');
}

/** The text for `--help`, and for stderr after a mistake; whole lines, the last one ended. */
export function helpText(): string {
  return `Usage: ctdb_etcd_lock [--name NAME] [--cluster-id ID] [-c FILE] [-v|-vv|-vvv]
       ctdb_etcd_lock check|status|release [-c FILE] [OPTION...]

Takes CTDB's cluster lock in etcd v3, answers CTDB with one byte on standard
output, and holds the lock until SIGTERM or until the parent process is gone.
CTDB runs it; in ctdb.conf, section [cluster], on every node the same line:

  cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock --name NAME --cluster-id ID

CTDB compares that line on all nodes and shuts down a node that has another.
"ctdb_etcd_lock check" prints it with the name and the ID to use.

Commands for the administrator, each with --help of its own:
  check    test the configuration and the way to etcd, and say what to mend
  status   say who holds the lock
  release  take the lock away from its holder

Options:
  -c, --config FILE  read this file; without it $CTDB_BASE/etcd, or
                     /etc/ctdb/etcd when CTDB_BASE is not set
  --name NAME        the name of the lock; the configuration must have the same
  --cluster-id ID    the ID of the etcd cluster; another cluster is refused
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
