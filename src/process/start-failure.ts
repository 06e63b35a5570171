import { existsSync } from 'node:fs';
import { systemReason } from '../base/errors.ts';

const NULL_DEVICE = '/dev/null';

/**
 * Why a program did not start, as a clause. Node names the program also when it is /dev/null that is missing, which it
 * opens for each stream that is not used.
 */
export function startFailure(error: unknown, exists: (path: string) => boolean = existsSync): string {
  const text = error instanceof Error ? error.message : String(error);
  return systemReason(error).code === 'ENOENT' && !exists(NULL_DEVICE)
    ? `${text}: there is no ${NULL_DEVICE}, make it with mknod -m 666 ${NULL_DEVICE} c 1 3`
    : text;
}
