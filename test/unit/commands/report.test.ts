import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CheckReport } from '../../../src/commands/check/report.ts';
import { fillLines } from '../../../src/commands/output.ts';

const REMEDY = 'check that etcd runs there';

/** What `check` writes about one problem to a terminal of this width, or to a pipe. */
function written(columns: number | undefined, hasColor = false, { remedy = REMEDY } = {}): string {
  let text = '';
  const out = {
    write: (part: string) => {
      text += part;
    },
    isTerminal: columns !== undefined,
    hasColor,
    columns,
  };
  const report = new CheckReport(out, { ...out, isTerminal: false }, false);
  report.expect(['etcd1:2379']);
  report.problem('net-refused', 'connection refused by the host', remedy, 'etcd1:2379');
  return text;
}

const ONE_LINE =
  'problem  net         etcd1:2379  connection refused by the host; check that etcd runs there [net-refused]\n';

void describe('a line of check', () => {
  test('is broken at spaces on a terminal, below the beginning of its text', () => {
    const indent = ' '.repeat(33);
    assert.equal(
      written(72),
      [
        'problem  net         etcd1:2379  connection refused by the host; check',
        `${indent}that etcd runs there [net-refused]`,
        '',
      ].join('\n'),
    );
    for (let columns = 63; columns < 110; columns += 1) {
      const lines = written(columns).trimEnd().split('\n');
      assert.ok(lines.every((line) => line.length <= columns));
      assert.equal(lines.map((line) => line.trim()).join(' '), ONE_LINE.trim());
    }
  });

  test('is one line for a pipe, a wide terminal, and one that is too narrow for columns', () => {
    for (const columns of [undefined, 200, ONE_LINE.length - 1, 40]) assert.equal(written(columns), ONE_LINE);
  });

  test('has its identifier dim, wherever the line is broken', () => {
    for (let columns = 63; columns < 110; columns += 1)
      assert.ok(written(columns, true).endsWith('\u001b[2m[net-refused]\u001b[0m\n'));
  });
});

test('a command or the line for ctdb.conf has a line of its own and is not broken', () => {
  const command = 'etcdctl role grant-permission --prefix=true ROLE readwrite /_locks/_ctdb/FILES/';
  const text = written(80, false, {
    remedy: `grant read and write: ${command}, and give the user that role`,
  });
  assert.ok(text.includes(`\n${' '.repeat(33)}${command},\n`), text);
  const line = 'cluster lock = !/usr/libexec/ctdb/ctdb_etcd_lock --name FILES --cluster-id 1f4c0e6a5b3d2c98';
  assert.ok(written(80, false, { remedy: `set ${line} on every node` }).includes(`${line} on every node\n`));
});

test('a word that is longer than a line is not broken', () => {
  assert.deepEqual(fillLines(['a', 'longword', 'b'], 3), ['a', 'longword', 'b']);
  assert.deepEqual(fillLines([], 3), []);
});
