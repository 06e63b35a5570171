import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { COMMANDS } from '../../../src/commands/options.ts';
import { bugsOf, isAtLeast, isKnownLine, lastOfEndedLine } from '../../../src/etcd/releases.ts';
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

test('a release has the numbered bugs of its line until the fix, and the lines after the fix have none', () => {
  const issues = (version: string): number[] => bugsOf(version).flatMap(({ issue }) => issue ?? []);
  assert.deepEqual(issues('3.4.19'), [15247, 20590, 13675]);
  assert.deepEqual(issues('3.4.23'), [15247, 20590, 20418]);
  assert.deepEqual(issues('3.4.31'), [18069, 20590, 20418]);
  assert.deepEqual(issues('3.4.42'), []);
  assert.deepEqual(issues('3.5.12'), [15247, 20590, 20418]);
  assert.deepEqual(issues('3.5.16'), [20590, 20418]);
  assert.deepEqual(issues('3.5.28'), []);
  assert.deepEqual(issues('3.6.4'), [20590, 20418]);
  assert.deepEqual(issues('3.6.9'), []);
  assert.deepEqual(issues('3.7.0'), [20590]);
  assert.deepEqual(issues('3.3.25'), [15247, 20590, 13675]);
  assert.deepEqual(issues('nonsense'), []);
  assert.equal(bugsOf('3.4.23')[0]?.fixedIn, '3.4.31');
});

/** From where on each line has it, and where it does not any more. */
const BUGS: readonly (readonly [
  what: RegExp,
  endangersLock: boolean,
  ...lines: [since: string, fixed: string][],
])[] = [
  [/read can be stale/, true, ['3.4.20', '3.4.42'], ['3.5.0', '3.5.28'], ['3.6.0', '3.6.9']],
  [/different data after a crash/, true, ['3.5.0', '3.5.3']],
  [/different revisions after a crash/, true, ['3.5.0', '3.5.6']],
  [/one member can lose a write/, true, ['3.4.0', '3.4.21'], ['3.5.0', '3.5.5']],
  [/watch can go back in time/, false, ['3.4.0', '3.4.25'], ['3.5.0', '3.5.8']],
  [/time to live of a lease/, false, ['3.4.0', '3.4.32'], ['3.5.0', '3.5.14']],
  [/watch can miss a delete/, false, ['3.4.0', '3.4.36'], ['3.5.0', '3.5.18']],
  [/can corrupt a member/, true, ['3.4.0', '3.4.38'], ['3.5.0', '3.5.23'], ['3.6.0', '3.6.5']],
  [/CVE-2026-33413/, true, ['3.4.0', '3.4.42'], ['3.5.0', '3.5.28'], ['3.6.0', '3.6.9']],
  [/show keys without permission/, false, ['3.5.0', '3.5.33'], ['3.6.0', '3.6.14'], ['3.7.0', '3.7.1']],
];

for (const [what, endangersLock, ...lines] of BUGS) {
  test(`the bug ${what.source} is known from its first release to its fix in each line`, () => {
    const found = (version: string): boolean[] =>
      bugsOf(version)
        .filter((bug) => what.test(bug.what))
        .map((bug) => bug.endangersLock);
    for (const [since, fixed] of lines) {
      const [major, minor, patch] = fixed.split('.').map(Number);
      assert.deepEqual(found(since), [endangersLock], since);
      assert.deepEqual(found([major, minor, (patch ?? 0) - 1].join('.')), [endangersLock], fixed);
      assert.deepEqual(found(fixed), [], fixed);
    }
  });
}

test('of a line before 3.4 or after 3.7 nothing is claimed, and 3.4 has ended', () => {
  assert.deepEqual(
    ['3.3.25', '3.4.45', '3.5.30', '3.6.14', '3.7.1', '3.8.0', '4.0.0', 'nonsense'].map(isKnownLine),
    [false, true, true, true, true, false, false, false],
  );
  assert.deepEqual(['3.4.23', '3.5.30', '3.8.0'].map(lastOfEndedLine), ['3.4.45', undefined, undefined]);
});

test('versions compare by number', () => {
  assert.ok(isAtLeast('3.10.0', '3.3.0'));
  assert.ok(isAtLeast('3.3.0', '3.3.0'));
  assert.ok(!isAtLeast('3.2.32', '3.3.0'));
  assert.ok(!isAtLeast('nonsense', '3.3.0'));
});
