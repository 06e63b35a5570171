// The command of packaging/monitoring/ctdb-etcd-lock-metrics.service, with a program in the place of the helper.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTemporaryDirectory, temporaryDirectory } from '../../support/processes.ts';

const SERVICE = new URL('../../../packaging/monitoring/ctdb-etcd-lock-metrics.service', import.meta.url);
const [, COMMAND = ''] = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(readFileSync(SERVICE, 'utf8')) ?? [];

test('the timer replaces the metrics only by a whole text', async () => {
  const directory = await temporaryDirectory('metrics');
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const file = join(directory, 'ctdb_etcd_lock.prom');
  for (const [status, isWhole] of [
    [0, true],
    [1, true],
    [2, true],
    [3, false],
    [137, false],
  ] as const) {
    writeFileSync(file, 'old\n');
    writeFileSync(join(bin, 'ctdb_etcd_lock'), `#!/bin/sh\necho new\nexit ${status}\n`, { mode: 0o755 });
    const ended = spawnSync('/bin/sh', ['-c', COMMAND], {
      env: { PATH: `${bin}:/usr/bin:/bin`, DIRECTORY: directory },
      encoding: 'utf8',
    });
    assert.deepEqual(
      [status, ended.status === 0, readFileSync(file, 'utf8')],
      [status, isWhole, isWhole ? 'new\n' : 'old\n'],
      ended.stderr,
    );
  }
  removeTemporaryDirectory(directory);
});
