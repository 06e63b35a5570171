// A new administrator's first day, with nothing but the package and the pages of docs/: etcd by the recipes, the package by
// the quick start, things broken one at a time and mended by the words of `check`, then CTDB. docs/check-examples.md is
// what it looked like; UPDATE=1 writes that page.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { CtdbNode } from '../ctdb/support/node.ts';
import { filledIn, guideEntries } from '../support/failure-guide.ts';
import { pageBlocks } from '../support/page-blocks.ts';
import { waitFor } from '../support/wait.ts';
import { built, DEB } from './built.ts';
import { BREAKAGES, type Finding, type Hand } from './breakages.ts';
import { COLUMNS, picture } from './picture.ts';
import { Site } from './site.ts';
import { settled, Transcript } from './transcript.ts';

const NODES = 3;
const GUIDE = new Map(guideEntries().map((entry) => [entry.id, entry]));
const page = new Transcript();

let site: Site;
let node: CtdbNode;
let hand: Hand;

interface Said {
  readonly status: number | null;
  readonly findings: readonly Finding[];
}

/** A machine with other things to do can be slow now and then, which is not what is looked for here: then it is tried again. */
const TRIES = 60;
const BUSY = /\b(connect-slow|renewal-slow|login-slow|net-silent)\b/;
const SLOW = /\b(connect|renewal|login)-slow\b/;

async function check(unwanted = BUSY, triesLeft = TRIES): Promise<Said> {
  const { status, output } = await site.onNode(node, 'ctdb_etcd_lock check --json');
  if (unwanted.test(output) && triesLeft > 0) return check(unwanted, triesLeft - 1);
  const { results } = JSON.parse(output) as { results: Finding[] };
  return {
    status,
    findings: results.filter(({ verdict }) => verdict === 'problem' || verdict === 'warning'),
  };
}

/** Runs a command on the first node, for the page. */
async function shown(
  command: string,
  on: CtdbNode = node,
  unwanted = BUSY,
  triesLeft = TRIES,
): Promise<readonly [string, string]> {
  const { output } = await site.onNode(on, command);
  return unwanted.test(output) && triesLeft > 0
    ? shown(command, on, unwanted, triesLeft - 1)
    : [command, output];
}

async function takePicture(): Promise<void> {
  const [, text] = await shown(
    `script -qec 'stty cols ${COLUMNS}; ctdb_etcd_lock check 2>/dev/null' /dev/null`,
  );
  page.isPicture('check.svg', picture(`# ctdb_etcd_lock check\n${settled(text)}`));
}

