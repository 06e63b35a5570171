import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { editsOf, placeOf } from '../../sim/hooks.ts';
import { MUTATIONS } from '../../sim/mutations.ts';
import { PROPERTIES, propertiesTable } from '../../sim/properties.ts';
import { readSafetyPart, rowsOf } from '../../support/safety-document.ts';

const ROOT = new URL('../../../', import.meta.url);

test('every mutation of the simulation fits the source as it is', () => {
  for (const mutation of MUTATIONS) {
    for (const edit of editsOf(mutation)) placeOf(readFileSync(new URL(edit.file, ROOT), 'utf8'), edit);
  }
});

test('no two mutations are the same, and each has a name and a limit of its own', () => {
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
  assert.ok(MUTATIONS.every(({ find, replace, within }) => find !== replace && within > 0));
  assert.ok(MUTATIONS.length >= 40);
});

test('docs/safety-tests.md shows each mutation as found, by a property that there is, within its limit', () => {
  const rows = rowsOf(readSafetyPart('mutations'));
  assert.deepEqual(
    rows.map(([name, file, , , limit]) => [name, file, limit]),
    MUTATIONS.map(({ name, file, within }) => [name, `\`${file}\``, String(within)]),
    'npm run sim:mutations -- --write',
  );
  for (const [name, , property = '', schedules, limit] of rows) {
    assert.ok(Object.hasOwn(PROPERTIES, property), `"${name ?? ''}" was found by "${property}"`);
    assert.ok(Number(schedules) <= Number(limit), name);
  }
});

test('docs/safety-tests.md shows the properties as they are', () => {
  assert.equal(readSafetyPart('properties').trim(), propertiesTable().trim());
});
