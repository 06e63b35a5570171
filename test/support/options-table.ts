import { KEY_EXAMPLES } from '../../packaging/release/key-examples.ts';
import { KEYS } from '../../src/config/config-keys.ts';
import { GRPC_OPTIONS } from '../../src/config/grpc-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';

/** The line before and the line after each generated table in docs/configuration.md. */
const BEGIN = (name: string): string => `<!-- table of ${name}, written by test/support/write-options.ts -->`;
const END = '<!-- end of table -->';

const cell = (text: string): string => (text === '' ? '–' : text.replaceAll('|', '\\|'));

function row(cells: readonly string[]): string {
  return `| ${cells.map(cell).join(' | ')} |`;
}

const code = (text: string): string => `\`${text}\``;

function keyRow(key: ConfigKey<unknown>, example: string): string {
  const names = [key.name, ...key.aliases].map(code).join(', old name ');
  const standard = key.defaultText === undefined ? '' : code(key.defaultText);
  return row([names, key.meaning, standard, key.range, code(`${key.name} = ${example}`), key.origin]);
}

/** The table of all keys, from their definition. */
function keysTable(): string {
  const head = ['key', 'meaning', 'default', 'range', 'example', 'from'];
  const ids = Object.keys(KEYS) as (keyof typeof KEYS)[];
  const rows = ids.map((id) => keyRow(KEYS[id], KEY_EXAMPLES[id]));
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

/** The table of the channel options that may be set, from their definition. */
function channelOptionsTable(): string {
  const settable = [...GRPC_OPTIONS].filter(([, { want }]) => !want.startsWith('no such line'));
  const head = ['channel option', 'range'];
  const rows = settable.map(([name, { want }]) => row([`\`${name}\``, want]));
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

/** `document` with each of its tables written anew. Throws when a table's place is missing. */
export function withTables(document: string): string {
  let result = document;
  for (const [name, table] of [
    ['keys', keysTable()],
    ['channel options', channelOptionsTable()],
  ] as const) {
    const begin = result.indexOf(BEGIN(name));
    const end = result.indexOf(END, begin);
    if (begin < 0 || end < 0) throw new Error(`Cannot write the table of ${name}: no place for it`);
    result = `${result.slice(0, begin)}${BEGIN(name)}\n${table}\n${result.slice(end)}`;
  }
  return result;
}
