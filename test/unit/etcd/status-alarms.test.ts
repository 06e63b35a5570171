import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alarmsIn } from '../../../src/etcd/admin-client.ts';

void test('the alarms in a status are read with one space between the fields, and with two', () => {
  const errors = [
    'memberID:10276657743932975437 alarm:NOSPACE ', // 3.4.23
    'memberID:9372538179322589801  alarm:CORRUPT', // 3.7.1
    'etcdserver: no leader',
  ];
  assert.deepEqual(alarmsIn('3.7.1', errors), [
    { memberId: '10276657743932975437', alarm: 'NOSPACE' },
    { memberId: '9372538179322589801', alarm: 'CORRUPT' },
  ]);
  assert.equal(alarmsIn('3.3.27', errors), undefined);
});
