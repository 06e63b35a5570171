import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { KEY_EXAMPLES } from '../../../packaging/release/key-examples.ts';
import { KEYS } from '../../../src/config/config-keys.ts';
import type { ConfigKey } from '../../../src/config/config-key.ts';
import { defaultRefreshMs, longestRefreshMs } from '../../../src/config/timing.ts';
import { configOf } from '../../support/config-text.ts';
import { withTables } from '../../support/options-table.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

test('the tables in docs/configuration.md are those of the code (node test/support/write-options.ts)', () => {
  assert.equal(DOCUMENT, withTables(DOCUMENT));
});

test('every example in the table is taken, and shows something else than the default', () => {
  for (const [id, example] of Object.entries(KEY_EXAMPLES)) {
    const key: ConfigKey<unknown> = KEYS[id as keyof typeof KEYS];
    assert.ok(!('want' in key.check(example)), `${key.name} = ${example}`);
    assert.notEqual(example, key.defaultText, key.name);
  }
});

test('every default in the table is what an absent key means', () => {
  const defaults = Object.values(KEYS).filter((key: ConfigKey<unknown>) => key.defaultText !== undefined);
  const text = defaults.map((key: ConfigKey<unknown>) => `${key.name} = ${key.defaultText ?? ''}`).join('\n');
  assert.deepEqual(configOf(text), configOf(''));
  assert.equal(defaults.length, 10);
});

test('the numbers that the document derives are those of the code', () => {
  const longest = (lockTtl: number): number => longestRefreshMs(lockTtl * 1_000) / 1_000;
  const sentence = `${longest(4)} for a \`lock_ttl\` of 4, ${longest(9)} for 9, ${longest(30)} for 30`;
  assert.ok(DOCUMENT.includes(sentence), sentence);
  assert.equal(defaultRefreshMs(4_000), 1_000);
  assert.ok(KEYS.refresh.meaning.includes(`${longest(9)} for a lock_ttl of 9`));
});

test('the sample in the document works without a warning', () => {
  const sample = /```ini\n([\s\S]*?)```/.exec(DOCUMENT)?.[1] ?? '';
  const { config, warnings } = configOf(sample);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    config.endpoints.map(({ host, secure }) => [host, secure]),
    ['etcd1', 'etcd2', 'etcd3'].map((name) => [`${name}.example.com`, true]),
  );
  assert.equal(config.login?.passwordFile, '/etc/ctdb/etcd password');
});
