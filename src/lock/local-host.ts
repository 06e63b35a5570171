/** The host and the process table as the lock needs them. `linux-host.ts` is the real one. */

/**
 * Names one process on one running kernel, for good: a process with the same pid is another one if any of the other
 * fields differ. Recorded in the lock's value so that a neighbor on the same host can tell that the holder is dead.
 */
export interface ProcessIdentity {
  /** /proc/sys/kernel/random/boot_id; '' when unknown, which matches nothing. */
  readonly bootId: string;
  /** Inode numbers of the pid and the time namespace (start times are shifted by the latter): `4026531836/4026531834`. */
  readonly namespaces: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: start time in clock ticks since boot. */
  readonly startTicks: number;
}

export interface LocalHost {
  readonly self: ProcessIdentity;
  readonly hostName: string;
  /** The pid of our parent, as it is now. */
  parentPid(): number;
  /**
   * True only when it is certain that the process `pid` has the pipe open that is this process's stdout. CTDB makes that pipe for
   * one helper and keeps its other end to itself, so the process is the one that CTDB's answer goes to.
   */
  readsAnswer(pid: number): boolean;
  /**
   * True only when it is certain that the process can hold nothing open any more: same boot, same namespaces, and it
   * does not exist, is another process by its start time, or is a zombie without threads. Any doubt is false.
   */
  isDead(process: ProcessIdentity): boolean;
  /**
   * True only when the same process has begun to end: its main thread is on its way out or a zombie, but the process is not
   * dead yet. Nothing brings it back; whoever waits for its death waits for the scheduler.
   */
  isEnding(process: ProcessIdentity): boolean;
}
