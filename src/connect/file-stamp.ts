import { stat, statSync, type BigIntStats } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

// In milliseconds. A file system that answers needs a few. The time is part of the time for a connection or a login.
const LIMIT_MS = 100;

function stampIn({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

/**
 * A text that changes whenever the file changes, even when another file of the same size and time replaces it.
 * Undefined when the system refuses access.
 */
export function stampOf(path: string): string | undefined {
  try {
    return stampIn(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

// The questions that are not answered yet. There is one for each file, because each keeps a thread busy.
const asked = new Map<string, Promise<string | undefined>>();

/** Like `stampOf`, but does not block the process while a file system hangs. Never rejects. */
export function stampLater(path: string): Promise<string | undefined> {
  const running = asked.get(path);
  if (running !== undefined) return running;
  const answer = new Promise<string | undefined>((resolve) => {
    stat(path, { bigint: true }, (error, stats) => {
      asked.delete(path);
      resolve(error === null ? stampIn(stats) : undefined);
    });
  });
  asked.set(path, answer);
  return answer;
}

/** The stamps of several files in one text, for `FileStamps.now`. */
export function stampsIn(paths: readonly string[], stamps: readonly (string | undefined)[]): string {
  return paths.map((path, index) => `${path} ${stamps[index] ?? ''}`).join('\n');
}

/** Finds out whether files have changed, without waiting for a file system that hangs. */
export class FileStamps {
  readonly #paths: readonly string[];
  /** The question that is not answered yet. */
  #asked: Promise<string> | undefined;
  #isSilent = false;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** A text that changes whenever one of the files changes. Undefined while a file system does not answer. */
  async now(): Promise<string | undefined> {
    if (this.#isSilent) return undefined;
    const asked = (this.#asked ??= this.#ask());
    const answer = await Promise.race([asked, delay(LIMIT_MS, undefined, { ref: false })]);
    if (answer === undefined && this.#asked === asked) this.#isSilent = true;
    return answer;
  }

  async #ask(): Promise<string> {
    const stamps = await Promise.all(this.#paths.map(stampLater));
    this.#asked = undefined;
    this.#isSilent = false;
    return stampsIn(this.#paths, stamps);
  }
}
