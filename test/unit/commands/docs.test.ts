import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from '../../../src/commands/cli.ts';
import { bugsOf, isAtLeast } from '../../../src/etcd/releases.ts';
import { defaultRefreshMs, longestRefreshMs, marginMsOf } from '../../../src/config/timing.ts';

const DOCS = new URL('../../../docs/', import.meta.url);

function page(name: string): string {
  return readFileSync(new URL(name, DOCS), 'utf8');
}

test('the table of times in sizing.md has the numbers of timing.ts', () => {
  const table = /<!-- table of times[\s\S]*?<!-- end of table -->/.exec(page('sizing.md'))?.[0] ?? '';
  const rows = [...table.matchAll(/^\|\s+\d.*$/gm)].map(([row]) =>
    [...row.matchAll(/([\d.]+) s/g)].map(([, seconds]) => Number(seconds) * 1000),
  );
  assert.equal(rows.length, 6);
  for (const [ttlMs = 0, ...times] of rows) {
    const fencedMs = ttlMs - marginMsOf(ttlMs);
    // etcd notices the end of a lease within 1 s.
    const wanted = [
      marginMsOf(ttlMs),
      fencedMs,
      defaultRefreshMs(ttlMs),
      longestRefreshMs(ttlMs),
      ttlMs + 1000,
    ];
    assert.deepEqual(times, wanted, `lock_ttl of ${ttlMs} ms`);
  }
});

test('links between the pages lead somewhere', () => {
  const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
  const broken = pages.flatMap((from) =>
    [...page(from).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)].flatMap(([, to = '', anchor]) => {
      const target = to === '' ? from : to;
      if (!existsSync(new URL(target, DOCS))) return [`${from}: ${target}`];
      if (anchor === undefined) return [];
      const anchors = [...page(target).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .replaceAll(' ', '-'),
      );
      return anchors.includes(anchor) ? [] : [`${from}: ${target}#${anchor}`];
    }),
  );
  assert.deepEqual(broken, []);
});

test('the quick start names every command and what its exit status means', () => {
  const text = page('quick-start.md');
  for (const command of COMMANDS)
    assert.match(text, new RegExp(`^\\| \`${command}\` +\\| 0 .+, 1 .+, 2 .+ \\|$`, 'm'));
});

test('a release has the bugs of its line until the fix, and the lines after the fix have none', () => {
  const issues = (version: string): number[] => bugsOf(version).map(({ issue }) => issue);
  assert.deepEqual(issues('3.4.19'), [15247, 20590, 13675]);
  assert.deepEqual(issues('3.4.23'), [15247, 20590]);
  assert.deepEqual(issues('3.4.31'), [18069, 20590]);
  assert.deepEqual(issues('3.4.38'), []);
  assert.deepEqual(issues('3.5.12'), [15247, 20590]);
  assert.deepEqual(issues('3.5.16'), [20590]);
  assert.deepEqual(issues('3.5.30'), []);
  assert.deepEqual(issues('3.6.4'), [20590]);
  assert.deepEqual(issues('3.7.0'), []);
  assert.deepEqual(issues('3.3.25'), [15247, 20590, 13675]);
  assert.deepEqual(issues('nonsense'), []);
  assert.equal(bugsOf('3.4.23')[0]?.fixedIn, '3.4.31');
});

test('versions compare by number', () => {
  assert.ok(isAtLeast('3.10.0', '3.3.0'));
  assert.ok(isAtLeast('3.3.0', '3.3.0'));
  assert.ok(!isAtLeast('3.2.32', '3.3.0'));
  assert.ok(!isAtLeast('nonsense', '3.3.0'));
});
