import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { labelOfVariable } from '../../support/etcd-programs.ts';

const MODULE = new URL('../../support/etcd-programs.ts', import.meta.url).href;

test('a variable names a release: lower case, and a dot for each underscore', () => {
  assert.equal(labelOfVariable('ETCD_DIR_3_6'), '3.6');
  assert.equal(labelOfVariable('ETCD_DIR_MINE'), 'mine');
  assert.equal(labelOfVariable('ETCD_DIR'), undefined);
  assert.equal(labelOfVariable('MY_ETCD_DIR_3_6'), undefined);
});

test('a release that a variable adds is asked what it is and what it takes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ctdb-etcd-lock-programs-'));
  try {
    const etcd = join(folder, 'etcd');
    writeFileSync(
      etcd,
      '#!/bin/sh\n[ "$1" = --version ] && echo "etcd Version: 3.6.14" || echo "  --snapshot-count \'10000\'"\n',
    );
    chmodSync(etcd, 0o755);
    const script = `
      import { ADDED_RELEASES, DEFAULT_RELEASE, etcdPackageVersion, etcdProgram, etcdTakes, hasProgram } from '${MODULE}';
      console.log(JSON.stringify([
        ADDED_RELEASES.includes('3.6'), DEFAULT_RELEASE, etcdPackageVersion('3.6'), etcdProgram('3.6', 'etcd'),
        etcdTakes('3.6', '--snapshot-count'), etcdTakes('3.6', '--enable-v2'), hasProgram('3.6', 'etcdutl'),
      ]));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ETCD_DIR_3_6: folder, ETCD_RELEASE: '3.6' },
    });
    assert.equal(stderr, '');
    assert.deepEqual(JSON.parse(stdout), [true, '3.6', '3.6.14', etcd, true, false, false]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
