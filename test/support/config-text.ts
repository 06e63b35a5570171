import { readEntries } from '../../src/config/config-file.ts';
import type { Notice } from '../../src/base/log.ts';
import type { Config, Identity } from '../../src/config/config.ts';
import { NO_IDENTITY } from '../../src/config/config.ts';
import { makeConfig } from '../../src/config/make-config.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { FileValues } from '../../src/config/file-values.ts';

/** The name under which the text of a test is known to the messages. */
export const CONFIG_NAME = '/etc/ctdb/etcd';

/** What `makeConfig` makes, without the identifiers of what it says. */
interface ConfigAndTexts {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

/** What the text of a configuration file means, without any file. */
export function configOf(text: string | Uint8Array, given: Identity = NO_IDENTITY): ConfigAndTexts {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const settings = new FileValues(CONFIG_NAME, readEntries(bytes, CONFIG_NAME));
  const { config, warnings, notes } = makeConfig(CONFIG_NAME, settings, { verbosity: 0, given });
  const texts = (notices: readonly Notice[]): string[] => notices.map(({ text: words }) => words);
  return { config, warnings: texts(warnings), notes: texts(notes) };
}

/** The message of the `ConfigError` that `load` throws; '' when it throws none. Other errors pass through. */
export function configErrorOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}
