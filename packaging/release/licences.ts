/** THIRD-PARTY-LICENSES: who made what is inside the binary, and on which terms. */
import type { Component } from './components.ts';

// SQLite has no licence: its authors gave it to everybody (https://sqlite.org/copyright.html).
const PUBLIC_DOMAIN = new Set(['sqlite']);

const RULE = '='.repeat(78);

/** What the runtime's licence file says it contains: name and place. */
export function runtimeParts(text: string): readonly { readonly name: string; readonly place: string }[] {
  const parts = [...text.matchAll(/^- (.+), located at (\S+), is licensed as follows:$/gm)];
  return parts.map(([, name = '', place = '']) => ({ name, place }));
}

/**
 * Fails when a library that the runtime reports at run time is not in its licence file.
 * @param versions `process.versions` of the runtime
 */
export function checkRuntimeParts(
  text: string,
  versions: Readonly<Record<string, string | undefined>>,
): void {
  const known = text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  // Names that are not those of a library, or that the licence file writes otherwise.
  const names: Readonly<Record<string, string>> = {
    ares: 'cares',
    cjs_module_lexer: 'merve',
    cldr: 'icu',
    tz: 'icu',
    unicode: 'icu',
    uv: 'libuv',
    ncrypto: 'nodejs',
    nbytes: 'nodejs',
    modules: 'nodejs',
    napi: 'nodejs',
    node: 'nodejs',
  };
  for (const library of Object.keys(versions)) {
    if (PUBLIC_DOMAIN.has(library)) continue;
    const name = (names[library] ?? library).replaceAll('_', '');
    if (!known.includes(name))
      throw new Error(`The runtime contains ${library}, and its LICENSE does not name it`);
  }
}

function section({ name, version, licence, homepage, text }: Component): string {
  return `${RULE}\n${name} ${version}\n${homepage}\nLicence: ${licence}\n${RULE}\n\n${text}\n`;
}

/** The whole file. */
export function thirdPartyLicences(components: readonly Component[]): string {
  const contents = components.map(({ name, version, licence }) => `- ${name} ${version}: ${licence}`);
  const head = `ctdb_etcd_lock is licensed under the GNU General Public License, version 3 or any
later version. The binary contains the software below, each under its own
licence; these are the licences as their authors ship them. The licence of
Node.js comes with those of the libraries inside it; SQLite, also inside it, is
in the public domain.

${contents.join('\n')}
`;
  return [head, ...components.map(section)].join('\n');
}
