/** How much is said: 0 failures and warnings, 1 what happened (-v), 2 how (-vv), 3 everything (-vvv). */
export type Verbosity = 0 | 1 | 2 | 3;

/** One line on stderr per event. No call blocks or throws. */
export interface Log {
  /** Something failed that the administrator must see. */
  error(message: string): void;
  /** Something is wrong, but the helper goes on. */
  warning(message: string): void;
  /** With -v: taken, released, contended. */
  info(message: string): void;
  /** With -vv: renewals, members changed, watches re-opened. Pass a function where the text costs something. */
  detail(message: string | (() => string)): void;
  /** With -vvv: each call. */
  trace(message: string | (() => string)): void;
}
