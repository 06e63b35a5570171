import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHolder } from '../../../src/lock/holder-record.ts';
import { OwnRecord } from '../../../src/process/own-record.ts';

const SELF = { bootId: 'boot', namespaces: '1/2', pid: 7, startTicks: 9 };
const HOST = { hostName: 'node1', self: SELF };

void test('the record of this process says who it is, and at the take not yet the PNN', () => {
  const record = new OwnRecord(HOST, { ttlMs: 9_000, refreshMs: 2_000 }, '1.0.0');
  const earliest = new Date().toISOString();
  const { since = '', ...taken } = parseHolder(record.valueForTake('etcd1:2379')) ?? {};
  assert.ok(since >= earliest && since <= new Date().toISOString(), since);
  assert.deepEqual(taken, {
    ...{ node: 'node1', host: 'node1', pnn: undefined, process: SELF, version: '1.0.0' },
    ...{ ttlMs: 9_000, refreshMs: 2_000, via: 'etcd1:2379' },
  });
});

void test('the PNN is added to the record of the last take, and to none before a take', () => {
  const record = new OwnRecord(HOST, { ttlMs: 9_000, refreshMs: 2_000 }, '1.0.0');
  assert.equal(record.valueWithPnn(3), undefined);
  record.valueForTake('etcd1:2379');
  const taken = parseHolder(record.valueForTake('etcd2:2379'));
  assert.deepEqual(parseHolder(record.valueWithPnn(3) ?? ''), { ...taken, pnn: 3 });
});
