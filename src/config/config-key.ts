import type { Checker } from './value-checks.ts';

/** One key of the configuration file: all that the parser, its messages and the documentation know about it. */
export interface ConfigKey<T> {
  readonly name: string;
  /** Other names that mean the same. */
  readonly aliases: readonly string[];
  /** Where the key comes from: Samba's helper, the clients python-etcd and etcd3, or ours. */
  readonly origin: 'Samba' | 'python-etcd' | 'etcd3' | 'new';
  readonly type: string;
  /** '' when the value has none. */
  readonly unit: string;
  /** What the key takes, as a noun phrase that follows "want". */
  readonly range: string;
  /** As it would stand in the file; undefined when leaving the key out is a setting of its own. */
  readonly defaultText: string | undefined;
  /** What it does, one or two sentences without an end. */
  readonly meaning: string;
  /** What the key says about the lock's identity: which etcd holds it, or which lock it is there. */
  readonly tells: 'which etcd' | 'which lock' | undefined;
  /** The value is never shown. */
  readonly secret: boolean;
  readonly check: Checker<T>;
}

/** What a key may leave out or must add to its name, type and range. */
export type KeyParts<T> = Pick<ConfigKey<T>, 'origin' | 'meaning'> &
  Partial<Pick<ConfigKey<T>, 'aliases' | 'unit' | 'defaultText' | 'tells' | 'secret'>>;

/** Makes a key whose range text is also what its checker wants. */
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
