/** The port to the host and its processes. `process/linux-host.ts` implements it. */

/**
 * Identifies one process on one running kernel: a process with the same pid is another process if any other field
 * differs. It is part of the lock's value, so that a contender on the same host can prove that the holder is dead.
 */
export interface ProcessIdentity {
  /** /proc/sys/kernel/random/boot_id; '' when unknown. An empty ID matches no other. */
  readonly bootId: string;
  /** Inode numbers of the pid namespace and the time namespace, which shifts start times: `4026531836/4026531834`. */
  readonly namespaces: string;
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: start time in clock ticks since boot. */
  readonly startTicks: number;
}

export interface LocalHost {
  readonly self: ProcessIdentity;
  readonly hostName: string;
  /** The pid of the present parent. */
  parentPid(): number;
  /**
   * True only when it is certain that process `pid` can read this process's stdout. CTDB makes that pipe for one helper
   * and keeps the read end to itself, so `pid` is then the process that waits for the answer.
   */
  readsAnswer(pid: number): boolean;
  /**
   * True only when it is certain that the process has no file open any more: same boot, same namespaces, and it does
   * not exist, has another start time, or is a zombie without threads. False in any doubt.
   */
  isDead(process: ProcessIdentity): boolean;
  /**
   * True only when the process has begun to end and cannot stop that: its main thread is exiting or a zombie. It is not
   * dead yet, and will be when the scheduler has run its other threads.
   */
  isEnding(process: ProcessIdentity): boolean;
}
