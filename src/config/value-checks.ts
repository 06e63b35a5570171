/** Why the text of a key is refused. */
export interface Refusal {
  /** A noun phrase that follows "want". */
  readonly want: string;
  /** True: the text may hold a secret and is not shown. */
  readonly hide?: boolean;
  /** True: everything except ASCII is shown escaped, because a character that looks like ASCII may be the mistake. */
  readonly asAscii?: boolean;
  /** The entry in docs/failure-guide.md; `conf-refused` when undefined. */
  readonly id?: string;
}

/** The result of a check: the value, or why the text is refused. */
export type Checked<T> = { readonly value: T } | Refusal;

/** Converts the text of a key to its value. Pure, never throws. */
export type Checker<T> = (text: string) => Checked<T>;

/** A whole number in decimal digits. */
export function wholeNumber(smallest: number, largest: number, want: string): Checker<number> {
  return (text) => {
    const value = /^\+?[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= smallest && value <= largest ? { value } : { want };
  };
}

/** Seconds with or without decimals. The result is in whole milliseconds; `smallest` and `largest` are in seconds. */
export function seconds(smallest: number, largest: number, want: string): Checker<number> {
  return (text) => {
    const value = /^\+?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})$/.test(text) ? Number(text) : NaN;
    return value >= smallest && value <= largest ? { value: Math.round(value * 1000) } : { want };
  };
}

const YES = ['yes', 'true', 'on', '1'];
const NO = ['no', 'false', 'off', '0'];

/** Yes or no, in the spellings of smb.conf and of Python. */
export function yesOrNo(want: string): Checker<boolean> {
  return (text) => {
    const word = text.toLowerCase();
    if (YES.includes(word)) return { value: true };
    return NO.includes(word) ? { value: false } : { want };
  };
}

/** One of a few words, in upper or lower case. */
export function oneOf<const T extends string>(words: readonly T[], want: string): Checker<T> {
  return (text) => {
    const value = words.find((word) => word === text.toLowerCase());
    return value === undefined ? { want } : { value };
  };
}

/** Any text except the empty one. */
export function anyText(want: string): Checker<string> {
  return (text) => (text === '' ? { want } : { value: text });
}

/**
 * The path of a file. A relative path is refused: CTDB starts the helper in `/` and an administrator elsewhere, so it
 * would name two files.
 */
export function absolutePath(want: string): Checker<string> {
  return (text) => (text.startsWith('/') ? { value: text } : { want });
}

const LARGEST_UINT64 = 2n ** 64n - 1n;

/** A cluster ID as etcd shows it: decimal, or hex when it has a letter or starts with `0x`. The result is decimal. */
export function clusterId(want: string): Checker<string> {
  return (text) => {
    const match = /^(0x)?([0-9a-f]{1,20})$/i.exec(text);
    const [, prefix, digits = ''] = match ?? [];
    if (match === null) return { want };
    const value = BigInt(prefix !== undefined || /[a-f]/i.test(digits) ? `0x${digits}` : digits);
    return value > 0n && value <= LARGEST_UINT64 ? { value: value.toString() } : { want };
  };
}
