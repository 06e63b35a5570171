// `check` reads ctdb.conf as CTDB's own program does that reads it, `ctdb-config` of CTDB 4.17.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCtdbConf } from '../../src/commands/ctdb-conf.ts';
import { CTDB_CONF_FORMS } from '../support/ctdb-conf-forms.ts';
import { run } from '../support/processes.ts';
import { values } from '../support/properties.ts';

const ROOT = fileURLToPath(new URL('../../.cache/ctdb/bookworm', import.meta.url));
const BASE = `/tmp/ctdb-conf-${process.pid}`;

/** The values of `ctdb-config dump` that are not defaults, by `section/option`; undefined when it refuses the file. */
async function theirs(text: string): Promise<Map<string, string> | undefined> {
  writeFileSync(join(ROOT, BASE, 'ctdb.conf'), text, 'latin1');
  const program = '/usr/libexec/ctdb/ctdb-config';
  // Only so does it look for its files below CTDB_BASE.
  const env = ['env', 'CTDB_TEST_MODE=yes', `CTDB_BASE=${BASE}`, program, 'dump'];
  const { status, stdout } = await run('chroot', [ROOT, ...env]);
  if (status !== 0) return undefined;
  const found = new Map<string, string>();
  let section = '';
  for (const line of stdout.split('\n')) {
    section = /^\[(.*)\]$/.exec(line)?.[1] ?? section;
    const [, option, value] = /^\t(?!# )(.*?) = ([^]*)$/.exec(line) ?? [];
    if (option !== undefined && value !== undefined) found.set(`${section}/${option}`, value);
  }
  return found;
}

// Texts without a default, which are shown as they are; numbers, and yes and no, as they are understood.
const COMPARED = ['cluster/cluster lock', 'cluster/recovery lock', 'cluster/node address'];

function ours(text: string): Map<string, string> | undefined {
  const { values: found, refused } = parseCtdbConf(Buffer.from(text, 'latin1'));
  return refused === undefined ? new Map(found) : undefined;
}

async function assertSame(text: string): Promise<void> {
  const [found, wanted] = [ours(text), await theirs(text)];
  const kept = (map: Map<string, string> | undefined): [string, string][] | undefined =>
    map === undefined ? undefined : [...map].filter(([key]) => COMPARED.includes(key)).sort();
  assert.deepEqual(kept(found), kept(wanted), JSON.stringify(text));
}

void describe('ctdb-config of CTDB 4.17', () => {
  before(() => {
    mkdirSync(join(ROOT, BASE), { recursive: true });
  });

  after(() => {
    rmSync(join(ROOT, BASE), { recursive: true });
  });

  for (const { what, text, lock, refused } of CTDB_CONF_FORMS) {
    void it(`reads a ctdb.conf with ${what} as this program does`, async () => {
      const found = await theirs(text);
      assert.equal(found === undefined, refused === true);
      assert.equal(found?.get('cluster/cluster lock'), lock);
      await assertSame(text);
    });
  }

  void it('reads whatever is put together of such pieces as this program does', async () => {
    const piece = fc.constantFrom(
      ...['[cluster]', '[CLUSTER]', '[other]', '[legacy]', '[', ']', 'cluster lock', 'recovery lock'],
      ...[
        ' = ',
        '=',
        '!/x',
        '"',
        '\\',
        '\\\n',
        '\\ \n',
        '\n',
        '\n',
        '\n',
        ' ',
        '\t',
        '\r',
        '\v',
        '#',
        ';',
        '\0',
        '\xef\xbb\xbf',
      ],
    );
    const line = fc.constantFrom(
      '[cluster]\n',
      ' cluster lock = !/x\n',
      ' recovery lock = /y \\\n',
      ' a = b\n',
    );
    const text = fc
      .array(fc.oneof({ weight: 3, arbitrary: piece }, { weight: 1, arbitrary: line }), { maxLength: 16 })
      .map((pieces) => pieces.join(''));
    await fc.assert(fc.asyncProperty(text, assertSame), values(400));
  });
});
