import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { catalogue, printedMessages, sourcesOf } from '../support/catalogue.ts';
import { readsLikeMessage } from '../support/messages.ts';
import { filledIn, guideEntries } from '../support/failure-guide.ts';

const ENTRIES = guideEntries();
const MESSAGES = printedMessages();

function source(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
}

test('every text that the program can print belongs to an entry of the failure guide', () => {
  assert.ok(MESSAGES.length > 250, 'the source was read');
  const spans = ENTRIES.flatMap((entry) => entry.spans);
  const missing = MESSAGES.filter(({ text }) => {
    const pattern = filledIn(text);
    return !spans.some((span) => pattern.test(span));
  });
  assert.deepEqual(
    missing.map(({ module, text }) => `${module}: ${text}`),
    [],
  );
});

test('every line of the failure guide can be printed', () => {
  const stale = ENTRIES.flatMap(({ id, lines }) =>
    lines
      .filter((line) => readsLikeMessage(line) && sourcesOf(line, MESSAGES).length === 0)
      .map((line) => `${id}: ${line}`),
  );
  assert.deepEqual(stale, []);
});

test('every entry has an identifier of its own', () => {
  const ids = ENTRIES.map(({ id }) => id);
  assert.ok(ids.length > 140);
  assert.deepEqual(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    [],
  );
});

test('every identifier in the source is an entry of the failure guide', () => {
  const files = readdirSync(new URL('../../src/', import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`);
  const known = new Set(ENTRIES.map(({ id }) => id));
  const named = files.flatMap((file) => {
    const text = source(file);
    return [
      ...text.matchAll(/\breport\s*\.(?:ok|note|warning|problem)\(\s*'([^']+)'/g),
      ...text.matchAll(/\bid: '([^']+)'/g),
      ...text.matchAll(/new (?:TlsFile|Setup|Usage)Error\(\s*'([^']+)'/g),
      ...text.matchAll(/\bproblem\(\s*'([a-z]+(?:-[a-z]+)+)'/g),
      ...text.matchAll(/\bconfigError\(\s*'([^']+)'/g),
      ...text.matchAll(/\b(?:(?:log|complain)\.\w+|warnOnce)\(\s*'([^']+)'/g),
      ...text.matchAll(/\bformatLine\('([^']+)'/g),
      ...text.matchAll(/'((?:net|tls|auth|etcd)-[a-z0-9-]+)'/g),
    ].flatMap(([, ...ids]) => ids);
  });
  const used = new Set(named);
  assert.ok(used.size > 80, `${used.size} identifiers were found`);
  assert.deepEqual(
    [...used].filter((id) => !known.has(id)),
    [],
  );
  // What the commands print, and how `check` reports, has no identifier in the output.
  const ofOutput = /^(command|status|release|check)-/;
  assert.deepEqual(
    [...known].filter((id) => !ofOutput.test(id) && !used.has(id)),
    [],
  );
});

test('docs/messages.md is what test/support/write-messages.ts writes', () => {
  assert.equal(source('docs/messages.md'), catalogue(), 'run node test/support/write-messages.ts');
});
