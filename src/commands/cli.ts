import { parseArgs as parseTokens } from 'node:util';
import { UsageError } from '../base/errors.ts';
import type { Notice, Verbosity } from '../base/log.ts';
import { nearest } from '../base/nearest.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import { NO_IDENTITY, type Identity } from '../config/config.ts';
import type { ConfigKey } from '../config/config-key.ts';
import { KEYS } from '../config/config-keys.ts';

/** The administrator's commands. CTDB starts the program without a command. */
export const COMMANDS = ['check', 'status', 'release'] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Options of `check` as a plugin of Nagios or a compatible monitor. */
export interface PluginArgs {
  /** Time limit in milliseconds. At the limit the line is printed with what is known. */
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
      /** Undefined: help for the whole program. */
      readonly topic: CommandName | undefined;
    }
  | CommandArgs
  | {
      /** Takes the lock, answers CTDB, holds the lock and releases it. */
      readonly command: 'helper';
      readonly verbosity: Verbosity;
      /** The path after `-c`; undefined: the default path. */
      readonly configFile: string | undefined;
      readonly given: Identity;
    };

// The options of Samba's helper, `--help` and `--version`, and the options of the commands.
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

/** The options of each command. `helper` is the call without a command. */
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

/** Says that `rawName` is not an option of `command`, or of any command, and which option may have been meant. */
function notAnOption(name: string, rawName: string, command: CommandName | 'helper' | undefined): string {
  if (isOption(name) && command !== undefined) {
    const takers = COMMANDS.filter((other) => OPTIONS_OF[other].includes(name)).join(' and ');
    return command === 'helper'
      ? `Option ${rawName} belongs to ${takers}, want a command before it`
      : `Option ${rawName} is not one of ${command}, see ctdb_etcd_lock ${command} --help`;
  }
  // A single letter can be a mistyped form of any option, so a suggestion is made for whole words only.
  const near = nearest(
    rawName,
    Object.keys(OPTIONS).map((option) => `--${option}`),
  );
  return `Unknown option ${quote(rawName)}${near === undefined ? '' : `, did you mean ${near}`}`;
}

/**
 * Finds the first wrong option: one line that names it and the option that may have been meant. Undefined when no
 * option is wrong. Without `command`, every option of any command is right.
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
      // A value that looks like an option is more likely a missing value. `--config=-a` passes such a value.
      return NOTHING_AFTER[token.name];
    }
  }
  return undefined;
}

/** The messages for an option without a value. */
const NOTHING_AFTER = {
  config: { id: 'cli-config', text: 'Option -c (--config) has no file after it, want -c FILE' },
  name: { id: 'cli-identity', text: 'Option --name has no name after it, want --name NAME' },
  'cluster-id': { id: 'cli-identity', text: 'Option --cluster-id has no ID after it, want --cluster-id ID' },
  timeout: { id: 'cli-watching', text: 'Option --timeout has no value after it, want --timeout SECONDS' },
} as const;

function takesText(name: Option): name is keyof typeof NOTHING_AFTER {
  return OPTIONS[name].type === 'string';
}

/**
 * The value of an option that is also a key of the configuration file. Both have the same check.
 * @throws {UsageError} when the check refuses it
 */
function valueOf<T>(option: string, key: ConfigKey<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  const checked = key.check(text);
  if (!('want' in checked)) return checked.value;
  throw new UsageError('cli-identity', `Option ${option} is ${quoteAsAscii(text)}, want ${checked.want}`);
}

/** Says in one line why these words are not a command. Undefined when they are one, or when there are none. */
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
 * Reads the arguments after the program's name.
 * @throws {UsageError} for an unknown command, or an option that the command does not have; the message suggests the
 * nearest known one
 */
export function parseArgs(argv: readonly string[]): Args {
  // CTDB starts the program without arguments. The parser is not loaded then, which makes the start faster.
  if (argv.length === 0) {
    return { command: 'helper', verbosity: 0, configFile: undefined, given: NO_IDENTITY };
  }
  const { positionals } = parseTokens({ args: [...argv], options: OPTIONS, strict: false });
  // `help check` means `check --help`.
  const wantsHelp = positionals[0] === 'help';
  const words = wantsHelp ? positionals.slice(1) : positionals;
  const [word = ''] = words;
  const command = isCommand(word) ? word : 'helper';
  // The order matters. The word after a mistyped option looks like a command, and the options after a mistyped command
  // look wrong. So options that no command has come first.
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

// Nagios and Icinga stop a plugin after 60 s. Most plugins have a limit of 10 s.
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

/**
 * True when the arguments ask for a plugin, even if they contain mistakes: a plugin reports a mistake in its own
 * format.
 */
export function wantsPlugin(argv: readonly string[]): boolean {
  return argv.includes('--plugin');
}
