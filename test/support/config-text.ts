import { readEntries } from '../../src/config/config-file.ts';
import { type LoadedConfig, makeConfig } from '../../src/config/loader.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { Settings } from '../../src/config/file-values.ts';

/** The name under which the text of a test is known to the messages. */
export const CONFIG_NAME = '/etc/ctdb/etcd';

/** What the text of a configuration file means, without any file. */
export function configOf(text: string | Uint8Array): LoadedConfig {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return makeConfig(CONFIG_NAME, new Settings(CONFIG_NAME, readEntries(bytes, CONFIG_NAME)), 0);
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
