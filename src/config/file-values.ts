import { configError, type Entry } from './config-file.ts';
import { ConfigError } from '../base/errors.ts';
import type { Notice } from '../base/log.ts';
import { nearest } from '../base/nearest.ts';
import { quote, quoteAsAscii } from '../base/quote.ts';
import type { ConfigKey } from './config-key.ts';
import { keyNamed } from './config-keys.ts';
import { GRPC_OPTIONS, isGrpcKey } from './grpc-keys.ts';
import type { Checked, Refusal } from './value-checks.ts';
import { meantKey } from './meant-key.ts';

// CTDB starts a contender in each recovery. The limit keeps a file that is no configuration at all from flooding CTDB's
// log.
const MOST_WARNINGS = 10;

/** The values of a configuration file, one for each key. Each value is checked by itself. */
export class FileValues {
  readonly file: string;
  /** Lines of the file that have no effect, one warning each. */
  readonly warnings: readonly Notice[];
  readonly grpcOptions: Readonly<Record<string, string | number>>;
  readonly #entries = new Map<ConfigKey<unknown>, Entry>();

  /**
   * @throws {ConfigError} for the first line with a bad value, or with an unknown or repeated key that may say which
   * lock this is
   */
  constructor(file: string, entries: readonly Entry[]) {
    this.file = file;
    const warnings: Notice[] = [];
    const refusals: { readonly line: number; readonly error: ConfigError }[] = [];
    const grpcEntries = new Map<string, Entry>();
    for (const entry of entries) {
      const key = keyNamed(entry.key);
      const earlier = key === undefined ? grpcEntries.get(entry.key) : this.#entries.get(key);
      if (key !== undefined) this.#entries.set(key, entry);
      else if (GRPC_OPTIONS.has(entry.key)) grpcEntries.set(entry.key, entry);
      else {
        const unknown = this.#unknown(entry);
        if (!(unknown instanceof ConfigError)) warnings.push(unknown);
        else refusals.push({ line: entry.line, error: unknown });
      }
      if (earlier === undefined) continue;
      if (key?.tells !== undefined && earlier.value !== entry.value) {
        const problem = `${entry.key} is set twice, in line ${earlier.line} to another value, want one of the two`;
        refusals.push({ line: entry.line, error: configError('conf-twice', file, entry.line, problem) });
      } else warnings.push(this.#repeated(earlier, entry));
    }
    for (const [key, { line }] of this.#entries) {
      const checked = this.#check(key);
      if (checked !== undefined && 'want' in checked)
        refusals.push({ line, error: this.refuse(key, checked.want, checked) });
    }
    const [first] = refusals.sort((a, b) => a.line - b.line);
    if (first !== undefined) throw first.error;
    this.grpcOptions = this.#channelOptions(grpcEntries);
    const more = warnings.length - MOST_WARNINGS;
    this.warnings =
      more > 0
        ? [
            ...warnings.slice(0, MOST_WARNINGS),
            { id: 'warn-key', text: `Config ${quote(file)}: ${more} more warnings` },
          ]
        : warnings;
  }

  has(key: ConfigKey<unknown>): boolean {
    return this.#entries.has(key);
  }

  /** The value of `key` in the file; undefined when the file has none. */
  get<T>(key: ConfigKey<T>): T | undefined {
    const checked = this.#check(key);
    if (checked === undefined) return undefined;
    if ('want' in checked) throw this.refuse(key, checked.want, checked);
    return checked.value;
  }

  /** The value of `key` in the file, or else its default. */
  getOrDefault<T>(key: ConfigKey<T>): T {
    const value = this.get(key);
    if (value !== undefined) return value;
    const checked = key.check(key.defaultText ?? '');
    if ('want' in checked) throw new Error(`Cannot use the default of ${key.name}: want ${checked.want}`);
    return checked.value;
  }

  /** The error for the value of a key. `want` is a noun phrase. The value of a secret key is not shown. */
  refuse(key: ConfigKey<unknown>, want: string, how: Omit<Refusal, 'want'> = {}): ConfigError {
    const entry = this.#entries.get(key);
    const text = entry?.value ?? '';
    const shown = how.asAscii === true ? quoteAsAscii(text) : quote(text);
    const value = how.hide === true || key.secret ? '(not shown)' : shown;
    return configError(
      how.id ?? 'conf-refused',
      this.file,
      entry?.line,
      `${entry?.key ?? key.name} is ${value}, want ${want}`,
    );
  }

  #check<T>(key: ConfigKey<T>): Checked<T> | undefined {
    const entry = this.#entries.get(key);
    return entry === undefined ? undefined : key.check(entry.value);
  }

  #channelOptions(entries: ReadonlyMap<string, Entry>): Readonly<Record<string, string | number>> {
    const options: Record<string, string | number> = {};
    for (const [name, entry] of entries) {
      const checked = GRPC_OPTIONS.get(name)?.check(entry.value);
      if (checked === undefined) continue;
      if ('want' in checked) {
        throw configError(
          'conf-refused',
          this.file,
          entry.line,
          `${name} is ${quote(entry.value)}, want ${checked.want}`,
        );
      }
      options[name] = checked.value;
    }
    return Object.freeze(options);
  }

  /**
   * The last of two lines with the same key counts, as in the predecessor, which filled a dictionary. Two lines are
   * never intended, so there is a warning.
   */
  #repeated(earlier: Entry, entry: Entry): Notice {
    const where =
      earlier.key === entry.key
        ? `in lines ${earlier.line} and ${entry.line}`
        : `in line ${earlier.line} and as ${entry.key} in line ${entry.line}`;
    return {
      id: 'warn-twice',
      text: `Config ${quote(this.file)}: ${earlier.key} is set twice, ${where}, and the last value is used; remove the other line`,
    };
  }

  /**
   * A warning for an unknown key. It is an error when the key may say which lock this is: if only one of two nodes
   * ignored it, the nodes would use two locks.
   */
  #unknown({ key, line }: Entry): Notice | ConfigError {
    if (isGrpcKey(key)) return this.#ignored(key, line, nearest(key, [...GRPC_OPTIONS.keys()]));
    const meant = meantKey(key);
    switch (meant?.tells) {
      case 'which etcd':
        return configError(
          'conf-key',
          this.file,
          line,
          `unknown key ${quote(key)} could select another etcd, want ${meant.name}`,
        );
      case 'which lock':
        return configError(
          'conf-key',
          this.file,
          line,
          `unknown key ${quote(key)} could select another lock, want ${meant.name}`,
        );
      case undefined:
        return this.#ignored(key, line, meant?.name);
    }
  }

  #ignored(key: string, line: number, near: string | undefined): Notice {
    const hint = near === undefined ? '' : `, did you mean ${near}`;
    return {
      id: 'warn-key',
      text: `Config ${quote(this.file)}: line ${line}: unknown key ${quote(key)} is ignored${hint}`,
    };
  }
}
