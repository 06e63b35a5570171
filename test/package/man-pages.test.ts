import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { KEY_EXAMPLES } from '../../packaging/release/key-examples.ts';
import { manPage, optionsOf, PAGES, partsOf } from '../../packaging/release/man-pages.ts';
import { COMMANDS } from '../../src/commands/options.ts';
import { helpText } from '../../src/commands/program-text.ts';
import { commandHelp } from '../../src/commands/help.ts';
import { KEYS } from '../../src/config/config-keys.ts';
import { GRPC_OPTIONS } from '../../src/config/grpc-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';
import { EXIT } from '../../src/lock/lifecycle.ts';
import { ANSWER } from '../../src/lock/answer-pipe.ts';
import { longestRefreshMs } from '../../src/config/timing.ts';
import { run, runChecked, temporaryDirectory } from '../support/processes.ts';
import { CHECKOUT } from './root.ts';

// The pages of ctdb and of Samba are not installed where the tests run.
const FOREIGN_PAGE =
  /STYLE: referenced manual not found: Xr (ctdb|ctdbd|ctdb\.conf|ctdb-script\.options|testparm) \d/;

let directory = '';
/** The pages as a reader sees them, in one line each. */
const shown = new Map<string, string>();

/** mandoc makes bold letters as terminals of paper did: letter, backspace, letter. */
function withoutOverstrikes(text: string): string {
  const parts = text.split('\b');
  return parts.map((part, at) => (at === parts.length - 1 ? part : part.slice(0, -1))).join('');
}

before(async () => {
  directory = await temporaryDirectory('man');
  for (const page of PAGES) {
    const file = join(directory, page);
    writeFileSync(file, manPage(page, 1_700_000_000));
    const text = await runChecked('mandoc', ['-T', 'utf8', '-O', 'width=500', file]);
    shown.set(page, withoutOverstrikes(text).replaceAll(/\s+/g, ' '));
  }
});

after(() => {
  rmSync(directory, { recursive: true, force: true });
});

const textOf = (page: string): string => shown.get(page) ?? '';

for (const page of PAGES) {
  describe(page, () => {
    test('has nothing that mandoc complains about', async () => {
      const { stdout } = await run('mandoc', ['-T', 'lint', page], { cwd: directory });
      const complaints = stdout.split('\n').filter((line) => line !== '' && !FOREIGN_PAGE.test(line));
      assert.deepEqual(complaints, []);
    });

    test('has nothing that man warns about', async () => {
      const { status, stderr } = await run(
        'man',
        ['--warnings', '--encoding=UTF-8', '--local-file', '-Tutf8', '--ditroff', join(directory, page)],
        { env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' } },
      );
      assert.equal(stderr, '');
      assert.equal(status, 0);
    });
  });
}

describe('ctdb-etcd(7)', () => {
  test('explains every key with its range, its default and an example', () => {
    const page = textOf('ctdb-etcd.7');
    for (const [id, key] of Object.entries(KEYS) as [keyof typeof KEYS, ConfigKey<unknown>][]) {
      assert.ok(page.includes(`${key.meaning}.`), key.name);
      const example = `Example: ‘${key.name} = ${KEY_EXAMPLES[id]}’.`;
      if (key.range !== 'anything') assert.ok(page.includes(example), example);
      if (key.range !== 'anything') assert.ok(page.includes(`Takes ${key.range}.`), key.name);
      if (key.defaultText !== undefined) assert.ok(page.includes(`Default: ‘${key.defaultText}’.`), key.name);
      for (const alias of key.aliases) assert.ok(page.includes(`Old name: ${alias}`), alias);
    }
    for (const [name, { want }] of GRPC_OPTIONS) {
      assert.equal(page.includes(`${name} Takes ${want}`), !want.startsWith('no such line'), name);
    }
  });

  test('derives the same numbers as the code', () => {
    const longest = (lockTtl: number): number => longestRefreshMs(lockTtl * 1_000) / 1_000;
    const sentence = `at most ${longest(4)} s for a lock_ttl of 4, ${longest(9)} for 9, ${longest(30)} for 30`;
    assert.ok(textOf('ctdb-etcd.7').includes(sentence), sentence);
  });
});

describe('ctdb-etcd-event(7)', () => {
  const script = readFileSync(join(CHECKOUT, 'packaging/events/46.etcdlock.script'), 'utf8');

  test('explains every option of the script with its default, and no other', () => {
    const page = textOf('ctdb-etcd-event.7');
    const options = [...script.matchAll(/^\t\w+=\$\{(CTDB_ETCD_LOCK_\w+):-(\w+)\}$/gm)];
    assert.equal(options.length, 2);
    for (const [, name = '', standard = ''] of options) {
      const [, text = ''] = new RegExp(`${name}=(.*?Default: \\S+)`).exec(page) ?? [];
      assert.match(text, new RegExp(`Default: ${standard}\\.$`), name);
    }
    const named = new Set([...page.matchAll(/CTDB_ETCD_LOCK_\w+/g)].map(([name]) => name));
    assert.deepEqual([...named].sort(), options.map(([, name]) => name).sort());
  });

  test('explains what the script says besides the check', () => {
    const page = textOf('ctdb-etcd-event.7');
    const lines = [...script.matchAll(/(?:echo|tell) "(CTDB LOCK (?:UNKNOWN|CRITICAL) - [^";]+)/g)];
    assert.equal(lines.length, 4);
    for (const [, line = ''] of lines) {
      const text = line
        .replace('$dir', '/var/lib/ctdb/scripts/service/etcdlock')
        .replace(/\$(pid|program)/, '...');
      assert.ok(page.includes(text), text);
    }
  });
});

describe('ctdb_etcd_lock(8)', () => {
  test('explains every option that --help shows', () => {
    const page = textOf('ctdb_etcd_lock.8');
    const options = optionsOf(helpText());
    const shownByHelp = [...helpText().matchAll(/^ {2}-[-\w]/gm)];
    assert.equal(options.length, shownByHelp.length);
    for (const { letter = '', word, meaning } of options) {
      assert.ok(page.includes(`-${letter}`) && page.includes(`--${word}`), word);
      assert.ok(page.includes(meaning.slice(1)), `${word}: ${meaning}`);
    }
  });

  test('explains every command, its options and its exit statuses', () => {
    const page = textOf('ctdb_etcd_lock.8');
    for (const name of COMMANDS) {
      const { about, exit } = partsOf(commandHelp(name));
      assert.ok(page.includes(about), about);
      assert.ok(page.includes(`Exit status: ${exit}`), exit);
      const options = optionsOf(commandHelp(name));
      assert.equal(options.length, [...commandHelp(name).matchAll(/^ {2}-[-\w]/gm)].length);
      for (const { word, meaning } of options) {
        assert.ok(page.includes(`--${word}`), word);
        if (!['config', 'help'].includes(word)) assert.ok(page.includes(meaning.slice(1)), meaning);
      }
    }
  });

  test('lists every answer byte and every exit status, and no other', () => {
    const page = textOf('ctdb_etcd_lock.8');
    const section = (from: string, to: string): string => page.slice(page.indexOf(from), page.indexOf(to));
    const items = (text: string): string[] =>
      [...text.matchAll(/(?<=[a-z.:] )(\d) (?=[A-Z])/g)].map((found) => found[1] ?? '');
    const written = Object.values(ANSWER).filter((byte) => byte !== ANSWER.timeout);
    assert.deepEqual(items(section('ANSWER BYTES', 'ENVIRONMENT')), written);
    assert.deepEqual(items(section('EXIT STATUS The', 'SIGNALS')), Object.values(EXIT).map(String));
  });
});
