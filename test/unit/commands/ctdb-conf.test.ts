import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integerOf, parseCtdbConf } from '../../../src/commands/ctdb-conf.ts';
import { CTDB_CONF_FORMS } from '../../support/ctdb-conf-forms.ts';

for (const { what, text, lock, refused, dropped } of CTDB_CONF_FORMS) {
  test(`of a ctdb.conf with ${what}, CTDB makes ${lock ?? (refused ? 'an error' : 'no cluster lock')}`, () => {
    const conf = parseCtdbConf(Buffer.from(text, 'latin1'));
    assert.equal(conf.values.get('cluster/cluster lock'), lock);
    assert.equal(conf.refused !== undefined, refused === true);
    assert.equal(conf.dropped !== undefined, dropped === true);
  });
}

test('what CTDB passes over is told with its line', () => {
  const text = '[cluster]\n\n Cluster Lock = /x\n[other]\n cluster lock = \\\n  /y\njunk\n';
  assert.deepEqual(parseCtdbConf(Buffer.from(text)).ignored, [
    { line: 3, problem: 'Cluster Lock is not an option of [cluster]' },
    { line: 4, problem: 'there is no section [other]' },
    { line: 5, problem: 'cluster lock is outside of any section of CTDB' },
    { line: 7, problem: 'no "=" in "junk"' },
  ]);
});

test('what stops CTDB is told with its line', () => {
  const refused = parseCtdbConf(Buffer.from('# c\n[cluster]\n leader timeout = \\\n 0\n transport = x\n'));
  assert.deepEqual(refused.refused, { line: 3, problem: 'CTDB refuses leader timeout = 0' });
  const dropped = parseCtdbConf(Buffer.from('[cluster]\n cluster lock = /x\n = y\n'));
  assert.deepEqual(dropped.dropped, { line: 3, problem: 'nothing before the "="' });
});

test('a value outside of ASCII stays what it is', () => {
  const conf = parseCtdbConf(Buffer.from('[cluster]\n cluster lock = /clüster/\u{1f512}\n'));
  assert.equal(conf.values.get('cluster/cluster lock'), '/clüster/\u{1f512}');
});

for (const [text, value] of [
  ['5', 5],
  ['0x10', 16],
  ['010', 8],
  ['7s', 7],
  [' +5', 5],
  ['-1', -1],
  ['five', 0],
  ['', 0],
] as const) {
  test(`CTDB reads the number "${text}" as ${value}`, () => {
    assert.equal(integerOf(text), value);
  });
}
