import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../../src/base/nearest.ts';

const KNOWN = ['lock_ttl', 'refresh', 'lock_refresh', 'host', 'hosts', 'port', 'cert', 'ca_cert', 'key'];

for (const [word, meant] of [
  ['lock_tll', 'lock_ttl'],
  ['lockttl', 'lock_ttl'],
  ['Lock-TTL', 'lock_ttl'],
  ['refesh', 'refresh'],
  ['ohst', 'host'],
  ['host', 'host'],
  ['prot', 'port'],
  ['kye', 'key'],
  ['cacert', 'ca_cert'],
  ['colour', undefined],
  ['', undefined],
  ['ttl', undefined],
  ['x'.repeat(10_000), undefined],
] as const) {
  test(`"${word.slice(0, 20)}" is taken for ${meant ?? 'nothing'}`, () => {
    assert.equal(nearest(word, KNOWN), meant);
  });
}
