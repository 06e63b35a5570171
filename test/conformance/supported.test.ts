// The set-ups that work, each with a real etcd and the packed binary: the lock is taken without a word, `check` finds nothing but
// the warnings that belong to it, and docs/tls-and-auth.md names them. ETCD_RELEASE=3.4 tries them on another release.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { checkLock } from '../support/check-lock.ts';
import { DnsServer } from '../support/dns-server.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { SETUPS, type Setup } from '../support/supported-setups.ts';

const PAGE = new URL('../../docs/tls-and-auth.md', import.meta.url);

// src/config/timing.ts.
const ANSWER_MS = 4_300;

let directory: string;
let authority: Authority;
let stranger: Authority;
let dns: DnsServer;
let page: string;
before(async () => {
  dns = await DnsServer.start('127.0.0.1', 0);
  directory = await temporaryDirectory('setups');
  authority = await Authority.make(directory, 'authority');
  stranger = await Authority.make(directory, 'stranger');
  page = await readFile(PAGE, 'utf8');
});
after(() => dns[Symbol.asyncDispose]());

function trySetups(setups: readonly Setup[]): void {
  for (const { table, what, warnings = [], provoke } of setups) {
    test(`${table}: ${what}`, async (t) => {
      await using stack = new AsyncDisposableStack();
      const settings = await provoke({ release: LATEST_RELEASE, directory, authority, stranger, dns, stack });
      const base = stack.use(await HelperBase.make({ netbios_name: 'ERRORS', ...settings }));
      const helper = await base.run({ autoTerm: false });
      assert.equal(await helper.answer(), '0', helper.stderr);
      t.diagnostic(`0 after ${helper.tookMs.toFixed(0)} ms`);
      assert.ok(helper.tookMs < ANSWER_MS, `${helper.tookMs.toFixed(0)} ms`);
      assert.equal((await helper.release()).status, 0);
      assert.equal(helper.stderr, '');
      const { findings } = await checkLock(base);
      const found = findings.filter(({ verdict }) => verdict === 'warning' || verdict === 'problem');
      // A question mark: it depends on the machine.
      const allowed = warnings.map((id) => id.replace('?', ''));
      const expected = allowed.filter((id) => warnings.includes(id) || found.some((one) => one.id === id));
      assert.deepEqual(
        found.map(({ verdict, id }) => `${verdict} ${id}`),
        expected.map((id) => `warning ${id}`),
        JSON.stringify(found, undefined, 2),
      );
      assert.ok(page.includes(`\n| ${table} | ${what} | `), 'docs/tls-and-auth.md has it');
    });
  }
}

void describe('a set-up that is supported', { concurrency: 3 }, () => {
  trySetups(SETUPS.filter(({ isSlow = false }) => !isSlow));
});

void describe('a set-up that is supported, and slow', () => {
  trySetups(SETUPS.filter(({ isSlow = false }) => isSlow));
});
