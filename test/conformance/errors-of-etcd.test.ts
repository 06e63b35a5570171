// What can be wrong with etcd and on the way there, each provoked for real: the byte, the one line, and the page that lists
// them. WRITE_ERROR_TABLE=1 writes docs/error-table.md anew; ETCD_RELEASE=3.4 provokes them on another release.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { DnsServer } from '../support/dns-server.ts';
import type { Cause, CauseTools } from '../support/cause-tools.ts';
import { checkLock } from '../support/check-lock.ts';
import { CAUSES } from '../support/error-causes.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { guideEntries } from '../support/failure-guide.ts';
import { HelperBase } from '../support/helper-base.ts';
import { temporaryDirectory } from '../support/processes.ts';

const PAGE = new URL('../../docs/error-table.md', import.meta.url);
const RELEASE = LATEST_RELEASE;

// src/config/timing.ts: the first byte, whatever happens, and what a busy machine may add to it.
const ANSWER_MS = 4_000;
const SLACK_MS = 300;

/** What differs from run to run, as it could stand on a real node. */
function asExample(line: string, directory: string): string {
  return line
    .replaceAll(directory, '/etc/ctdb')
    .replace(/\/tmp\/ctdb-etcd-lock-[^/"]*/g, '/etc/ctdb')
    .replace(/127\.0\.0\.1(:\d+)?/g, (_, port?: string) => `192.0.2.11${port === undefined ? '' : ':2379'}`)
    .replace(/(?<=authority|stranger)-\d+/g, '')
    .replace(/(?<=belongs to etcd cluster )(0x)?[0-9a-f]+/, 'cdf818194e3a8c32')
    .replace(/(?<=no answer within )\d\.\d s/, '1.5 s')
    .replace(/(?<=to the login within )\d\.\d s/, '3.6 s');
}

function table(lines: ReadonlyMap<Cause, string>): string {
  const groups = Map.groupBy(CAUSES, ({ group }) => group);
  const sections = [...groups].map(([group, causes]) => {
    const rows = causes.map((cause) => `| ${cause.what} | \`${lines.get(cause) ?? ''}\` |`);
    const head = ['| what is wrong | what the helper says |', '| --- | --- |'];
    return [`## ${group}`, '', ...(group === 'Warnings' ? [ON_WARNINGS, ''] : []), ...head, ...rows].join(
      '\n',
    );
  });
  return sections.join('\n\n');
}

const HEAD = `# What the helper says when something is wrong

In each row, a packed helper meets the cause on the left, with a real etcd or a program in its place. Unless the section says otherwise, it
answers \`3\` within 4 s and writes the line on the right. Most lines follow \`Cannot take the cluster lock: \`.
\`test/conformance/errors-of-etcd.test.ts\` repeats this at each run and compares this page. A holder that meets such a cause at some of
its members prints nothing without \`-v\`. [failure-guide.md](failure-guide.md) explains each identifier in brackets.
`;

const ON_WARNINGS = `The helper takes the lock all the same and writes the line at each start. Authentication can be enabled and disabled while a
holder runs, so a login without authentication is no error.`;

/** Where the failure guide has each line. */
const IDS = new Set(guideEntries().map(({ id }) => id));

/** `check` sees the same: a problem in the same words, or no problem where the lock is taken. */
async function agreeing(
  tools: CauseTools,
  { group, said, checkSays = said, wrap }: Cause,
  base: HelperBase,
): Promise<void> {
  const { status, findings } = await checkLock(base, wrap?.(tools));
  const problems = findings.filter(({ verdict }) => verdict === 'problem');
  const texts = findings.map(({ text, remedy }) => `${text}${remedy === null ? '' : `; ${remedy}`}`);
  if (group === 'Warnings') assert.deepEqual(problems, []);
  else assert.equal(status, 2, `check ended with ${String(status)}\n${texts.join('\n')}`);
  // A key that cannot be read is said with the file around it, and the name of the file is a problem of its own.
  const words = new RegExp(checkSays.source.replace(/\$$/, ''));
  assert.ok(
    texts.some((text) => words.test(text)),
    `check says none of ${String(checkSays)}\n${texts.join('\n')}`,
  );
}

const PREFIX = 'Cannot take the cluster lock: ';

void describe('an error', { concurrency: 3 }, () => {
  const lines = new Map<Cause, string>();
  let directory: string;
  let authority: Authority;
  let stranger: Authority;
  let dns: DnsServer;
  before(async () => {
    dns = await DnsServer.start('127.0.0.1', 0);
    directory = await temporaryDirectory('causes');
    authority = await Authority.make(directory, 'authority');
    stranger = await Authority.make(directory, 'stranger');
  });

  for (const cause of CAUSES) {
    const isWarning = cause.group === 'Warnings';
    test(`${cause.what}: ${isWarning ? '0' : '3'}, and one line that says so`, async (t) => {
      await using stack = new AsyncDisposableStack();
      const tools = { release: RELEASE, directory, authority, stranger, dns, stack };
      const settings = await cause.provoke(tools);
      const base = stack.use(
        await HelperBase.make({ netbios_name: 'ERRORS', ...settings }, cause.wrap?.(tools)),
      );
      const helper = await base.run({ autoTerm: false });
      const answer = await helper.answer();
      const { tookMs } = helper;
      assert.ok(tookMs < ANSWER_MS + SLACK_MS, `answered after ${tookMs.toFixed(0)} ms`);
      if (isWarning) helper.signal();
      const { status } = await helper.exited();
      assert.deepEqual([answer, status], isWarning ? ['0', 0] : ['3', 3], helper.stderr);
      assert.equal(helper.bytes, answer);
      const [line = '', ...more] = helper.stderrLines;
      assert.deepEqual(more, [], 'one line and no more');
      t.diagnostic(`after ${tookMs.toFixed(0)} ms: ${line}`);
      const prefix = isWarning ? 'Warning: ' : PREFIX;
      const where = `etcd at ${cause.endpoint ?? String(settings['hosts'])}: `;
      const begin = cause.begins ?? where;
      assert.ok(line.replace(prefix, '').startsWith(begin), line);
      assert.equal(line.startsWith(prefix), isWarning || cause.begins === undefined, line);
      const [, text = '', id = ''] = /^(.*) \[([a-z0-9-]+)\]$/.exec(line) ?? [];
      assert.match(text, cause.said);
      assert.ok(IDS.has(id), `the failure guide has ${id}`);
      assert.ok(Buffer.byteLength(line) < 1_000);
      await agreeing(tools, cause, base);
      lines.set(cause, asExample(line.replace(PREFIX, ''), directory));
    });
  }

  after(async () => {
    await dns[Symbol.asyncDispose]();
    const isWhole = lines.size === CAUSES.length;
    const page = `${HEAD}\n${table(lines)}\n`;
    if (!isWhole) return; // the tests that are missing have failed already
    if (process.env['WRITE_ERROR_TABLE'] === '1') await writeFile(PAGE, page);
    assert.equal(await readFile(PAGE, 'utf8'), page, 'docs/error-table.md is not what was said');
  });
});
