import type { Checker } from './value-checks.ts';

/** One key of the configuration file: what the parser, the messages and the documentation need of it. */
export interface ConfigKey<T> {
  readonly name: string;
  /** Other names of the same key. */
  readonly aliases: readonly string[];
  /** The program that had the key first: Samba's helper, the clients python-etcd and etcd3, or none of them (`new`). */
  readonly origin: 'Samba' | 'python-etcd' | 'etcd3' | 'new';
  readonly type: string;
  /** Empty when the value has no unit. */
  readonly unit: string;
  /** The values that the key takes, as a noun phrase that follows "want". */
  readonly range: string;
  /** The default as it would be written in the file. Undefined when leaving the key out has a meaning of its own. */
  readonly defaultText: string | undefined;
  /** What the key does: one or two sentences without a final period. */
  readonly meaning: string;
  /** What the key says about the identity of the lock: which etcd stores it, or which lock of that etcd it is. */
  readonly tells: 'which etcd' | 'which lock' | undefined;
  /** The value is never shown. */
  readonly secret: boolean;
  readonly check: Checker<T>;
}

/** The parts of a key that differ from the defaults of `makeKey`, and those that have no default. */
export type KeyParts<T> = Pick<ConfigKey<T>, 'origin' | 'meaning'> &
  Partial<Pick<ConfigKey<T>, 'aliases' | 'unit' | 'defaultText' | 'tells' | 'secret'>>;

/** Makes a key. Its range text is also the text with which its check refuses a value. */
export function makeKey<T>(
  name: string,
  type: string,
  range: string,
  makeChecker: (want: string) => Checker<T>,
  parts: KeyParts<T>,
): ConfigKey<T> {
  return Object.freeze({
    aliases: [],
    unit: '',
    defaultText: undefined,
    tells: undefined,
    secret: false,
    ...parts,
    name,
    type,
    range,
    check: makeChecker(range),
  });
}
