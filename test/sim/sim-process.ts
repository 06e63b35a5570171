import type { Clock, Disposer } from '../../src/base/clock.ts';
import { everyBeat } from '../support/beats.ts';
import type { Machine } from './machine.ts';

/**
 * Runs every job that is due now (promises, then what was rejected with nobody listening). Undocumented, but what Node's own
 * loop calls after each callback; a turn of the real loop for each event would take five times as long.
 */
const drain = (process as unknown as { _tickCallback(): void })._tickCallback.bind(process);

/** The process whose code runs at this moment. */
let running: SimProcess | undefined;

/** For the simulated /proc, which answers to whoever asks. */
export function runningProcess(): SimProcess {
  if (running === undefined) throw new Error('No simulated process is running');
  return running;
}

/** Runs something, and all that follows from it at once, as `process`. */
function runAs(process: SimProcess, happen: () => void): void {
  const before = running;
  running = process;
  try {
    happen();
    drain();
  } finally {
    running = before;
  }
}

interface Input {
  readonly isTimer: boolean;
  readonly happen: () => void;
}

/** A freeze in the middle of a run: after so many more looks at a clock, for so long. */
interface Ambush {
  looksLeft: number;
  readonly lengthMs: number;
}

/**
 * One process of the helper: it takes inputs one by one, each until all that follows from it has been done. It can be frozen
 * between two inputs, and in the middle of one right after it has looked at the clock: whatever it then sends or
 * writes takes effect when it goes on.
 */
export class SimProcess implements Clock {
  readonly machine: Machine;
  readonly pid: number;
  readonly startTicks: number;
  readonly label: string;
  parentPid: number;
  /** `ending`: killed, with threads that have not ended yet; `zombie`: ended, and nobody has looked at its status. */
  state: 'alive' | 'ending' | 'zombie' | 'reaped' = 'alive';
  exitStatus: number | undefined;
  /** Its end was outside the lock's power. */
  isKilledFromOutside = false;
  ambush: Ambush | undefined;
  /** Its clock looks at /proc/uptime, and waits where that hangs. */
  readsUptime = true;
  /** Total time for which it was frozen, in milliseconds. */
  frozenMs = 0;
  lastThawMs = -Infinity;
  /** What it saw when it last looked at its clock. */
  lastShownMs = -Infinity;
  /** When it was frozen last. */
  lastFreezeMs = -Infinity;
  onFreeze: () => void = () => undefined;
  onThaw: () => void = () => undefined;
  onEnd: () => void = () => undefined;
  #frozenSinceMs: number | undefined;
  #frozenUntilMs = 0;
  #timersLateMs = 0;
  #turnDelayMs = 0;
  #held: (() => void)[] = [];
  #inputs: Input[] = [];

  constructor(machine: Machine, label: string, parentPid: number) {
    this.machine = machine;
    this.label = label;
    this.pid = machine.freePid();
    this.parentPid = parentPid;
    this.startTicks = Math.floor(machine.localMs(machine.timeline.nowMs) / 10);
    machine.processes.set(this.pid, this);
  }

  get isFrozen(): boolean {
    return this.#frozenSinceMs !== undefined;
  }

  get hasBeenFrozen(): boolean {
    return this.isFrozen || this.frozenMs > 0;
  }

