/** The administrator's commands. CTDB starts the program without a command. */
export const COMMANDS = ['check', 'status', 'release'] as const;
export type CommandName = (typeof COMMANDS)[number];

// The options of Samba's helper, `--help` and `--version`, and the options of the commands.
export const OPTIONS = {
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
export type Option = keyof typeof OPTIONS;

/** The options of each command. `helper` is the call without a command. */
export const OPTIONS_OF: Readonly<Record<CommandName | 'helper', readonly Option[]>> = {
  helper: ['config', 'name', 'cluster-id', 'verbose', 'help', 'version'],
  check: ['config', 'name', 'cluster-id', 'json', 'plugin', 'timeout', 'help'],
  status: ['config', 'name', 'cluster-id', 'json', 'openmetrics', 'watch', 'help'],
  release: ['config', 'name', 'cluster-id', 'force', 'help'],
};

export function isOption(name: string): name is Option {
  return Object.hasOwn(OPTIONS, name);
}

export function isCommand(word: string): word is CommandName {
  return COMMANDS.some((command) => command === word);
}
