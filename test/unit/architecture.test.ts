import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const SRC = new URL('../../src/', import.meta.url);
const PAGE = new URL('../../docs/architecture.md', import.meta.url);

/** May be imported by all. */
const COMMON = new Set(['clock', 'errors', 'log']);

function importsOf(file: string): string[] {
  const text = readFileSync(new URL(file, SRC), 'utf8');
  return [...text.matchAll(/\bfrom '\.\/([\w-]+)\.ts'|\bimport\('\.\/([\w-]+)\.ts'\)/g)].flatMap(
    (match) => match[1] ?? match[2] ?? [],
  );
}

function actualArrows(): Map<string, Set<string>> {
  const files = readdirSync(SRC).filter((name) => name.endsWith('.ts'));
  return new Map(
    files.map((file) => [
      file.replace(/\.ts$/, ''),
      new Set(importsOf(file).filter((target) => !COMMON.has(target))),
    ]),
  );
}

/** Lines `from -> to to to` in the page's block of arrows. */
function drawnArrows(): Map<string, Set<string>> {
  const block = /```arrows\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1];
  assert.ok(block !== undefined, 'docs/architecture.md has no block of arrows');
  const lines = block.split('\n').filter((line) => line.trim() !== '');
  return new Map(
    lines.map((line) => {
      const [from = '', targets = ''] = line.split('->');
      return [from.trim(), new Set(targets.split(' ').filter((word) => word !== ''))];
    }),
  );
}

function asLines(arrows: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...arrows]
    .filter(([, targets]) => targets.size > 0)
    .map(([from, targets]) => `${from} -> ${[...targets].sort().join(' ')}`)
    .sort();
}

test('the arrows between modules are those that docs/architecture.md draws', () => {
  assert.deepEqual(asLines(actualArrows()), asLines(drawnArrows()));
});

test('no module imports itself by a detour', () => {
  const arrows = actualArrows();
  const visit = (module: string, path: readonly string[]): void => {
    assert.ok(!path.includes(module), `circle of imports: ${[...path, module].join(' -> ')}`);
    for (const target of arrows.get(module) ?? []) visit(target, [...path, module]);
  };
  for (const module of arrows.keys()) visit(module, []);
});

test('only main.ts, helper.ts and the modules they hand them to name process, timers and the network', () => {
  for (const file of readdirSync(SRC).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(new URL(file, SRC), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    if (file !== 'main.ts' && file !== 'helper.ts')
      assert.doesNotMatch(text, /(?<![.\w])process\.(?!pid\b)\w+/, `${file} reads process`);
    if (file !== 'alarms.ts' && !file.startsWith('etcd-') && !file.startsWith('http2-')) {
      assert.doesNotMatch(text, /\bset(Timeout|Interval|Immediate)\(/, `${file} names a timer`);
    }
    if (!file.startsWith('etcd-') && file !== 'main.ts') {
      assert.doesNotMatch(text, /from '(etcd3|@grpc)/, `${file} imports a transport library`);
    }
  }
});
