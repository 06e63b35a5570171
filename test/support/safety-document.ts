import { readFileSync, writeFileSync } from 'node:fs';

const DOCUMENT = new URL('../../docs/safety-tests.md', import.meta.url);

const begin = (name: string): string => `<!-- ${name}: written by a command, see above -->\n`;
const end = (name: string): string => `<!-- end of ${name} -->`;

/** Where a generated part of a document is. */
function placeOf(document: string, name: string): { readonly from: number; readonly to: number } {
  const at = document.indexOf(begin(name));
  const to = document.indexOf(end(name), at);
  if (at < 0 || to < 0) throw new Error(`Cannot find the place of "${name}" in docs/safety-tests.md`);
  return { from: at + begin(name).length, to };
}

/** What docs/safety-tests.md says of the runs of one kind. */
export function readSafetyPart(name: string): string {
  const document = readFileSync(DOCUMENT, 'utf8');
  const { from, to } = placeOf(document, name);
  return document.slice(from, to);
}

/** Puts the outcome of a run into docs/safety-tests.md. */
export function writeSafetyPart(name: string, text: string): void {
  const document = readFileSync(DOCUMENT, 'utf8');
  const { from, to } = placeOf(document, name);
  writeFileSync(DOCUMENT, `${document.slice(0, from)}${text.trimEnd()}\n${document.slice(to)}`);
}

/** The cells of a Markdown table, without its head. */
export function rowsOf(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter(([first = '']) => !/^:?-+:?$/.test(first));
}
