import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { MUTATIONS } from '../sim/mutations.ts';

const ROOT = new URL('../../', import.meta.url);

test('every mutation of the simulation fits the source as it is', () => {
  for (const { name, file, find } of MUTATIONS) {
    const places = readFileSync(new URL(file, ROOT), 'utf8').split(find).length - 1;
    assert.equal(places, 1, `"${name}": ${places} places in ${file}, want 1`);
  }
});

test('no two mutations are the same, and each has a name and a limit of its own', () => {
  assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
  assert.ok(MUTATIONS.every(({ find, replace, within }) => find !== replace && within > 0));
  assert.ok(MUTATIONS.length >= 40);
});
