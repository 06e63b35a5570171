import type { LocalHost } from './local-host.ts';

/** PID 1 adopts orphans. */
const INIT_PID = 1;

/** Is the process that started us still our parent? */
export class ParentWatch {
  readonly #host: LocalHost;
  readonly #parentPid: number;

  constructor(host: LocalHost) {
    this.#host = host;
    this.#parentPid = host.parentPid();
  }

  /**
   * True when the parent had died before this was made, so that PID 1 has adopted this process. PID 1 can be the parent itself,
   * where ctdbd is PID 1 of a container; then it reads the answer, which no adopting PID 1 does. When such a parent dies, the
   * kernel ends every process of its namespace.
   */
  isOrphan(): boolean {
    return this.#parentPid === INIT_PID && !this.#host.readsAnswer(INIT_PID);
  }

  /** An orphan is given a new parent; `kill(pid, 0)` would be fooled by a pid that was used again. */
  isGone(): boolean {
    return this.#host.parentPid() !== this.#parentPid;
  }
}
