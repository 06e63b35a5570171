import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSize } from '../../../src/commands/check/cluster.ts';

const MIB = 2 ** 20;
const REMEDY = 'compact and defragment it, or raise --quota-backend-bytes';

/** What `check` says of members with these sizes and quotas, MiB. */
function said(...members: readonly (readonly [sizeMib: number, quotaMib?: number])[]): string[] {
  const lines: string[] = [];
  const statuses = members.map(([size, quota]) => ({
    dbSizeBytes: size * MIB,
    dbQuotaBytes: quota === undefined ? undefined : quota * MIB,
  }));
  checkSize(statuses, {
    ok: (id, text) => lines.push(`ok ${id}: ${text}`),
    warning: (id, text, remedy) => lines.push(`warning ${id}: ${text}; ${remedy}`),
  });
  return lines;
}

const large = (size: string, quota: string): string =>
  `warning database-large: ${size} MiB on disk, and etcd refuses leases at ${quota}; ${REMEDY}`;

test('a member that says its quota is measured by it', () => {
  assert.deepEqual(said([100, 8_192]), ['ok database-ok: 100.0 MiB on disk']);
  assert.deepEqual(said([1_700, 8_192]), ['ok database-ok: 1700.0 MiB on disk']);
  assert.deepEqual(said([14, 16]), [large('14.0', 'its quota of 16.0 MiB')]);
});

test('a member that does not say its quota is measured by the default of etcd', () => {
  assert.deepEqual(said([1_600]), ['ok database-ok: 1600.0 MiB on disk']);
  assert.deepEqual(said([1_700]), [large('1700.0', 'its quota, 2048 MiB by default')]);
});

test('the member nearest to its quota counts, not the largest database', () => {
  assert.deepEqual(said([3_000, 8_192], [14, 16], [20]), [large('14.0', 'its quota of 16.0 MiB')]);
});

test('a member without a quota never fills it', () => {
  assert.deepEqual(said([9_000, Infinity]), ['ok database-ok: 9000.0 MiB on disk']);
});

test('members that say nothing are no reason to say anything', () => {
  assert.deepEqual(said(), []);
});