void describe('a new administrator', () => {
  before(async () => {
    site = await Site.make();
    page.text(`# What it looks like

A test (\`test/package/administrator.test.ts\`) writes this transcript and compares it at each run. It has three members of etcd with TLS and logins, made by
the commands of [tls-and-auth.md](tls-and-auth.md), three nodes of CTDB, and the package. Values that differ from run to run, such as process numbers,
times and revisions, are examples. On a terminal, the first column is red, yellow or green.

![check on a terminal](check.svg)`);
  });
  after(() => site[Symbol.asyncDispose]());

  test('makes an etcd with TLS and logins by the recipes', async () => {
    const [authority = '', users = ''] = pageBlocks('tls-and-auth.md', 'sh run');
    await site.admin(authority);
    await site.startMembers();
    await site.admin(users);
    writeFileSync(join(site.directory, 'auth-is-on'), '');
  });

  test('installs the package by the quick start, and check finds nothing', async () => {
    const [quickStart = '', start = ''] = pageBlocks('quick-start.md', 'sh node');
    const [, config = ''] = pageBlocks('tls-and-auth.md', 'ini');
    const [install = '', ...rest] = quickStart.split('\n');
    site.root.copyIn(built(DEB));
    const { status, stderr } = await site.root.run('/bin/bash', '-c', `cd /tmp && ${install}`);
    assert.equal(status, 0, stderr);

    node = await site.bootNode(0, NODES);
    hand = { admin: (script) => site.admin(script), site, node };
    // systemd is not there to start CTDB with, and the lines for TLS and logins take the place of those without.
    const lines = rest.join('\n').replace(/(?<=<<'CONFIG'\n)[\s\S]*?(?=^CONFIG$)/m, config);
    const [configure = ''] = lines.split(/^ctdb_etcd_lock check.*$/m);
    assert.equal(start, 'systemctl restart ctdb\n', 'what CTDB is started with, further down');
    const configured = await site.onNode(node, configure);
    assert.equal(configured.status, 0, configured.output);
    site.copy('ca.pem', node, '/etc/ctdb/etcd-ca.pem', 0o644);
    site.copy('ctdb-password', node, '/etc/ctdb/etcd-password', 0o600);

    const [unset] = (await check()).findings;
    assert.equal(unset?.id, 'ctdb-unset');
    const [, line = ''] = /(cluster lock = .*)$/.exec(unset.remedy) ?? [];
    assert.match(
      line,
      /^cluster lock = !\/usr\/libexec\/ctdb\/ctdb_etcd_lock --name FILES --cluster-id [0-9a-f]+$/,
    );
    await site.onNode(node, `sed -i 's|# no cluster lock yet|${line}|' /etc/ctdb/ctdb.conf`);

    const command = 'ctdb_etcd_lock check';
    const found = await shown(command);
    assert.match(found[1], /^All is well$/m);
    page.text('## All is well');
    page.block([found, await shown('ctdb_etcd_lock status; echo "exit status $?"')]);
  });

  for (const [index, { what, broken, by = 'node', steps, undo }] of BREAKAGES.entries()) {
    test(`broken: ${what}; mended as printed`, async () => {
      assert.deepEqual((await check()).findings, [], 'it was well before');
      const command = typeof broken === 'string' ? broken : broken.shown;
      if (typeof broken !== 'string') await broken.happen(hand);
      else if (by === 'admin') await site.admin(broken);
      else assert.equal((await site.onNode(node, broken)).status, 0);
      page.text(`## ${index + 1}. ${what.replace(/^[a-z](?!tdb[.])/, (first) => first.toUpperCase())}`);
      const lines: (readonly [string, string])[] = [[command, '']];
      for (const { id, mend } of steps) {
        const unwanted = id === 'net-silent' ? SLOW : BUSY;
        const { status, findings } = await check(unwanted);
        const finding = findings.find((one) => one.id === id);
        assert.ok(finding !== undefined, `${id} among ${JSON.stringify(findings)}`);
        assert.equal(status, findings.some(({ verdict }) => verdict === 'problem') ? 2 : 1);
        // The guide has the words of the log, where the key that is meant stands behind `want`.
        const said = `${finding.text}; ${finding.remedy}`.replace(/; write (?=\w+$)/, ', want ');
        assert.ok(
          GUIDE.get(id)?.lines.some((line) => filledIn(line).test(said)),
          said,
        );
        if (id === 'auth-permission') await takePicture();
        lines.push(await shown("ctdb_etcd_lock check | grep -vE '^(ok|note)'", node, unwanted));
        const typed = await mend(finding.remedy, hand);
        lines.push([settled(typed), '']);
      }
      await undo?.(hand);
      const well = await check();
      assert.deepEqual(well.findings, []);
      assert.equal(well.status, 0);
      lines.push(await shown('ctdb_etcd_lock check | tail -n 1'));
      page.block(lines);
    });
  }

  test('is told about SELinux, and mends that as printed', async () => {
    // What the commands of an SELinux system would say; the kernel here has none.
    const { path } = site.root;
    mkdirSync(join(path, 'sys/fs/selinux'), { recursive: true });
    const script = (name: string, body: string): void => {
      writeFileSync(join(path, 'usr/sbin', name), `#!/bin/sh\n${body}\n`);
      chmodSync(join(path, 'usr/sbin', name), 0o755);
    };
    const denial =
      'type=AVC msg=audit(1.2:3): avc:  denied  { name_connect } for  pid=1 comm="ctdb_etcd_lock" dest=2379';
    script('semodule', 'case $1 in -l) cat /run/modules ;; -i) basename "$2" .pp >>/run/modules ;; esac');
    script('ausearch', `echo '${denial}'; [ -e /run/denied ]`);
    writeFileSync(join(path, 'sys/fs/selinux/enforce'), '1');
    await site.onNode(node, 'echo abrt >/run/modules; touch /run/denied');
    const { status, findings } = await check();
    assert.equal(status, 1);
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['selinux-policy', 'selinux-denied'],
    );
    assert.match(findings[1]?.text ?? '', /denied {2}\{ name_connect \}/);
    const [, install = ''] = /^run (.*)$/.exec(findings[0]?.remedy ?? '') ?? [];
    await site.onNode(node, install);
    const [old] = (await check()).findings;
    assert.match(old?.remedy ?? '', /^if the policy module was loaded before that, report it/);
    await site.onNode(node, 'rm /run/denied');
    const { output } = await site.onNode(node, 'ctdb_etcd_lock check');
    assert.match(output, /^ok {7}selinux +enforcing, with the policy module ctdb_etcd_lock$/m);
    const nobody = 'setpriv --reuid=65534 --clear-groups ctdb_etcd_lock check -c /tmp/etcd';
    script('semodule', 'exit 1');
    await site.onNode(node, 'chmod 644 /etc/ctdb/etcd-ca.pem; echo "hosts = http://127.0.0.1:1" >/tmp/etcd');
    assert.match((await site.onNode(node, nobody)).output, /^note {5}selinux +enforcing; only root can see/m);
    writeFileSync(join(path, 'sys/fs/selinux/enforce'), '0');
  });

  test('runs CTDB on it, sees who leads, and takes the lock away', async () => {
    const nodes = [node];
    for (let pnn = 1; pnn < NODES; pnn += 1) {
      const other = await site.bootNode(pnn, NODES);
      nodes.push(other);
      // What the quick start left on the first node is to be the same on all.
      for (const file of ['etcd', 'etcd-ca.pem', 'etcd-password', 'ctdb.conf']) {
        const from = join('node0/etc', file);
        site.copy(from, other, `/etc/ctdb/${file}`, file === 'etcd-password' ? 0o600 : 0o640);
      }
    }
    await Promise.all(nodes.map((one) => one.startCtdb()));
    const allOk = (): Promise<void> =>
      site.allOk(nodes, async () =>
        (await site.onNode(node, 'ctdb_etcd_lock status')).output.includes('which agrees'),
      );
    await allOk();
    const holder = async (): Promise<string> =>
      (await site.onNode(node, 'ctdb_etcd_lock status --json')).output;
    const takenIn = async (): Promise<number> => {
      const found = JSON.parse(await holder()) as { holder: { create_revision: number } | null };
      return found.holder?.create_revision ?? 0;
    };
    const first = await takenIn();
    page.text('## CTDB runs');
    page.block([
      await shown('ctdb leader; ctdb getreclock'),
      await shown('ctdb_etcd_lock status; echo "exit status $?"'),
      await shown("ctdb_etcd_lock check | grep -E '^(problem|warning)|  (holder|ctdb)  |^[A-Z]'"),
    ]);
    for (const one of nodes) assert.match((await shown('ctdb_etcd_lock check', one))[1], /^All is well$/m);

    page.text('## The lock is taken away');
    const refused = await shown('ctdb_etcd_lock release </dev/null 2>&1; echo "exit status $?"');
    const released = await shown('ctdb_etcd_lock release --force 2>&1; echo "exit status $?"');
    assert.match(released[1], /^Released: deleted .*\nexit status 0$/m);
    page.block([refused, released]);
    await waitFor('another take', async () => (await takenIn()) > first, { withinMs: 60_000, everyMs: 250 });
    await allOk();
    await Promise.all(nodes.map((one) => site.onNode(one, 'ctdb shutdown')));
    await waitFor(
      'the lock is free',
      async () => (await site.onNode(node, 'ctdb_etcd_lock status')).status === 1,
      {
        withinMs: 60_000,
        everyMs: 500,
      },
    );
  });

  test('finds docs/check-examples.md to be what happened', () => {
    page.isPage('check-examples.md');
  });
});
