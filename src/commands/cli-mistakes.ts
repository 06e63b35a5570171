import { parseArgs as parseTokens } from 'node:util';
import type { Notice } from '../base/log.ts';
import { nearest } from '../base/nearest.ts';
import { quote } from '../base/quote.ts';
import {
  COMMANDS,
  type CommandName,
  isCommand,
  isOption,
  type Option,
  OPTIONS,
  OPTIONS_OF,
} from './options.ts';

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
export function explain(
  argv: readonly string[],
  command: CommandName | 'helper' | undefined,
): Notice | undefined {
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

/** Says in one line why these words are not a command. Undefined when they are one, or when there are none. */
export function explainWords([word, extra]: readonly string[]): Notice | undefined {
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