  /** What its clock shows, without the risk of being frozen for the look. */
  peek(): number {
    return this.machine.localMs(this.machine.timeline.nowMs + this.#turnDelayMs);
  }

  now(): number {
    const shown = this.peek();
    this.lastShownMs = shown;
    const { ambush } = this;
    if (ambush !== undefined && running === this) {
      ambush.looksLeft -= 1;
      if (ambush.looksLeft <= 0) {
        this.ambush = undefined;
        this.#turnDelayMs += ambush.lengthMs;
      }
    }
    const { uptimeHangsUntilMs, timeline } = this.machine;
    if (this.readsUptime && running === this)
      this.#turnDelayMs = Math.max(this.#turnDelayMs, uptimeHangsUntilMs - timeline.nowMs);
    return shown;
  }

  wallNow(): number {
    return this.peek() + this.machine.wallOffsetMs;
  }

  at(atMs: number, fire: (nowMs: number) => void): Disposer {
    const { timeline, random } = this.machine;
    let stopped = false;
    let appointment: { cancelled: boolean };
    const wait = (): void => {
      // What the event loop is late by, and the slack of src/process/alarms.ts.
      const jitterMs = random.chance(0.3) ? random.between(0, 20) : random.between(0, 1);
      appointment = timeline.at(this.machine.instantOf(atMs) + jitterMs, () => {
        this.deliver(() => {
          if (stopped) return;
          // The machine was paused in between, clocks and all.
          if (this.peek() < atMs) wait();
          else fire(this.now());
        }, true);
      });
    };
    wait();
    return () => {
      stopped = true;
      appointment.cancelled = true;
    };
  }

  every(everyMs: number, fire: (nowMs: number) => void): Disposer {
    return everyBeat(this, everyMs, fire);
  }

  /** Gives the process something to do: at once, or when it thaws; never if it is dead. */
  deliver(happen: () => void, isTimer = false): void {
    if (this.state !== 'alive') return;
    if (this.isFrozen) this.#inputs.push({ isTimer, happen });
    else this.#turn(happen);
  }

  /** For what the process does to the world: now, or when it goes on after a freeze in the middle of its run. */
  act(effect: () => void): void {
    if (running === this && this.#turnDelayMs > 0) this.#held.push(effect);
    else effect();
  }

  /** SIGSTOP, a stuck disk, or a machine that stands still: its timers, but not its clock, can stand still longer. */
  freeze(forMs: number, timersLateMs = 0): void {
    if (this.state !== 'alive') return;
    const { timeline } = this.machine;
    const untilMs = timeline.nowMs + forMs;
    if (this.#frozenSinceMs === undefined) {
      this.#frozenSinceMs = timeline.nowMs;
      this.lastFreezeMs = timeline.nowMs;
      this.onFreeze();
    } else if (untilMs <= this.#frozenUntilMs) return;
    this.#frozenUntilMs = untilMs;
    this.#timersLateMs = timersLateMs;
    timeline.at(untilMs, () => {
      if (untilMs === this.#frozenUntilMs && this.isFrozen) this.#thaw();
    });
  }

  /** Ends at once, frozen or not; with threads that take a moment, `lingerMs`, during which its files stay open. */
  kill(lingerMs: number): void {
    if (this.state !== 'alive') return;
    this.state = 'ending';
    this.machine.timeline.after(lingerMs, () => {
      this.#ended();
    });
  }

  exit(status: number): void {
    this.act(() => {
      if (this.state !== 'alive') return;
      this.exitStatus = status;
      this.#ended();
    });
  }

  reap(): void {
    this.state = 'reaped';
    if (this.machine.processes.get(this.pid) === this) this.machine.processes.delete(this.pid);
  }

  #ended(): void {
    this.state = 'zombie';
    this.#inputs = [];
    this.#held = [];
    this.onEnd();
  }

  #turn(happen: () => void): void {
    this.#turnDelayMs = 0;
    runAs(this, happen);
    const delayMs = this.#turnDelayMs;
    this.#turnDelayMs = 0;
    if (delayMs > 0) this.freeze(delayMs);
  }

  #thaw(): void {
    if (this.state !== 'alive') return;
    const { timeline, random } = this.machine;
    this.frozenMs += timeline.nowMs - (this.#frozenSinceMs ?? timeline.nowMs);
    this.#frozenSinceMs = undefined;
    this.lastThawMs = timeline.nowMs;
    const held = this.#held;
    this.#held = [];
    for (const effect of held) if (this.#isStillAlive()) effect();
    const inputs = random.shuffle(this.#inputs);
    this.#inputs = [];
    for (const { isTimer, happen } of inputs) {
      if (isTimer && this.#timersLateMs > 0) {
        timeline.after(random.between(0, this.#timersLateMs), () => {
          this.deliver(happen, true);
        });
      } else this.deliver(happen, isTimer);
    }
    this.#timersLateMs = 0;
    this.onThaw();
  }

  #isStillAlive(): boolean {
    return this.state === 'alive';
  }
}
