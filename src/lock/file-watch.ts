import type { Clock, Disposer } from '../base/clock.ts';
import type { Log, Notice } from '../base/log.ts';

/** The files that are watched, as `ConnectionFiles` gives them. */
export interface WatchedFiles {
  /** False: there is nothing to watch. */
  readonly areAny: boolean;
  /** Another text after each change. */
  stampsNow(): string;
  stamps(): Promise<string>;
  /** Why the files cannot be used as they are now; undefined when they can. */
  problem(): Notice | undefined;
}

export interface FileWatchTools {
  readonly clock: Clock;
  readonly log: Pick<Log, 'warning'>;
}

/** Between two looks, milliseconds. Each costs one stat(2) for each file; files are read only after a change. */
export const LOOK_MS = 30_000;
/** A certificate and its key are replaced one after the other, so a pair that does not match is looked at once more. */
export const SECOND_LOOK_MS = 5_000;

/**
 * Looks at the files of TLS and of the login while the lock is held. A connection that stands reads none of them, so a
 * rotation that went wrong would show at the next connection only. Warns once when changed files cannot be used, and once
 * when they can again. Nothing else depends on it.
 */
export class FileWatch {
  readonly #files: WatchedFiles;
  readonly #tools: FileWatchTools;
  /** The stamps of files that could be used: at the start those before the first connection, which reads them. */
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

  /** Begins to look, until it is stopped. */
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
    // One that hangs is waited for: a second one beside it would hang as well.
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
