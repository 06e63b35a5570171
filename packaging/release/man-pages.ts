/** Fills the templates of the manual pages (packaging/man) with what the code knows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS, type CommandName } from '../../src/commands/options.ts';
import { helpText } from '../../src/commands/program-text.ts';
import { commandHelp } from '../../src/commands/help.ts';
import { KEYS, MEANINGLESS_KEYS } from '../../src/config/config-keys.ts';
import { GRPC_OPTIONS } from '../../src/config/grpc-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';
import { KEY_EXAMPLES } from './key-examples.ts';
import { PACKAGING, VERSION } from './project.ts';

/** The pages by file name. */
export const PAGES = ['ctdb-etcd.7', 'ctdb-etcd-event.7', 'ctdb_etcd_lock.8'] as const;
export type Page = (typeof PAGES)[number];

/** Text in which nothing is markup. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replace(/^([.'])/, '\\&$1');
}

/** Text for the line of a macro: a word that mdoc would take for a macro, or for punctuation, is kept as it is. */
function argument(text: string): string {
  return text
    .split(' ')
    .map((word) => (/^([A-Z][a-z]|[.,:;()[\]?!|])$/.test(word) ? `\\&${plain(word)}` : plain(word)))
    .join(' ');
}

/** A sentence on a line of its own, as mdoc wants them. */
const sentences = (text: string): string[] => text.split(/(?<=[.;]) (?=[A-Z])/).map(plain);

function keyItem(key: ConfigKey<unknown>, example: string): string[] {
  const unit = key.unit === '' ? '' : ` Pq ${key.unit}`;
  const standard = key.defaultText === undefined ? [] : ['Default:', `.Ql ${argument(key.defaultText)} .`];
  const alias =
    key.aliases.length === 0 ? [] : ['Old name:', `.Ic ${key.aliases.map(argument).join(' , ')} .`];
  return [
    `.It Ic ${argument(key.name)} No = Ar ${argument(key.type)}${unit}`,
    ...sentences(`${key.meaning}.`),
    plain(`Takes ${key.range}.`),
    ...standard,
    'Example:',
    `.Ql ${argument(`${key.name} = ${example}`)} .`,
    ...alias,
  ];
}

function list(items: readonly (readonly string[])[]): string {
  return ['.Bl -tag -width Ds', ...items.flat(), '.El'].join('\n');
}

function keys(): string {
  const meaningless: ReadonlySet<ConfigKey<unknown>> = new Set(MEANINGLESS_KEYS);
  const ids = Object.keys(KEYS) as (keyof typeof KEYS)[];
  const useful = ids.filter((id) => !meaningless.has(KEYS[id]));
  return list(useful.map((id) => keyItem(KEYS[id], KEY_EXAMPLES[id])));
}

function meaninglessKeys(): string {
  return list(MEANINGLESS_KEYS.map((key) => [`.It Ic ${argument(key.name)}`, plain(`${key.meaning}.`)]));
}

function channelOptions(): string {
  const settable = [...GRPC_OPTIONS].filter(([, { want }]) => !want.startsWith('no such line'));
  return list(settable.map(([name, { want }]) => [`.It Ic ${argument(name)}`, plain(`Takes ${want}.`)]));
}

interface Option {
  /** Undefined when it has only a word. */
  readonly letter: string | undefined;
  readonly word: string;
  readonly value: string | undefined;
  readonly meaning: string;
}

const sentence = (text: string): string => plain(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`);

/** The options as `--help` shows them. */
export function optionsOf(help: string): Option[] {
  const found = help.matchAll(/^ {2}(?:-(\w), )?--([\w-]+)(?: ([A-Z]+))? {2,}(.+)((?:\n {10,}.+)*)/gm);
  return [...found].map(([, letter, word = '', value, first = '', rest = '']) => {
    return { letter, word, value, meaning: (first + rest).replaceAll(/\s+/g, ' ') };
  });
}

function optionItem({ letter, word, value, meaning }: Option): string[] {
  const words = value === undefined ? `Fl \\-${plain(word)}` : `Fl \\-${plain(word)} Ns = Ns Ar ${value}`;
  const ar = value === undefined ? '' : ` Ar ${value}`;
  const short = letter === undefined ? '' : `Fl ${letter}${ar} , `;
  return [`.It ${short}${words}`, sentence(meaning)];
}

function options(): string {
  return list(optionsOf(helpText()).map(optionItem));
}

/** The parts of a command's help. */
export function partsOf(help: string): { about: string; exit: string; examples: string } {
  const [, about = '', exit = '', examples = ''] =
    /^Usage: .*\n(?: +ctdb_etcd_lock .*\n)*\n([^]*?)\n\nOptions:\n[^]*\nExit status: ([^]*?)\n\nExamples:\n([^]*)$/.exec(
      help,
    ) ?? [];
  if (about === '')
    throw new Error(`The help of a command has another form than the manual page expects:\n${help}`);
  const line = (text: string): string => text.replaceAll(/\s+/g, ' ');
  return { about: line(about), exit: line(exit), examples };
}

function command(name: CommandName): string[] {
  const help = commandHelp(name);
  const { about, exit } = partsOf(help);
  // The options that every command has are explained above.
  const own = optionsOf(help).filter(({ letter }) => letter === undefined);
  const usage = own
    .map(({ word, value }) => ` Oo Fl \\-${plain(word)}${value === undefined ? '' : ` Ar ${value}`} Oc`)
    .join('');
  return [
    `.It Cm ${name} Oo Fl c Ar file Oc${usage}`,
    ...sentences(about),
    list(own.map(optionItem)),
    '.Pp',
    ...sentences(`Exit status: ${exit}`),
  ];
}

function commands(): string {
  return list(COMMANDS.map(command));
}

function commandExamples(): string {
  const lines = COMMANDS.flatMap((name) => partsOf(commandHelp(name)).examples.trimEnd().split('\n'));
  return ['.Bd -literal -offset indent', ...lines.map((line) => plain(line.trim())), '.Ed'].join('\n');
}

/** The date as mdoc wants it. */
function dateOf(epoch: number): string {
  return new Date(epoch * 1000).toLocaleDateString('en-US', {
    timeZone: 'UTC',
    year: 'numeric',
    month: 'long',
    day: 'numeric',
  });
}

/** Breaks long lines of text, outside displays and macros; `mandoc -Tlint` wants at most 80 bytes. */
function wrap(source: string): string {
  let isLiteral = false;
  return source
    .split('\n')
    .map((line) => {
      if (line.startsWith('.Bd')) isLiteral = true;
      if (line.startsWith('.Ed')) isLiteral = false;
      if (isLiteral || line.startsWith('.')) return line;
      // A line must not come to start with a character that makes it a macro.
      return line.replaceAll(/(?=.{79})(.{1,78}) (?![.'])/g, '$1\n');
    })
    .join('\n');
}

/** The finished source of a page. */
export function manPage(page: Page, epoch: number): string {
  const parts: Readonly<Record<string, () => string>> = {
    DATE: () => dateOf(epoch),
    VERSION: () => VERSION,
    KEYS: keys,
    MEANINGLESS_KEYS: meaninglessKeys,
    CHANNEL_OPTIONS: channelOptions,
    OPTIONS: options,
    COMMANDS: commands,
    COMMAND_EXAMPLES: commandExamples,
  };
  const template = readFileSync(join(PACKAGING, 'man', `${page}.in`), 'utf8');
  const source = template.replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new Error(`${page}.in wants @${name}@, which nothing provides`);
    return part();
  });
  return wrap(source);
}
