import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Log, Verbosity } from '../../../src/base/log.ts';
import { makeStderrLog } from '../../../src/process/stderr-log.ts';

let directory = '';
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'stderr-log-'));
});
after(() => {
  rmSync(directory, { recursive: true });
});

/** The lines that `use` writes, without what stands before the identifier in each. */
function linesOf(verbosity: Verbosity, use: (log: Log) => void): string[] {
  const path = join(directory, 'log');
  const fd = openSync(path, 'w');
  try {
    use(makeStderrLog(verbosity, fd));
  } finally {
    closeSync(fd);
  }
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

const SILENT = 'etcd1:2379: no answer within 1.5 s';
const REFUSED = 'etcd2:2379: connection refused';

function failedTake(log: Log): void {
  for (let round = 0; round < 20; round += 1) {
    log.attempt('net-silent', SILENT);
    log.attempt('net-refused', REFUSED);
  }
  log.attempt('net-unknown', 'etcd3:2379: unknown host');
  log.error('take-failed', 'Cannot take the cluster lock');
}

void describe('the attempts of a take, under -vv', () => {
  test('are one line for each that differs, with its count, before the line that says how the take ended', () => {
    const lines = linesOf(2, failedTake);
    assert.equal(lines.length, 4, lines.join('\n'));
    assert.ok(lines[0]?.includes(`${SILENT} (20 times)`), lines[0]);
    assert.ok(lines[1]?.includes(`${REFUSED} (20 times)`), lines[1]);
    assert.match(lines[2] ?? '', /unknown host(?! \()/);
    assert.match(lines[3] ?? '', /Cannot take the cluster lock/);
  });

  test('are not shown without it', () => {
    assert.equal(linesOf(0, failedTake).length, 1);
    assert.equal(linesOf(1, failedTake).length, 1);
  });

  test('come at once when the take is over, and when there are too many to count', () => {
    const later = linesOf(2, (log) => {
      log.info('info-took', 'Took lock');
      log.attempt('net-silent', SILENT);
      log.attempt('net-silent', SILENT);
    });
    assert.equal(later.length, 3, later.join('\n'));
    const many = linesOf(2, (log) => {
      for (let port = 0; port < 500; port += 1)
        log.attempt('net-refused', `etcd1:${port}: connection refused`);
    });
    assert.ok(many.length > 0 && many.length < 500);
  });
});
