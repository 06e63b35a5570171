import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  describeHolder,
  formatHolder,
  parseHolder,
  type HolderRecord,
} from '../../../src/lock/holder-record.ts';
import { values } from '../../support/properties.ts';

const RECORD: HolderRecord = {
  node: 'fs1',
  host: 'fs1',
  pnn: 2,
  process: { bootId: '6a', namespaces: '1/2', pid: 4711, startTicks: 12345 },
  since: '2026-01-02T03:04:05.000Z',
  version: '1.0.0',
  ttlMs: 9_000,
  refreshMs: 1_500,
  via: 'etcd1:2379',
};

void describe('the value of the key', () => {
  void it('is read as it was written, with and without the node number', () => {
    assert.deepEqual(parseHolder(formatHolder(RECORD)), RECORD);
    const unknown = { ...RECORD, pnn: undefined };
    assert.deepEqual(parseHolder(formatHolder(unknown)), unknown);
  });

  void it('gives its times in seconds, for people', () => {
    assert.match(formatHolder(RECORD), /"ttl":9,"refresh":1.5/);
  });

  for (const missing of ['pid', 'start_ticks', 'ttl', 'refresh', 'boot_id', 'namespaces']) {
    void it(`is nobody's without ${missing}: such a holder is neither waited for nor reclaimed`, () => {
      const value = JSON.stringify({ ...(JSON.parse(formatHolder(RECORD)) as object), [missing]: undefined });
      assert.equal(parseHolder(value), null);
    });
    void it(`is nobody's when ${missing} is of another type`, () => {
      const value = JSON.stringify({ ...(JSON.parse(formatHolder(RECORD)) as object), [missing]: [] });
      assert.equal(parseHolder(value), null);
    });
  }

  void it('can be any text: reading it never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.anything().map(fc.stringify)), (value) => {
        parseHolder(value);
        assert.ok(describeHolder('/k', value).length > 0);
      }),
      values(),
    );
    assert.equal(parseHolder(''), null);
  });

  void it('is told in one line, or by the key when somebody else wrote it', () => {
    assert.equal(
      describeHolder('/k', formatHolder(RECORD)),
      'pid 4711 on fs1 (PNN 2) since 2026-01-02T03:04:05.000Z',
    );
    assert.equal(describeHolder('/k', ''), 'the unknown owner of key /k');
  });
});
