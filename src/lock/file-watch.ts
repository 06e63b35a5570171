import type { Clock, Disposer } from '../base/clock.ts';
import type { Log, Notice } from '../base/log.ts';

/** The watched files. `ConnectionFiles` implements it. */
export interface WatchedFiles {
  /** False when there is no file to watch. */
  readonly areAny: boolean;
  /** Returns a text that is different after each change of a file. */
  stampsNow(): string;
  stamps(): Promise<string>;
  /** Why the files cannot be used as they are now; undefined when they can. */
  problem(): Notice | undefined;
}

export interface FileWatchTools {
  readonly clock: Clock;
  readonly log: Pick<Log, 'warning'>;
}

/** Between two looks, in milliseconds. A look costs one stat(2) for each file. Files are read only after a change. */
export const LOOK_MS = 30_000;
/**
 * In milliseconds. A certificate and its key are replaced one after the other. So files that do not match are checked
 * once more after this time.
 */
export const SECOND_LOOK_MS = 5_000;

/**
 * Watches the files for TLS and the login while the lock is held. An open connection reads none of them, so a failed
 * rotation would show only at the next connection. Warns once when changed files cannot be used, and reports once when
 * they can be used again. The result has no effect on the lock.
 */
export class FileWatch {
  readonly #files: WatchedFiles;
  readonly #tools: FileWatchTools;
  /**
   * The stamps of the last files that could be used. At the start: those before the first connection, which reads the
   * files.
   */
  #usedStamps: string;
  #isWarned = false;
  #isLooking = false;
  #isStopped = false;
  #stopSecondLook: Disposer = () => undefined;

  constructor(files: WatchedFiles, tools: FileWatchTools) {
    this.#files = files;
    this.#tools = tools;
    this.#usedStamps = files.stampsNow();
  }

  /**
   * Starts the watch.
   * @returns the function that stops it
   */
  start(): Disposer {
    if (!this.#files.areAny) return () => undefined;
    const stopLooks = this.#tools.clock.every(LOOK_MS, () => void this.#look(false));
    return () => {
      this.#isStopped = true;
      stopLooks();
      this.#stopSecondLook();
    };
  }

  async #look(isSecond: boolean): Promise<void> {
    // A look can hang with its file system. The next one waits for it, because it would hang too.
    if (this.#isLooking) return;
    this.#isLooking = true;
    const stamps = await this.#files.stamps();
    this.#isLooking = false;
    if (this.#isStopped || (stamps === this.#usedStamps && !this.#isWarned)) return;
    const problem = this.#files.problem();
    if (problem === undefined) {
      this.#usedStamps = stamps;
      this.#considerOver();
    } else if (isSecond) this.#warn(problem);
    else if (!this.#isWarned) this.#lookAgain();
  }

  #lookAgain(): void {
    const { clock } = this.#tools;
    this.#stopSecondLook = clock.at(clock.now() + SECOND_LOOK_MS, () => void this.#look(true));
  }

  #warn({ id, text }: Notice): void {
    this.#isWarned = true;
    this.#tools.log.warning(id, text);
  }

  #considerOver(): void {
    if (!this.#isWarned) return;
    this.#isWarned = false;
    this.#tools.log.warning('warn-files', 'The files of TLS and of the login can be used again');
  }
}
