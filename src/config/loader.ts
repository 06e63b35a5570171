/**
 * The folder `config` reads the configuration file, checks each value and all of them together, and derives the times
 * of the lock. This file makes the `Config`.
 *
 * It guarantees that a `Config` is complete and that its values do not contradict each other. It does not try them: it
 * connects to no endpoint, and a certificate or a password can still be wrong. The command `check` tries them.
 */
import type { ConfigError } from '../base/errors.ts';
import type { Notice, Verbosity } from '../base/log.ts';
import { quote } from '../base/quote.ts';
import { findHungFile, type HungFileTools } from '../base/hung-file.ts';
import { readSmallFile, type Permissions } from '../base/small-file.ts';
import type { Identity } from './config.ts';
import { configError, readEntries } from './config-file.ts';
import type { ConfigKey } from './config-key.ts';
import { KEYS } from './config-keys.ts';
import { FileValues } from './file-values.ts';
import { makeConfig, type LoadedConfig } from './make-config.ts';
import { checkNamedFiles, requireAnswers } from './named-files.ts';

/** Which configuration the command line selects. */
export interface ConfigChoice {
  /** The path after `-c`; undefined: the default path. */
  readonly configFile: string | undefined;
  readonly verbosity: Verbosity;
  readonly given: Identity;
}

/** The environment variables that have an effect. */
export interface ConfigEnvironment {
  readonly CTDB_BASE?: string | undefined;
}

// CTDB's own directory, as compiled into Samba's packages.
const DEFAULT_BASE = '/etc/ctdb';

// In bytes. A file with every key and a comment for each has 8 KiB.
const LARGEST_CONFIG_BYTES = 65_536;

/** The path to read: the one after `-c`, or `etcd` in CTDB's directory. */
export function configPathOf(args: Pick<ConfigChoice, 'configFile'>, env: ConfigEnvironment): string {
  if (args.configFile !== undefined) return args.configFile;
  const base = env.CTDB_BASE === undefined || env.CTDB_BASE === '' ? DEFAULT_BASE : env.CTDB_BASE;
  return `${base.replace(/\/$/, '')}/etcd`;
}

/** A configuration file that was read, and whose values are not checked yet. */
interface OpenedConfig {
  readonly path: string;
  readonly settings: FileValues;
  /** Undefined when there is no file, so that all keys have their defaults. */
  readonly permissions: Permissions | undefined;
}

/**
 * As `loadConfig`, but a file system that hangs does not stop the process. The configuration and the files that it names
 * are waited for at most 1.5 s each.
 * @throws {ConfigError} as `loadConfig`; and for a file whose file system does not answer
 */
export async function loadConfigInTime(
  args: ConfigChoice,
  env: ConfigEnvironment,
  tools: HungFileTools,
): Promise<LoadedConfig> {
  const path = configPathOf(args, env);
  const hung = await findHungFile([path], tools);
  if (hung !== undefined) throw configError('conf-hung', path, undefined, hung.problem);
  const opened = openConfig(args, env);
  await requireAnswers(opened.settings, tools);
  return checkConfig(opened, args);
}

/**
 * Reads and checks the configuration.
 * @throws {ConfigError} with one line: the file, the line number, the key, the value and what was expected
 */
export function loadConfig(args: ConfigChoice, env: ConfigEnvironment): LoadedConfig {
  return checkConfig(openConfig(args, env), args);
}

function openConfig(args: ConfigChoice, env: ConfigEnvironment): OpenedConfig {
  const path = configPathOf(args, env);
  const source = readSmallFile(path, LARGEST_CONFIG_BYTES);
  if (source.kind === 'unusable') throw unusable(path, source.problem);
  if (source.kind === 'absent') {
    if (args.configFile !== undefined)
      throw configError('conf-missing', path, undefined, 'no such file, want an existing one after -c');
    return { path, settings: new FileValues(path, []), permissions: undefined };
  }
  const settings = new FileValues(path, readEntries(source.bytes, path));
  return { path, settings, permissions: source.permissions };
}

function checkConfig({ path, settings, permissions }: OpenedConfig, args: ConfigChoice): LoadedConfig {
  if (permissions === undefined) return makeConfig(undefined, settings, args);
  const loaded = makeConfig(path, settings, args);
  const warnings = [
    ...loaded.warnings,
    ...checkNamesEtcd(settings),
    ...checkNamedFiles(settings, permissions),
  ];
  return { ...loaded, warnings };
}

function unusable(path: string, problem: string): ConfigError {
  return problem.includes('EACCES')
    ? configError('conf-permission', path, undefined, `${problem}; run as root`)
    : configError('conf-kind', path, undefined, problem);
}

/** Warns about a file that names no endpoint. The default is the local host, which is another etcd on each node. */
function checkNamesEtcd(settings: FileValues): Notice[] {
  const naming: readonly ConfigKey<unknown>[] = [KEYS.hosts, KEYS.host, KEYS.port, KEYS.srvDomain];
  if (naming.some((key) => settings.has(key))) return [];
  const text = `Config ${quote(settings.file)} sets no hosts, so the helper asks 127.0.0.1:2379 on this node`;
  return [{ id: 'warn-no-etcd', text: `${text}; set hosts, the same on all nodes` }];
}
