import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SCENARIOS } from '../../fault/scenarios.ts';
import { readSafetyPart, rowsOf } from '../../support/safety-document.ts';

test('docs/safety-tests.md shows what came of each scenario on each release of etcd', () => {
  const rows = rowsOf(readSafetyPart('fault runs').replace(/^[^]*(?=^\| scenario )/m, ''));
  assert.deepEqual(
    rows.map(([name, expectation]) => [name, expectation]),
    SCENARIOS.map(({ name, expectation }) => [`\`${name}\``, expectation]),
    'npm run faults -- --etcd all, then npm run faults:document',
  );
  for (const [name, , ...cells] of rows) {
    assert.equal(cells.length, 1, name);
    assert.match(cells[0] ?? '', /^held(?!.*not run)/, name);
  }
});
