import type { WatchdogProcess } from '../../src/lock/watchdog.ts';
import type { SimProcess } from './sim-process.ts';
import type { Appointment } from './timeline.ts';

/** Milliseconds; LONGEST_SLEEP_S of src/lock/watchdog-script.ts. */
const LONGEST_SLEEP_MS = 10_000;

// The same script, for a line that says how much is left: how long it waits before it looks at the wall clock again, how far
// that has to have jumped, and how much is left then at most. Hundredths of a second, and milliseconds.
const SLICE = 100;
const JUMP_MS = 2_000;
const LEFT_AFTER_JUMP = 350;

/**
 * The process that WATCHDOG_SCRIPT of src/lock/watchdog-script.ts makes, step by step: the last line that has come, `/proc/uptime`
 * against that limit, waiting with `read -t`, which stands still in suspend, and SIGKILL when there is no line in time.
 */
export class SimWatchdogProcess implements WatchdogProcess {
  alive = true;
  /** Not scheduled until then: the machine is overloaded, or somebody stopped it. */
  frozenUntilMs = 0;
  onKill: () => void = () => undefined;
  readonly #master: SimProcess;
  /** It was told when its master was started, and looks in /proc whether that is the process with its number. */
  readonly #comparesStart: boolean;
  readonly #onEnd: (reason: string, hasRun: boolean) => void;
  #lines: string[] = [];
  /** The line that counts: hundredths of a second of uptime, or after a `+` what is left. */
  #line: string | undefined;
  /** It was told how much is left, and something stood still meanwhile: it acts later by that. */
  #isDelayed = false;
  /** It ended without a deed, which is no excuse. */
  #hasFoundStranger = false;
  /** A wait ended while it stood still. */
  #isDue: (() => void) | undefined;
  #started = false;
  #waiting: Appointment | undefined;

  constructor(
    master: SimProcess,
    startMs: number,
    comparesStart: boolean,
    line: string | undefined,
    onEnd: (reason: string, hasRun: boolean) => void,
  ) {
    this.#master = master;
    this.#comparesStart = comparesStart;
    this.#line = line;
    this.#onEnd = onEnd;
    master.machine.timeline.after(startMs, () => {
      this.#started = true;
      this.#step();
    });
  }

  /** Whether it has to act when its master, whose claim it was told of before that began, stands still. */
  get isWatching(): boolean {
    const { nowMs } = this.#master.machine.timeline;
    const couldAct = this.alive && nowMs >= this.frozenUntilMs && !this.#isDelayed;
    return couldAct || this.#hasFoundStranger;
  }

  write(line: string): void {
    const { timeline } = this.#master.machine;
    const writtenAtMs = timeline.nowMs;
    this.#master.act(() => {
      if (!this.alive) return;
      this.#lines.push(line);
      const isStillFrozen = timeline.nowMs < this.frozenUntilMs;
      this.#isDelayed = line.startsWith('+') && (timeline.nowMs > writtenAtMs || isStillFrozen);
      // It is not woken by later ones.
      if (this.#line === undefined) this.#step();
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
      this.#onEnd('it was ended by SIGKILL', true);
    });
  }

  freeze(forMs: number): void {
    const { timeline } = this.#master.machine;
    this.frozenUntilMs = Math.max(this.frozenUntilMs, timeline.nowMs + forMs);
    if (this.#line?.startsWith('+') === true) this.#isDelayed = true;
    timeline.after(forMs, () => {
      if (timeline.nowMs < this.frozenUntilMs) return;
      const due = this.#isDue;
      this.#isDue = undefined;
      if (due !== undefined) due();
      // `read -t` that counts down goes on where it was.
      else if (this.#line?.startsWith('+') !== true || this.#lines.length > 0) this.#step();
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
    this.#line = this.#lines.splice(0).at(-1) ?? this.#line;
    if (this.#line === undefined) return;
    if (this.#line.startsWith('+')) {
      this.#countDown(Number(this.#line.slice(1)));
      return;
    }
    if (timeline.nowMs < machine.uptimeHangsUntilMs) {
      // Not an excuse: it waits for a file.
      this.#waiting = timeline.at(machine.uptimeHangsUntilMs, () => {
        this.#step();
      });
      return;
    }
    const left = Number(this.#line) - this.#uptime();
    if (left > 0) {
      // Never early: `read -t` counts the whole time, and then the script looks at /proc/uptime again.
      this.#waiting = timeline.at(
        machine.instantOf(machine.localMs(timeline.nowMs) + Math.min(left * 10, LONGEST_SLEEP_MS)) + 0.01,
        () => {
          this.#step();
        },
      );
    } else this.#kill();
  }

  /** Waits a second at a time, and looks at the wall clock after each. */
  #countDown(left: number): void {
    if (left <= 0) {
      this.#kill();
      return;
    }
    const slice = Math.min(left, SLICE);
    const wallMs = this.#master.wallNow();
    this.#rest(slice * 10, () => {
      const rest = left - slice;
      const hasJumped = this.#master.wallNow() - wallMs > JUMP_MS + slice * 10;
      this.#line = `+${hasJumped ? Math.min(rest, LEFT_AFTER_JUMP) : rest}`;
      this.#step();
    });
  }

  /** By the monotonic clock, which a pause of the machine stops. */
  #rest(forMs: number, happen: () => void): void {
    const { machine } = this.#master;
    const { timeline } = machine;
    const untilMs = machine.localMs(timeline.nowMs) + forMs;
    const wait = (): void => {
      this.#waiting = timeline.at(machine.instantOf(untilMs) + 0.01, end);
    };
    const end = (): void => {
      if (timeline.nowMs < this.frozenUntilMs) this.#isDue = end;
      else if (machine.localMs(timeline.nowMs) < untilMs) wait();
      else happen();
    };
    wait();
  }

  #kill(): void {
    this.#stop();
    const { isOwn, showsItself } = this.#master.machine.proc;
    const findsStranger = this.#comparesStart && !isOwn && showsItself;
    if (findsStranger) this.#hasFoundStranger = true;
    else this.onKill();
  }

  #uptime(): number {
    const { machine } = this.#master;
    return Math.floor((machine.localMs(machine.timeline.nowMs) + machine.uptimeOffsetMs) / 10);
  }
}
