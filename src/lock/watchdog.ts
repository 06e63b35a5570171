import type { UptimeClock } from '../base/clock.ts';

/**
 * Kills the helper when that is frozen past its deadline, which a frozen process cannot do for itself: a second process, which
 * is told after each proven renewal at which instant it has to act.
 */
export interface Watchdog {
  /** Starts the process; harmless when it cannot be started. Never blocks, never throws. */
  start(): void;
  /** The helper is to be killed at `untilMs` (scale of `Clock.now()`) unless this is called again before. */
  feed(untilMs: number): void;
  /** Ends the process: there is no claim any more that it has to end. */
  release(): void;
}

/**
 * How long after the deadline the watchdog acts, in ms: late enough for a helper that runs to end by itself and to say why, and
 * well inside the margin, which is never less than a second.
 */
export const WATCHDOG_GRACE_MS = 200;

/** For `watchdog = no`. */
export const NO_WATCHDOG: Watchdog = {
  start: () => undefined,
  feed: () => undefined,
  release: () => undefined,
};

/** The started process; nothing here throws. */
export interface WatchdogProcess {
  /** Hands it a line of `WATCHDOG_SCRIPT`. */
  write(line: string): void;
  /** Has it read at once what was written. */
  wake(): void;
  /** True when it is stopped (SIGSTOP) and cannot act; false when it runs, or when that cannot be known. */
  isStopped(): boolean;
  /** Closes its pipes, whereupon it exits. */
  end(): void;
}

// However long the lease: what waits to be read must fit into a pipe, at ten renewals a second too.
const LONGEST_SLEEP_S = 10;

/**
 * What bash runs; arguments: the helper's pid, and its start time in clock ticks, or nothing where /proc cannot show it. Each
 * line says when to kill: `LIMIT`, an uptime in hundredths of a second, or `+LEFT`, hundredths of a second from now. Only
 * builtins, so that it needs no PATH and starts no process.
 *
 * - `LIMIT` is an instant: a watchdog that was itself held up does not grant more time, and a suspend counts. Lines are read
 *   when the limit that it knows is up, not when they come: to be woken for each would be half of what a renewal costs.
 *   Meanwhile it waits at descriptor 3, for its end, or for a line there when a line makes the time shorter.
 * - `+LEFT` is for a /proc/uptime that is not the kernel's. The helper wakes the watchdog for each such line, so that its wait
 *   begins when the line is written, or again when the wake-up comes after the line was read; a watchdog that is held up just then grants as much more time. `read -t` stands still
 *   in suspend, so every second it looks at the wall clock as well. When that has jumped by 2 s or more, be it a suspend or a step,
 *   3.5 s are left at most: as long as a helper that runs needs to prove the lock anew or to end.
 * - When /proc/uptime cannot be opened (ENFILE, ENOMEM), the uptime is reckoned from the wall clock and the last look, rounded up:
 *   it acts up to 2 s early then, and never late: a wall clock that is set back does not matter, since the last look and the waits
 *   that have ended since then show what has passed at least. Without any such look before, it ends with status 1, which the helper
 *   reports.
 * - End of file means that the helper has ended; the watchdog ends too. A line that is already waiting is read before it kills.
 * - The start time tells the helper from a later process that was given its pid. Where it cannot be read, the pipe has shown
 *   just before that its other end is still open, and only the helper has that.
 */
export const WATCHDOG_SCRIPT = `
pid=$1 start=$2 ahead= least=0
look() {
  local now seconds
  printf -v now '%(%s)T' -1
  if { IFS=' ' read -r seconds _ </proc/uptime; } 2>/dev/null; then
    up=$((10#\${seconds/./})) ahead=$((up - now * 100)) least=$up
  else
    [[ -n $ahead ]] || exit 1
    up=$((now * 100 + ahead + 100))
    up=$((up > least ? up : least))
  fi
}
rest() {
  local wait
  printf -v wait '%d.%02d' $(($1 / 100)) $(($1 % 100))
  read -r -t "$wait" -u 3
  status=$?
  ((status == 0 || status > 128)) || exit 0
}
IFS= read -r line || exit 0
while :; do
  while read -r -t 0; do IFS= read -r line || exit 0; done
  if [[ $line == +* ]]; then
    left=\${line#+}
    printf -v before '%(%s)T' -1
    slice=$((left > 100 ? 100 : left))
    rest "$slice"
    ((status == 0)) && continue
    printf -v now '%(%s)T' -1
    left=$((left - slice))
    ((now - before > 2 && left > 350)) && left=350
    line=+$left
    ((\${line#+} > 0)) && continue
  else
    look
    left=$((line - up))
    if ((left > 0)); then
      slice=$((left > ${LONGEST_SLEEP_S}00 ? ${LONGEST_SLEEP_S}00 : left))
      rest "$slice"
      ((status > 128)) && least=$((least + slice))
      continue
    fi
  fi
  read -r -t 0 && continue
  if [[ -n $start ]] && { IFS= read -r stat <"/proc/$pid/stat"; } 2>/dev/null; then
    set -- \${stat##*) }
    [[ \${20} == "$start" ]] || exit 0
  fi
  kill -KILL "$pid"
  exit 0
done
`;

/** A watchdog process that has ended by itself is replaced at the next feed, but not more often than this. */
const RESTART_MS = 60_000;

/**
 * The real watchdog.
 *
 * @param spawn starts bash on WATCHDOG_SCRIPT; calls its argument, later and once, when the process has ended or could not
 *   start; may throw instead.
 * @param uptimeOf the kernel's uptime, suspend included, at an instant of the clock's; NaN when there is none.
 * @param warn is told, once each, that there is no watchdog, and that the watchdog is stopped.
 */
export function makeWatchdog(
  spawn: (onEnd: (reason: string) => void) => WatchdogProcess,
  { now, uptimeOf }: Pick<UptimeClock, 'now' | 'uptimeOf'>,
  warn: (id: string, message: string) => void,
): Watchdog {
  let process: WatchdogProcess | undefined;
  let startedAtMs = -Infinity;
  let toldMs = -Infinity;
  let released = false;
  const warned = new Set<string>();

  const warnOnce = (id: string, message: string): void => {
    if (released || warned.has(id)) return;
    warned.add(id);
    warn(id, message);
  };
  const warnOfEnd = (reason: string): void => {
    warnOnce(
      'warn-watchdog',
      `No watchdog (${reason}): a frozen helper is not killed; install bash, or set watchdog = no`,
    );
  };

  const start = (): void => {
    if (process !== undefined || released || now() - startedAtMs < RESTART_MS) return;
    startedAtMs = now();
    try {
      const started = spawn((reason) => {
        if (process === started) process = undefined;
        warnOfEnd(reason);
      });
      process = started;
    } catch (error) {
      // Whatever the reason, it must not cost the lock.
      warnOfEnd(error instanceof Error ? error.message : String(error));
    }
  };

  return {
    start,
    feed(untilMs) {
      start();
      const limitMs = uptimeOf(untilMs);
      const hasUptime = Number.isFinite(limitMs);
      process?.write(hasUptime ? `${hundredths(limitMs)}\n` : `+${hundredths(untilMs - now())}\n`);
      if (!hasUptime || limitMs < toldMs) process?.wake();
      toldMs = limitMs;
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

/** Hundredths of a second, rounded up, not negative. */
function hundredths(ms: number): number {
  return Math.max(0, Math.ceil(ms / 10));
}
