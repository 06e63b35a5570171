import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const MEMORY = '/dev/shm';
/** From statfs(2), in the kernel's linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;
/** Bytes for the members of one cluster. A member reserves 64 MB for each of its first two log files. */
const ROOM = 1024 ** 3;

/** The directory for the data of a cluster: in memory where there is room, otherwise that of temporary files. */
export function dataParent(): string {
  try {
    const { type, bavail, bsize } = statfsSync(MEMORY);
    return type === TMPFS_MAGIC && bavail * bsize >= ROOM ? MEMORY : tmpdir();
  } catch {
    return tmpdir();
  }
}
