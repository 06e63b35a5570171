import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const SRC = new URL('../../src/', import.meta.url);
const PAGE = new URL('../../docs/architecture.md', import.meta.url);
const RULES = new URL('../../.dependency-cruiser.mjs', import.meta.url).href;
const { ARROWS } = (await import(RULES)) as { readonly ARROWS: Readonly<Record<string, readonly string[]>> };

test('docs/architecture.md draws the arrows that .dependency-cruiser.mjs allows', () => {
  const table = /<!-- arrows:[\s\S]*?-->([\s\S]*?)<!-- end of arrows -->/.exec(
    readFileSync(PAGE, 'utf8'),
  )?.[1];
  assert.ok(table !== undefined, 'docs/architecture.md has no table of arrows');
  const rows = [...table.matchAll(/^\| `([a-z]+)` \| (.*) \|$/gm)];
  const drawn = rows.map(([, folder = '', targets = '']) => [
    folder,
    [...targets.matchAll(/`([a-z]+)`/g)].map(([, target]) => target),
  ]);
  assert.deepEqual(Object.fromEntries(drawn), ARROWS);
});

test('every folder of src has its arrows', () => {
  const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(folders.map(({ name }) => name).sort(), Object.keys(ARROWS).sort());
});

test('only main.ts and helper.ts read process, and only the alarms and the transport name a timer', () => {
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(new URL(file, SRC), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    if (file !== 'main.ts' && file !== 'helper.ts')
      assert.doesNotMatch(
        text,
        /(?<![.\w])process\.(?!(pid|getBuiltinModule)\b)\w+/,
        `${file} reads process`,
      );
    if (file !== 'process/alarms.ts' && !/^(connect|etcd)\//.test(file))
      assert.doesNotMatch(text, /\bset(Timeout|Interval|Immediate)\(/, `${file} names a timer`);
  }
});
