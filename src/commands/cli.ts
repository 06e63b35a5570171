import { parseArgs as parseTokens } from 'node:util';
import { UsageError } from '../base/errors.ts';
import type { Verbosity } from '../base/log.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import { NO_IDENTITY, type Identity } from '../config/config.ts';
import type { ConfigKey } from '../config/config-key.ts';
import { KEYS } from '../config/config-keys.ts';
import { explain, explainWords } from './cli-mistakes.ts';
import { type CommandName, isCommand, OPTIONS } from './options.ts';

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
