import { configError, type Entry } from './config-file.ts';
import { KEY_NAMES, keyNamed } from './config-keys.ts';
import type { ConfigError } from '../base/errors.ts';
import { GRPC_OPTIONS, isGrpcKey } from './grpc-keys.ts';
import type { Key } from './config-key.ts';
import { nearest } from '../base/nearest.ts';
import { quote } from '../base/quote.ts';

// CTDB starts a contender in each recovery; a file that is no config at all must not flood its log each time.
const MOST_WARNINGS = 10;

/** The lines of a configuration file, one per key, every value checked by itself. */
export class Settings {
  readonly file: string;
  /** What the file says without effect, one line each. */
  readonly warnings: readonly string[];
  readonly grpcOptions: Readonly<Record<string, string | number>>;
  readonly #entries = new Map<Key<unknown>, Entry>();

  /** @throws {ConfigError} for the first line whose value its key does not take */
  constructor(file: string, entries: readonly Entry[]) {
    this.file = file;
    const warnings: string[] = [];
    const grpcEntries = new Map<string, Entry>();
    for (const entry of entries) {
      const key = keyNamed(entry.key);
      if (key !== undefined) {
        warnings.push(...this.#repeated(this.#entries.get(key), entry));
        this.#entries.set(key, entry);
      } else if (GRPC_OPTIONS.has(entry.key)) {
        warnings.push(...this.#repeated(grpcEntries.get(entry.key), entry));
        grpcEntries.set(entry.key, entry);
      } else {
        warnings.push(this.#unknown(entry));
      }
    }
    for (const key of this.#entries.keys()) this.get(key);
    this.grpcOptions = this.#channelOptions(grpcEntries);
    const more = warnings.length - MOST_WARNINGS;
    this.warnings =
      more > 0
        ? [...warnings.slice(0, MOST_WARNINGS), `Config ${quote(file)}: ${more} more warnings`]
        : warnings;
  }

  has(key: Key<unknown>): boolean {
    return this.#entries.has(key);
  }

  /** The value that the file gives to `key`; undefined when it gives none. */
  get<T>(key: Key<T>): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const checked = key.check(entry.value);
    if ('want' in checked) throw this.refuse(key, checked.want, checked.hide);
    return checked.value;
  }

  /** The value that the file gives to `key`, or else its default. */
  getOrDefault<T>(key: Key<T>): T {
    const value = this.get(key);
    if (value !== undefined) return value;
    const checked = key.check(key.defaultText ?? '');
    if ('want' in checked) throw new Error(`Cannot use the default of ${key.name}: want ${checked.want}`);
    return checked.value;
  }

  /** The error for the value of a key that is set; `want` is a noun phrase. The value of a secret key is not shown. */
  refuse(key: Key<unknown>, want: string, hide = false): ConfigError {
    const entry = this.#entries.get(key);
    const value = hide || key.secret ? '(not shown)' : quote(entry?.value ?? '');
    return configError(this.file, entry?.line, `${entry?.key ?? key.name} is ${value}, want ${want}`);
  }

  #channelOptions(entries: ReadonlyMap<string, Entry>): Readonly<Record<string, string | number>> {
    const options: Record<string, string | number> = {};
    for (const [name, entry] of entries) {
      const checked = GRPC_OPTIONS.get(name)?.check(entry.value);
      if (checked === undefined) continue;
      if ('want' in checked) {
        throw configError(this.file, entry.line, `${name} is ${quote(entry.value)}, want ${checked.want}`);
      }
      options[name] = checked.value;
    }
    return Object.freeze(options);
  }

  /** The predecessor filled a dictionary, so the last line counts; nobody means to write two. */
  #repeated(earlier: Entry | undefined, entry: Entry): string[] {
    if (earlier === undefined) return [];
    const names = earlier.key === entry.key ? entry.key : `${earlier.key} and ${entry.key}`;
    const lines = `lines ${earlier.line} and ${entry.line}`;
    return [`Config ${quote(this.file)}: ${names} in ${lines} mean the same key, the last one counts`];
  }

  #unknown({ key, line }: Entry): string {
    const near = nearest(key, isGrpcKey(key) ? [...GRPC_OPTIONS.keys()] : KEY_NAMES);
    const hint = near === undefined ? '' : `, did you mean ${near}`;
    return `Config ${quote(this.file)}: line ${line}: unknown key ${quote(key)} is ignored${hint}`;
  }
}
