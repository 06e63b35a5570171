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

/** A started companion; `write` and `end` never throw. */
export interface Companion {
  write(line: string): void;
  /** Closes its pipe, whereupon it exits. */
  end(): void;
}

/**
 * What bash runs; arguments: our pid and our start time in clock ticks. It reads one line per feed: the uptime, in
 * hundredths of a second, at which to kill. Only builtins, so it needs no PATH and starts no process.
 *
 * - `/proc/uptime` is the clock, not the moment at which a line was read: a companion that was itself held up does not
 *   grant us more time, and a suspend counts.
 * - End of file means that we have ended; it ends too. A line that is already waiting is read before it kills.
 * - The start time tells us from a later process that was given our pid.
 */
export const COMPANION_SCRIPT = `
pid=$1 start=$2
IFS= read -r limit || exit 0
while :; do
  read -r up _ </proc/uptime || exit 0
  left=$((limit - 10#\${up/./}))
  if ((left > 0)); then
    printf -v wait '%d.%02d' $((left / 100)) $((left % 100))
    IFS= read -r -t "$wait" line
    status=$?
    if ((status == 0)); then limit=$line; continue; fi
    ((status > 128)) || exit 0
  elif read -r -t 0; then
    IFS= read -r limit || exit 0
  else
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
 * @param now the clock's now, milliseconds.
 * @param uptimeMs the kernel's uptime, suspend included; NaN when unknown.
 * @param warn is told, once, why nobody watches.
 */
export function makeSwitch(
  spawn: (onEnd: (reason: string) => void) => Companion,
  now: () => number,
  uptimeMs: () => number,
  warn: (message: string) => void,
): DeadMansSwitch {
  let companion: Companion | undefined;
  let startedAtMs = -Infinity;
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
      // The uptime first: if we are frozen between the two looks, the limit comes out too early, never too late.
      const uptimeNowMs = uptimeMs();
      const limitMs = uptimeNowMs + (untilMs - now());
      if (Number.isFinite(limitMs)) companion?.write(`${Math.max(0, Math.ceil(limitMs / 10))}\n`);
      else warnOnce('/proc/uptime cannot be read');
    },
    release() {
      released = true;
      companion?.end();
      companion = undefined;
    },
  };
}
