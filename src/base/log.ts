/** How much is said: 0 failures and warnings, 1 what happened (-v), 2 how (-vv), 3 everything (-vvv). */
export type Verbosity = 0 | 1 | 2 | 3;

/** One line that is still to be logged. */
export interface Notice {
  /** The identifier of its entry in docs/failure-guide.md; it stands at the end of the line, in brackets. */
  readonly id: string;
  readonly text: string;
}

/** A text, or what makes it where that costs something and may not be wanted. */
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
  /** With -v: taken, released, contended. */
  info(id: string, message: string): void;
  /** With -vv: members changed, watches re-opened. */
  detail(id: string, message: Text): void;
  /**
   * With -vv: an attempt that failed and is made again. A take asks the same members over and over, so its attempts are counted
   * and said once each, in front of the line that says how it ended.
   */
  attempt(id: string, message: string): void;
  /** With -vvv: each call. */
  trace(id: string, message: Text): void;
}

/** A log that says nothing. */
export const SILENT_LOG: Log = {
  error: () => undefined,
  warning: () => undefined,
  info: () => undefined,
  detail: () => undefined,
  attempt: () => undefined,
  trace: () => undefined,
};
