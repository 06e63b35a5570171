/**
 * How much is logged: 0 failures and warnings, 1 events of the lock (-v), 2 how they came about (-vv), 3 each call
 * (-vvv).
 */
export type Verbosity = 0 | 1 | 2 | 3;

/** One line that has not been logged yet. */
export interface Notice {
  /** The entry of the line in docs/failure-guide.md. The log puts it in brackets at the end of the line. */
  readonly id: string;
  readonly text: string;
}

/** A text, or a function that makes it. The function is called only when the line is logged, which saves work. */
export type Text = string | (() => string);

/**
 * One line on stderr per event. No call blocks or throws. The first argument of each is the identifier of the event's
 * entry in docs/failure-guide.md.
 */
export interface Log {
  /** Something failed that the administrator must see. */
  error(id: string, message: string): void;
  /** Something is wrong, but the helper goes on. */
  warning(id: string, message: string): void;
  /** With -v: the lock was taken, released, or is held by another helper. */
  info(id: string, message: string): void;
  /** With -vv: members changed, watches were opened again. */
  detail(id: string, message: Text): void;
  /**
   * With -vv: an attempt failed and will be made again. An acquire asks the same members many times, so equal attempts
   * are counted and logged once, before the line with the result.
   */
  attempt(id: string, message: string): void;
  /** With -vvv: each call. */
  trace(id: string, message: Text): void;
}

/** A log that drops every line. */
export const SILENT_LOG: Log = {
  error: () => undefined,
  warning: () => undefined,
  info: () => undefined,
  detail: () => undefined,
  attempt: () => undefined,
  trace: () => undefined,
};
