import type { LocalHost } from './local-host.ts';

/** The kernel makes PID 1 the parent of orphans. */
const INIT_PID = 1;

/** Watches whether the process that started this one is still its parent. */
export class ParentWatch {
  readonly #host: LocalHost;
  readonly #parentPid: number;

  constructor(host: LocalHost) {
    this.#host = host;
    this.#parentPid = host.parentPid();
  }

  /**
   * True when the parent had died before this object was made, so that PID 1 is the parent now. When ctdbd is PID 1 of
   * a container, it is the real parent. It then has the answer pipe open, which shows that. When such a ctdbd dies, the
   * kernel kills every process of its namespace.
   */
  isOrphan(): boolean {
    return this.#parentPid === INIT_PID && !this.#host.readsAnswer(INIT_PID);
  }

  /**
   * An orphan gets a new parent. `kill(pid, 0)` would also succeed for a new process that was given the parent's pid.
   */
  isGone(): boolean {
    return this.#host.parentPid() !== this.#parentPid;
  }
}
