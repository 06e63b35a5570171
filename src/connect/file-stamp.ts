import { stat, statSync, type BigIntStats } from 'node:fs';

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

/** Like `stampOf`, but does not block the process while a file system hangs. Never rejects. */
export function stampLater(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    stat(path, { bigint: true }, (error, stats) => {
      resolve(error === null ? stampIn(stats) : undefined);
    });
  });
}
