import type { Host } from './local-host.ts';

/** Pid 1 adopts orphans: a helper that starts with it as its parent has no parent to answer to. */
const INIT_PID = 1;

/** Is the process that started us still our parent? */
export class ParentWatch {
  readonly #host: Host;
  readonly #parentPid: number;

  constructor(host: Host) {
    this.#host = host;
    this.#parentPid = host.parentPid();
  }

  /** We had no parent worth the name to begin with. */
  isOrphan(): boolean {
    return this.#parentPid === INIT_PID;
  }

  /** An orphan is given a new parent; `kill(pid, 0)` would be fooled by a pid that was used again. */
  isGone(): boolean {
    return this.#host.parentPid() !== this.#parentPid;
  }
}
