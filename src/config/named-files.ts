import { KEYS } from './config-keys.ts';
import type { ConfigKey } from './config-key.ts';
import type { Notice } from '../base/log.ts';
import { quote } from '../base/quote.ts';
import type { FileValues } from './file-values.ts';
import { findHungFile, type HungFileTools } from '../base/hung-file.ts';
import { lookAtFile, type Permissions } from '../base/small-file.ts';

const FILE_KEYS: readonly ConfigKey<string>[] = [
  KEYS.caCert,
  KEYS.cert,
  KEYS.key,
  KEYS.keyPasswordFile,
  KEYS.passwordFile,
];

/** True when users other than the owner and the group root may read the file. */
function isReadableByOthers({ mode, groupId }: Permissions): boolean {
  return (mode & 0o004) !== 0 || ((mode & 0o040) !== 0 && groupId !== 0);
}

/** True when users other than the owner and the group root may write the file. */
export function isWritableByOthers({ mode, groupId }: Permissions): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && groupId !== 0);
}

/** Quotes `path` for a shell, for a command that is copied from a message. */
export function shellWord(path: string): string {
  return /^[\w./@%+,:-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/**
 * True when the file that `key` names holds a secret. A certificate file does only when it also holds the private key.
 */
function holdsSecret(settings: FileValues, key: ConfigKey<string>): boolean {
  return key !== KEYS.caCert && (key !== KEYS.cert || !settings.has(KEYS.key));
}

/**
 * Waits until the file systems of all files that the configuration names have answered.
 * @throws {ConfigError} for the first file whose file system does not answer within 1.5 s
 */
export async function requireAnswers(settings: FileValues, tools: HungFileTools): Promise<void> {
  const keys = FILE_KEYS.filter((key) => settings.has(key));
  const hung = await findHungFile(
    keys.map((key) => settings.get(key) ?? ''),
    tools,
  );
  const key = hung === undefined ? undefined : keys[hung.index];
  if (hung !== undefined && key !== undefined)
    throw settings.refuse(key, `a file that can be read, but ${hung.problem}`, { id: 'conf-hung' });
}

/**
 * Checks the files that the configuration names, without opening them.
 * @returns one warning for each file that holds a secret and that others can read, the configuration included
 * @throws {ConfigError} for a file that is missing or not a regular file
 */
export function checkNamedFiles(settings: FileValues, configPermissions: Permissions): Notice[] {
  const exposed = new Set<string>();
  if (settings.has(KEYS.password) && isReadableByOthers(configPermissions)) exposed.add(settings.file);
  for (const key of FILE_KEYS) {
    const path = settings.get(key);
    if (path === undefined) continue;
    const look = lookAtFile(path);
    if (look.kind === 'absent') throw settings.refuse(key, 'an existing file', { id: 'conf-file' });
    if (look.kind === 'unusable')
      throw settings.refuse(key, `a file that can be read, but ${look.problem}`, { id: 'conf-file' });
    if (holdsSecret(settings, key) && isReadableByOthers(look.permissions)) exposed.add(path);
  }
  return [...exposed].map((path): Notice => ({
    id: 'warn-secret',
    text: `File ${quote(path)} holds a secret, and other users can read it; run chmod 600 ${shellWord(path)}`,
  }));
}
