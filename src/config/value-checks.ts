/** The text of a key is not what the key takes. */
export interface Refusal {
  /** A noun phrase that follows "want". */
  readonly want: string;
  /** The text may hold a secret and must not be shown. */
  readonly hide?: boolean;
  /** All but ASCII is shown escaped: it is what is wrong with the text, and may look like ASCII. */
  readonly asAscii?: boolean;
  /** The identifier of its entry in the failure guide; `conf-refused` without one. */
  readonly id?: string;
}

/** What became of the text of a key: its value, or the reason why it has none. */
export type Checked<T> = { readonly value: T } | Refusal;

/** Turns the text of a key into its value. Pure, never throws. */
export type Checker<T> = (text: string) => Checked<T>;

/** A whole number in decimal digits. */
export function wholeNumber(smallest: number, largest: number, want: string): Checker<number> {
  return (text) => {
    const value = /^\+?[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
    return value >= smallest && value <= largest ? { value } : { want };
  };
}

/** Seconds with or without decimals, into whole milliseconds; the limits are seconds. */
export function seconds(smallest: number, largest: number, want: string): Checker<number> {
  return (text) => {
    const value = /^\+?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})$/.test(text) ? Number(text) : NaN;
    return value >= smallest && value <= largest ? { value: Math.round(value * 1000) } : { want };
  };
}

const YES = ['yes', 'true', 'on', '1'];
const NO = ['no', 'false', 'off', '0'];

/** Yes or no in the spellings of smb.conf and of Python. */
export function yesOrNo(want: string): Checker<boolean> {
  return (text) => {
    const word = text.toLowerCase();
    if (YES.includes(word)) return { value: true };
    return NO.includes(word) ? { value: false } : { want };
  };
}

/** One of a few words, upper and lower case alike. */
export function oneOf<const T extends string>(words: readonly T[], want: string): Checker<T> {
  return (text) => {
    const value = words.find((word) => word === text.toLowerCase());
    return value === undefined ? { want } : { value };
  };
}

/** Any text but none. */
export function anyText(want: string): Checker<string> {
  return (text) => (text === '' ? { want } : { value: text });
}

/** The path of a file. CTDB starts us in `/` and an administrator elsewhere, so a relative path would be two files. */
export function absolutePath(want: string): Checker<string> {
  return (text) => (text.startsWith('/') ? { value: text } : { want });
}

const LARGEST_UINT64 = 2n ** 64n - 1n;

/** A cluster ID as etcd shows it: decimal, or hex when it has a letter or starts with 0x; into decimal. */
export function clusterId(want: string): Checker<string> {
  return (text) => {
    const match = /^(0x)?([0-9a-f]{1,20})$/i.exec(text);
    const [, prefix, digits = ''] = match ?? [];
    if (match === null) return { want };
    const value = BigInt(prefix !== undefined || /[a-f]/i.test(digits) ? `0x${digits}` : digits);
    return value > 0n && value <= LARGEST_UINT64 ? { value: value.toString() } : { want };
  };
}
