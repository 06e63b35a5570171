import type { LockBench } from './lock-bench.ts';
import type { Helper, HelperOptions } from './mutex-parent.ts';

const WORDS: Readonly<Record<string, string>> = { '0': 'LOCK', '1': 'CONTENTION', '2': 'TIMEOUT' };

/**
 * Tells what CTDB sees of one attempt at the lock, in the words of samba's own test of mutex helpers
 * (ctdb/tests/src/cluster_mutex_test.c), and as it does: a helper that was let go is waited for.
 */
export class Attempt {
  readonly #transcript: string[];
  readonly #helper: Helper;
  #state: 'asking' | 'held' | 'noLock' = 'asking';

  constructor(transcript: string[], helper: Helper) {
    this.#transcript = transcript;
    this.#helper = helper;
  }

  get helper(): Helper {
    return this.#helper;
  }

  /** `do_lock_wait_done` and `do_lock_check`: tells the answer, and NOLOCK when there is no lock. */
  async answered(): Promise<void> {
    if (this.#state === 'asking') {
      const byte = await this.#helper.answer();
      this.#tell(WORDS[byte] ?? 'ERROR');
      this.#state = byte === '0' ? 'held' : 'noLock';
      if (byte !== '0') await this.#helper.exited();
    }
    if (this.#state === 'noLock') this.#tell('NOLOCK');
  }

  /** `do_unlock`: CANCEL while still asking, UNLOCK after that. */
  async unlock(): Promise<void> {
    if (this.#state === 'asking') {
      this.#tell('CANCEL');
      this.#state = 'noLock';
    } else this.#tell('UNLOCK');
    await this.#helper.release();
  }

  /** Waits for the end of file that tells CTDB that the lock is lost, and tells what the log says about it. */
  async lost(): Promise<void> {
    await this.#helper.endOfFile();
    await this.#helper.exited();
    this.#transcript.push(...this.#helper.stderrLines);
    this.#tell('LOST');
  }

  #tell(word: string): void {
    this.#transcript.push(word);
  }
}

/** The transcript of several attempts at one lock. */
export class Story {
  readonly transcript: string[] = [];
  readonly #bench: LockBench;

  constructor(bench: LockBench) {
    this.#bench = bench;
  }

  /** `do_lock_take`: starts a helper and does not wait. */
  async take(options: Partial<HelperOptions> = {}): Promise<Attempt> {
    return new Attempt(this.transcript, await this.#bench.run(options));
  }

  /** `do_lock`: starts a helper and waits for its answer. */
  async lock(options: Partial<HelperOptions> = {}): Promise<Attempt> {
    const attempt = await this.take(options);
    await attempt.answered();
    return attempt;
  }
}
