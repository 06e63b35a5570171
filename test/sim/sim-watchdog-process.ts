import type { WatchdogProcess } from '../../src/lock/watchdog.ts';
import type { SimProcess } from './sim-process.ts';
import type { Appointment } from './timeline.ts';

/** Milliseconds; LONGEST_SLEEP_S of src/lock/watchdog.ts. */
const LONGEST_SLEEP_MS = 10_000;

/**
 * The process that WATCHDOG_SCRIPT of src/lock/watchdog.ts makes, step by step: the last line that has come, `/proc/uptime`
 * against that limit, waiting with `read -t`, which stands still in suspend, and SIGKILL when there is no line in time.
 */
export class SimWatchdogProcess implements WatchdogProcess {
  alive = true;
  /** Not scheduled until then: the machine is overloaded, or somebody stopped it. */
  frozenUntilMs = 0;
  onKill: () => void = () => undefined;
  readonly #master: SimProcess;
  readonly #onEnd: (reason: string) => void;
  #lines: number[] = [];
  /** Hundredths of a second of uptime. */
  #limit: number | undefined;
  #started = false;
  #waiting: Appointment | undefined;

  constructor(master: SimProcess, startMs: number, onEnd: (reason: string) => void) {
    this.#master = master;
    this.#onEnd = onEnd;
    master.machine.timeline.after(startMs, () => {
      this.#started = true;
      this.#step();
    });
  }

  /** Whether it has to act when its master, whose claim it was told of before that began, stands still. */
  get isWatching(): boolean {
    const { nowMs } = this.#master.machine.timeline;
    return this.alive && nowMs >= this.frozenUntilMs;
  }

  write(line: string): void {
    this.#master.act(() => {
      if (!this.alive) return;
      this.#lines.push(Number(line));
      // It is not woken by later ones.
      if (this.#limit === undefined) this.#step();
    });
  }

  wake(): void {
    this.#master.act(() => {
      this.#step();
    });
  }

  isStopped(): boolean {
    return false;
  }

  end(): void {
    this.#master.act(() => {
      this.#stop();
    });
  }

  /** End of file on its pipe, without a word. */
  masterEnded(): void {
    this.#stop();
  }

  /** Somebody ends it. */
  kill(): void {
    if (!this.alive) return;
    this.#stop();
    this.#master.deliver(() => {
      this.#onEnd('it was ended by SIGKILL');
    });
  }

  freeze(forMs: number): void {
    const { timeline } = this.#master.machine;
    this.frozenUntilMs = Math.max(this.frozenUntilMs, timeline.nowMs + forMs);
    timeline.after(forMs, () => {
      this.#step();
    });
  }

  #stop(): void {
    this.alive = false;
    if (this.#waiting !== undefined) this.#waiting.cancelled = true;
  }

  #step(): void {
    const { machine } = this.#master;
    const { timeline } = machine;
    if (!this.alive || !this.#started || timeline.nowMs < this.frozenUntilMs) return;
    if (this.#waiting !== undefined) this.#waiting.cancelled = true;
    this.#limit = this.#lines.splice(0).at(-1) ?? this.#limit;
    if (this.#limit === undefined) return;
    const left = this.#limit - this.#uptime();
    if (left > 0) {
      // Never early: `read -t` counts the whole time, and then the script looks at /proc/uptime again.
      this.#waiting = timeline.at(
        machine.instantOf(machine.localMs(timeline.nowMs) + Math.min(left * 10, LONGEST_SLEEP_MS)) + 0.01,
        () => {
          this.#step();
        },
      );
    } else {
      this.#stop();
      this.onKill();
    }
  }

  #uptime(): number {
    const { machine } = this.#master;
    return Math.floor(machine.localMs(machine.timeline.nowMs) / 10);
  }
}
