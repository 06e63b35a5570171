import type { UptimeClock } from '../base/clock.ts';

/**
 * The dead man's switch: a companion process that kills us when we are frozen past our deadline, which is what a frozen
 * process cannot do for itself. Fed after each proven renewal with the instant at which it has to act.
 */
export interface DeadMansSwitch {
  /** Starts the companion; harmless when it cannot be started. Never blocks, never throws. */
  start(): void;
  /** Kill us at `untilMs` (scale of `Clock.now()`) unless fed again before; replaces the earlier instant. */
  feed(untilMs: number): void;
  /** Ends the companion: there is no claim any more that it has to end. */
  release(): void;
}

/**
 * How long after the deadline it acts: late enough for a helper that runs to go by itself and say why, and well inside the
 * margin, which is never less than a second.
 */
export const SWITCH_GRACE_MS = 200;

/** For `watchdog = no`: nobody watches. */
export const NO_SWITCH: DeadMansSwitch = {
  start: () => undefined,
  feed: () => undefined,
  release: () => undefined,
};

/** A started companion; nothing here throws. */
export interface Companion {
  /** It reads the line when the time that it knows of is up. */
  write(line: string): void;
  /** Has it read at once what was written. */
  wake(): void;
  /** Closes its pipes, whereupon it exits. */
  end(): void;
}

// However long the lease: what waits to be read must fit into a pipe, at ten renewals a second too.
const LONGEST_SLEEP_S = 10;

/**
 * What bash runs; arguments: our pid and our start time in clock ticks. It reads one line per feed: the uptime, in
 * hundredths of a second, at which to kill. Only builtins, so it needs no PATH and starts no process.
 *
 * - It reads the lines when the time that it knows of is up, not when they come: to be woken for each would be half of what a
 *   renewal costs here and there. Meanwhile it waits at descriptor 3: for its end, or for a line there when one of the others
 *   makes that time shorter.
 * - `/proc/uptime` is the clock, not the moment at which a line was read: a companion that was itself held up does not
 *   grant us more time, and a suspend counts.
 * - End of file means that we have ended; it ends too. A line that is already waiting is read before it kills.
 * - The start time tells us from a later process that was given our pid.
 */
export const COMPANION_SCRIPT = `
pid=$1 start=$2
IFS= read -r limit || exit 0
while :; do
  while read -r -t 0; do IFS= read -r limit || exit 0; done
  read -r up _ </proc/uptime || exit 0
  left=$((limit - 10#\${up/./}))
  if ((left > 0)); then
    ((left > ${LONGEST_SLEEP_S}00)) && left=${LONGEST_SLEEP_S}00
    printf -v wait '%d.%02d' $((left / 100)) $((left % 100))
    read -r -t "$wait" -u 3
    status=$?
    ((status == 0 || status > 128)) || exit 0
  elif ! read -r -t 0; then
    IFS= read -r stat <"/proc/$pid/stat" || exit 0
    set -- \${stat##*) }
    [[ \${20} == "$start" ]] && kill -KILL "$pid"
    exit 0
  fi
done
`;

/** A companion that has ended by itself is replaced at the next feed, but not more often than this. */
const RESTART_MS = 60_000;

/**
 * The real switch.
 *
 * @param spawn starts bash on COMPANION_SCRIPT; calls its argument, later and once, when the companion has ended or could not
 *   start; may throw instead.
 * @param uptimeOf what the kernel's uptime is, suspend included, at an instant of the clock's; NaN when unknown.
 * @param warn is told, once, why nobody watches.
 */
export function makeSwitch(
  spawn: (onEnd: (reason: string) => void) => Companion,
  { now, uptimeOf }: Pick<UptimeClock, 'now' | 'uptimeOf'>,
  warn: (message: string) => void,
): DeadMansSwitch {
  let companion: Companion | undefined;
  let startedAtMs = -Infinity;
  let toldMs = -Infinity;
  let released = false;
  let warned = false;

  const warnOnce = (reason: string): void => {
    if (released || warned) return;
    warned = true;
    warn(
      `No dead man's switch (${reason}): a frozen helper is not killed; install bash, or set watchdog = no`,
    );
  };

  const start = (): void => {
    if (companion !== undefined || released || now() - startedAtMs < RESTART_MS) return;
    startedAtMs = now();
    try {
      const started = spawn((reason) => {
        if (companion === started) companion = undefined;
        warnOnce(reason);
      });
      companion = started;
    } catch (error) {
      // Whatever the reason, it must not cost the lock.
      warnOnce(error instanceof Error ? error.message : String(error));
    }
  };

  return {
    start,
    feed(untilMs) {
      start();
      const limitMs = uptimeOf(untilMs);
      if (!Number.isFinite(limitMs)) {
        warnOnce('/proc/uptime cannot be read');
        return;
      }
      companion?.write(`${Math.max(0, Math.ceil(limitMs / 10))}\n`);
      if (limitMs < toldMs) companion?.wake();
      toldMs = limitMs;
    },
    release() {
      released = true;
      companion?.end();
      companion = undefined;
    },
  };
}
