import type { UptimeClock } from '../base/clock.ts';

/**
 * Kills a helper that is frozen past its deadline, because a frozen process cannot end itself. The watchdog is a second
 * process. After each proven renewal it is told the instant at which it must act. It does not notice a pause of the
 * whole machine that /proc/uptime does not count, such as the pause of a virtual machine.
 */
export interface Watchdog {
  /** Starts the process. A failure to start it has no effect on the lock. Never blocks, never throws. */
  start(): void;
  /**
   * Sets the instant at which the helper is killed, on the scale of `Clock.now()`. Each call replaces the instant
   * before.
   */
  feed(untilMs: number): void;
  /** Ends the watchdog process, because the helper claims no lock any more. */
  release(): void;
}

/**
 * From the deadline until the watchdog acts, in milliseconds. A helper that runs can end by itself in this time and log
 * the reason. It is well below the margin, which is at least 1 s.
 */
export const WATCHDOG_GRACE_MS = 200;

/** For `watchdog = no`. */
export const NO_WATCHDOG: Watchdog = {
  start: () => undefined,
  feed: () => undefined,
  release: () => undefined,
};

/** The watchdog process. No method throws. */
export interface WatchdogProcess {
  /** Sends a line of `WATCHDOG_SCRIPT`'s input. */
  write(line: string): void;
  /** Makes the process read its input at once. */
  wake(): void;
  /** True when the process is stopped (SIGSTOP) and cannot act. False when it runs, or when that is unknown. */
  isStopped(): boolean;
  /** Closes the pipes of the process, which makes it exit. */
  end(): void;
}

/** A watchdog process that has ended is replaced at once, but not more often than this, in milliseconds. */
export const RESTART_MS = 60_000;

/** The shell in which the watchdog runs. */
export interface WatchdogShell {
  /**
   * Starts bash with WATCHDOG_SCRIPT. Calls `onEnd` later, once, when the process has ended or could not start; `hasRun`
   * says which. It may throw instead. `line` is the first line of the input while the lock is held, so that a helper that
   * freezes just after the start is killed too; undefined before.
   */
  readonly spawn: (
    line: string | undefined,
    onEnd: (reason: string, hasRun: boolean) => void,
  ) => WatchdogProcess;
  /**
   * Resolves with the reason why a start would block; undefined when there is none. Asked before each start after the
   * first one, because a file system can hang meanwhile. Never rejects.
   */
  readonly whyNot: () => Promise<string | undefined>;
}

/**
 * Makes the watchdog.
 * @param uptimeOf converts an instant of the clock to the kernel's uptime, suspend included, in milliseconds; NaN when
 * there is none
 * @param warn called once each when the watchdog was started again, when there is none, and when it is stopped
 */
export function makeWatchdog(
  shell: WatchdogShell,
  { now, uptimeOf }: Pick<UptimeClock, 'now' | 'uptimeOf'>,
  warn: (id: string, message: string) => void,
): Watchdog {
  let process: WatchdogProcess | undefined;
  let isStarted = false;
  let isStarting = false;
  let retriedAtMs = -Infinity;
  let fedMs: number | undefined;
  let toldMs = -Infinity;
  let hangs = false;
  let released = false;
  const warned = new Set<string>();

  const warnOnce = (id: string, message: string, kind = id): void => {
    if (released || warned.has(kind)) return;
    warned.add(kind);
    warn(id, message);
  };
  const warnOfNone = (reason: string): void => {
    retriedAtMs = now();
    warnOnce(
      'warn-watchdog',
      `No watchdog (${reason}): a frozen helper is not killed; install bash, or set watchdog = no`,
    );
  };

  const spawn = (line?: string): void => {
    try {
      const started = shell.spawn(line, (reason, hasRun) => {
        if (process !== started) return;
        process = undefined;
        if (hasRun && mayRetry()) {
          warnOnce('warn-watchdog', `The watchdog is started again (${reason})`, 'again');
          if (fedMs !== undefined) start();
        } else warnOfNone(reason);
      });
      process = started;
    } catch (error) {
      // The lock must not be lost because the watchdog cannot start.
      warnOfNone(error instanceof Error ? error.message : String(error));
    }
  };

  /** The line that says when the helper is killed. */
  const lineFor = (untilMs: number, limitMs: number): string =>
    Number.isFinite(limitMs) ? String(hundredths(limitMs)) : `+${hundredths(untilMs - now())}`;

  const tell = (untilMs: number): void => {
    const limitMs = uptimeOf(untilMs);
    process?.write(`${lineFor(untilMs, limitMs)}\n`);
    if (!Number.isFinite(limitMs) || limitMs < toldMs) process?.wake();
    toldMs = limitMs;
  };

  const mayRetry = (): boolean => !hangs && !isStarting && now() - retriedAtMs >= RESTART_MS;

  const startAgain = async (): Promise<void> => {
    retriedAtMs = now();
    isStarting = true;
    const problem = await shell.whyNot();
    isStarting = false;
    if (released) return;
    if (problem !== undefined) {
      hangs = true; // each further question could occupy a thread for ever
      warnOfNone(problem);
      return;
    }
    spawn(fedMs === undefined ? undefined : lineFor(fedMs, uptimeOf(fedMs)));
  };

  const start = (): void => {
    if (process !== undefined || released) return;
    if (!isStarted) {
      isStarted = true;
      spawn();
    } else if (mayRetry()) void startAgain();
  };

  return {
    start,
    feed(untilMs) {
      fedMs = untilMs;
      start();
      tell(untilMs);
      if (process?.isStopped() === true)
        warnOnce(
          'warn-watchdog-stopped',
          'The watchdog is stopped: a frozen helper is not killed; run kill -CONT with the pid of ctdb_etcd_lock-watchdog',
        );
    },
    release() {
      released = true;
      process?.end();
      process = undefined;
    },
  };
}

/** Hundredths of a second, rounded up, at least 0. */
function hundredths(ms: number): number {
  return Math.max(0, Math.ceil(ms / 10));
}
