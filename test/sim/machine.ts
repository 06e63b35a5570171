import type { Random } from './random.ts';
import type { SimProcess } from './sim-process.ts';
import type { Timeline } from './timeline.ts';

/** What /proc is on a machine, which may be a container. */
export interface ProcTraits {
  /** Of the processes' own pid namespace; else of one above it, or of one in which they are not. */
  readonly isOwn: boolean;
  readonly showsItself: boolean;
  /** There, processes have the same numbers by chance. */
  readonly hasSamePids: boolean;
  /** What serves /proc/uptime: the kernel, or a program in user space, as a file of its own or as all of /proc. */
  readonly uptimeBy: 'kernel' | 'mounted file' | 'other file system';
}

export const OWN_PROC: ProcTraits = {
  isOwn: true,
  showsItself: true,
  hasSamePids: true,
  uptimeBy: 'kernel',
};

/** One running kernel: its clocks and its table of processes. */
export class Machine {
  readonly name: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly bootId: string;
  /** Inode number of the pid namespace. */
  readonly pidNamespace: string;
  readonly processes = new Map<number, SimProcess>();
  /** Milliseconds by which the wall clock is off; stepped by faults. */
  wallOffsetMs = 1_700_000_000_000;
  /** A paused virtual machine's clocks stand still; this is what they have missed. */
  missedMs = 0;
  /** It has been paused: what nobody on it could notice is excused. */
  wasPaused = false;
  /** Nothing on it runs before that. */
  stoppedUntilMs = -Infinity;
  readonly proc: ProcTraits;
  /** What /proc/uptime shows more than the kernel counts, where a program serves it. */
  uptimeOffsetMs = 0;
  /** Until then that program does not answer, and every process that asks waits. */
  uptimeHangsUntilMs = -Infinity;
  /** Its wall clock was set while it was paused, so it may not show the pause either. */
  hidPause = false;
  readonly #originMs: number;
  readonly #rate: number;

  constructor(
    name: string,
    timeline: Timeline,
    random: Random,
    traits: {
      readonly bootId: string;
      readonly pidNamespace: string;
      readonly drift: number;
      readonly proc: ProcTraits;
    },
  ) {
    this.name = name;
    this.timeline = timeline;
    this.random = random;
    this.bootId = traits.bootId;
    this.pidNamespace = traits.pidNamespace;
    this.proc = traits.proc;
    this.#originMs = random.between(10_000, 10_000_000);
    this.#rate = 1 + random.between(-traits.drift, traits.drift);
  }

  /** What its clock shows, suspends included, at an instant of the timeline. */
  localMs(atMs: number): number {
    return this.#originMs + (atMs - this.missedMs) * this.#rate;
  }

  /** The instant of the timeline at which its clock will show `localMs`, if nothing pauses it. */
  instantOf(localMs: number): number {
    return (localMs - this.#originMs) / this.#rate + this.missedMs;
  }

  /** A pid that is free now; soon used again, for there are few. */
  freePid(): number {
    for (;;) {
      const pid = this.random.integer(100, 104 + this.processes.size);
      if (!this.processes.has(pid)) return pid;
    }
  }
}
