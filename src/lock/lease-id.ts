import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { type LeaseId, leaseIdFrom } from '../cluster/member.ts';

const LEASE_ID_BYTES = 8;

/** Reads random bytes from the kernel. Node's crypto module would load much more, which takes a tenth of a start. */
function fromKernel(bytes: Buffer): boolean {
  try {
    const fd = openSync('/dev/urandom', 'r');
    try {
      return readSync(fd, bytes) === bytes.length;
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** A random lease ID that no other lease has. */
export function newLeaseId(): LeaseId {
  const bytes = Buffer.alloc(LEASE_ID_BYTES);
  return leaseIdFrom(fromKernel(bytes) ? bytes : randomBytes(LEASE_ID_BYTES));
}
