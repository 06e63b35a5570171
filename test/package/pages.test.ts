// docs/running-etcd.md, docs/migration.md and the restore of docs/operations.md, done as they say: etcd by hand, a cluster of
// CTDB from a lock file to the package and back, from the helper in Python to the package, members restarted, a backup
// restored, a database that is full. There are no real machines: `systemctl` starts and stops CTDB itself, and onnode goes to
// the nodes without ssh.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { CtdbNode } from '../ctdb/support/node.ts';
import { pageBlocks, pageSpans } from '../support/page-blocks.ts';
import { runChecked } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import type { Finding } from './breakages.ts';
import { built, DEB } from './built.ts';
import { HELPER } from './root.ts';
import { Site } from './site.ts';

const NODES = 3;
const LOCK_FILE = '/shared/lock';
/** A machine with other things to do can be slow now and then, which is not what is looked for here. */
const BUSY = ['connect-slow', 'renewal-slow', 'net-silent'];

let site: Site;
let nodes: readonly CtdbNode[];

/** A command or a setting that stands on the page, so that what is tried here is what is printed there. */
function printed(page: string, text: string): string {
  assert.ok(pageSpans(page).includes(text), `docs/${page} has no ${text}`);
  return text;
}

/** Runs what onnode and the like run: on all nodes, where the administrator is. */
function onAll(page: string, command: string): Promise<string> {
  const bin = join(site.directory, 'bin');
  return runChecked('bash', ['-euo', 'pipefail', '-c', printed(page, command)], {
    env: {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      CTDB_BASE: join(site.directory, 'node0/etc'),
      ONNODE_SSH: join(bin, 'ssh'),
    },
    limitMs: 120_000,
  });
}

function writeProgram(path: string, body: string): void {
  writeFileSync(path, `#!/bin/bash\n${body}\n`);
  chmodSync(path, 0o755);
}

/** What an administrator does on every node. */
async function everywhere(script: string): Promise<void> {
  for (const node of nodes) {
    const { status, output } = await site.onNode(node, script);
    assert.equal(status, 0, output);
  }
}

const setLock = (lock: string): Promise<void> =>
  everywhere(`sed -i 's|cluster lock = .*|cluster lock = ${lock}|' /etc/ctdb/ctdb.conf`);

async function findingsOn(node: CtdbNode): Promise<readonly Finding[]> {
  const { output } = await site.onNode(node, `${printed('migration.md', 'ctdb_etcd_lock check')} --json`);
  return (JSON.parse(output) as { results: Finding[] }).results;
}

/** The value of the line `cluster lock` that `check` prints while ctdb.conf has another one. */
async function lineOfCheck(): Promise<string> {
  const findings = await findingsOn(nodes[0] ?? assert.fail());
  const remedy = findings.find(({ id }) => id === 'ctdb-other' || id === 'ctdb-identity')?.remedy ?? '';
  return /set cluster lock = (.+) on every node$/.exec(remedy)?.[1] ?? assert.fail(remedy);
}

async function checked(node: CtdbNode): Promise<readonly string[]> {
  return (await findingsOn(node))
    .filter(({ verdict, id }) => (verdict === 'problem' || verdict === 'warning') && !BUSY.includes(id))
    .map(({ id }) => id);
}

async function assertChecked(ids: readonly string[]): Promise<void> {
  for (const node of nodes) assert.deepEqual(await checked(node), ids);
}

async function status(): Promise<{ readonly state: number | null; readonly said: string }> {
  const { status: state, output: said } = await site.onNode(
    nodes[0] ?? assert.fail(),
    printed('migration.md', 'ctdb_etcd_lock status'),
  );
  return { state, said };
}

/** Stops CTDB everywhere, does something, starts it again, and waits until all nodes are OK. */
async function inOneStop(change: () => Promise<unknown>): Promise<void> {
  await onAll('migration.md', 'onnode all systemctl stop ctdb');
  await waitFor('CTDB is gone', () => nodes.every((node) => node.ctdbd() === undefined), {
    withinMs: 60_000,
  });
  await change();
  await onAll('migration.md', 'onnode all systemctl start ctdb');
  await site.allOk(nodes);
}

/** The holder's fencing number, when one of the nodes holds the lock in etcd. */
async function assertHeldByLeader(): Promise<string> {
  const { state, said } = await status();
  assert.equal(state, 0, said);
  const { output } = await site.onNode(nodes[0] ?? assert.fail(), printed('migration.md', 'ctdb leader'));
  assert.match(said, new RegExp(`^CTDB +leader is node ${output.trim()}, which agrees$`, 'm'));
  return /^Revision +(\d+)/m.exec(said)?.[1] ?? assert.fail(said);
}

/** What is there in v2, which does not list what begins with "_" unless it is asked for by name. */
const inV2 = (): Promise<string> =>
  site.admin('ETCDCTL_API=2 etcdctl ls --recursive /_locks/_ctdb 2>&1 || true');

void describe('the pages about etcd and migration', () => {
  before(async () => {
    site = await Site.make('by hand');
    const bin = join(site.directory, 'bin');
    mkdirSync(bin);
    symlinkSync(join(site.root.path, 'usr/bin/onnode'), join(bin, 'onnode'));
    writeProgram(
      join(site.root.path, 'usr/sbin/systemctl'),
      'case $* in\n"start ctdb") exec /usr/sbin/ctdbd ;;\n"stop ctdb") exec ctdb shutdown ;;\nesac\nexit 1',
    );
    const booted: CtdbNode[] = [];
    for (let pnn = 0; pnn < NODES; pnn += 1) booted.push(await site.bootNode(pnn, NODES));
    nodes = booted;
    const ways = nodes.map((node, pnn) => {
      const entry = node.entry('/bin/bash', ['-c']).join(' ');
      return `${node.plan.addresses[pnn] ?? ''}) exec nsenter ${entry} "$*" ;;`;
    });
    // onnode gives ssh's -n first.
    writeProgram(
      join(bin, 'ssh'),
      `shift\naddress=$1\nshift\ncase $address in\n${ways.join('\n')}\nesac\nexit 255`,
    );
    await everywhere(
      `sed -i 's|# no cluster lock yet|cluster lock = ${LOCK_FILE}|' /etc/ctdb/ctdb.conf; rm -f /etc/ctdb/etcd`,
    );
  });
  after(() => site[Symbol.asyncDispose]());

  test('three members start by the command of running-etcd.md', async () => {
    await site.startMembers();
    const members = await site.admin('etcdctl member list');
    for (const i of [1, 2, 3]) {
      const name = `etcd${i}`;
      const place = `http://${name}.example.com`;
      assert.ok(members.includes(`started, ${name}, ${place}:2380, ${place}:2379`), members);
    }
  });

  test('a cluster goes over from a lock file in one stop, and back', async () => {
    await onAll('migration.md', 'onnode all systemctl start ctdb');
    await site.allOk(nodes);
    const theirs = site.root.fingerprint(HELPER);

    await site.root.dpkg('--install', built(DEB));
    await everywhere(
      "echo 'hosts = etcd1.example.com, etcd2.example.com, etcd3.example.com' > /etc/ctdb/etcd",
    );
    await assertChecked(['ctdb-other']);
    await site.allOk(nodes);
    assert.equal((await status()).state, 1, 'the lock in etcd is free until then');

    const ours = await lineOfCheck();
    assert.ok(ours.startsWith(`!${HELPER} --name FILES --cluster-id `), ours);
    await inOneStop(async () => {
      await setLock(ours);
      await assertChecked([]);
    });
    await assertHeldByLeader();
    // "The file can be deleted once all nodes run."
    await everywhere(`rm -f ${LOCK_FILE}`);
    await everywhere('ctdb recover');
    await site.allOk(nodes);

    await inOneStop(() => setLock(LOCK_FILE));
    assert.equal((await status()).state, 1);
    assert.ok(existsSync(join(site.directory, 'shared/lock')));
    await site.root.dpkg('--remove', 'ctdb-etcd-lock');
    assert.equal(site.root.fingerprint(HELPER), theirs, 'the helper in Python has its place again');
  });

  test('a cluster goes over from the helper in Python, with its configuration as it is', async () => {
    await inOneStop(async () => {
      await setLock(`!${HELPER}`);
      await everywhere("echo 'host = etcd1.example.com' > /etc/ctdb/etcd");
    });
    assert.match(await inV2(), /^\/_locks\/_ctdb\/FILES\/\d+$/m);

    await inOneStop(async () => {
      await site.root.dpkg('--install', built(DEB));
      // It works; what it warns about is one host instead of all, and a line that does not name the lock.
      await assertChecked(['members-missing', 'members-missing', 'ctdb-identity']);
    });
    await assertHeldByLeader();
    const remove = printed('migration.md', 'ETCDCTL_API=2 etcdctl rm --recursive /_locks/_ctdb');
    assert.match(await inV2(), /^\/_locks\/_ctdb\/FILES$/m);
    await site.admin(remove);
    assert.match(await inV2(), /Key not found/);
    await everywhere(
      "echo 'hosts = etcd1.example.com, etcd2.example.com, etcd3.example.com' > /etc/ctdb/etcd",
    );
    await inOneStop(async () => setLock(await lineOfCheck()));
    await assertChecked([]);
  });

  test('the members are restarted one at a time, and the holder does not notice', async () => {
    const revision = await assertHeldByLeader();
    const isWell = printed('running-etcd.md', 'etcdctl endpoint health --cluster');
    for (const i of [1, 2, 3]) {
      await site.stopMember(i);
      await assert.rejects(site.admin(isWell), `etcd${i} is down, and that is seen`);
      await site.startMembers([i]);
      await waitFor('all members are well', () => site.admin(isWell).catch(() => undefined), {
        withinMs: 60_000,
        everyMs: 250,
      });
    }
    assert.equal(await assertHeldByLeader(), revision);
  });

  test('etcd is restored from a backup by the commands of operations.md, with CTDB stopped', async () => {
    const [save = ''] = pageBlocks('operations.md', 'sh run');
    await site.admin('etcdctl put /before x');
    // The backup has the key of a holder, as one that is made with CTDB running.
    await assertHeldByLeader();
    await site.admin(`export ETCDCTL_ENDPOINTS=http://etcd1.example.com:2379\n${save}`);
    await site.admin('etcdctl put /after x');

    printed('operations.md', 'onnode all systemctl stop ctdb');
    printed('operations.md', 'onnode all systemctl start ctdb');
    await inOneStop(async () => {
      assert.match((await status()).said, /^State +free$/m);
      for (const i of [1, 2, 3]) await site.stopMember(i);
      for (const i of [1, 2, 3]) await site.admin(site.restoreCommand(i));
      await site.startMembers();
      await site.admin(printed('operations.md', 'etcdctl endpoint health --cluster'));
      // The namespace of a stopped member, which has the address of the new one, is gone a moment later.
      for (const node of nodes) {
        await waitFor('check finds nothing', async () => (await checked(node)).length === 0, {
          withinMs: 60_000,
          everyMs: 500,
        });
      }
    });
    assert.equal(await site.admin('etcdctl get --prefix --keys-only /before'), '/before\n\n');
    assert.equal(await site.admin('etcdctl get --prefix --keys-only /after'), '');
    await assertHeldByLeader();
  });

  test('a full database leaves the holder alone, and is mended by the commands of running-etcd.md', async () => {
    const revision = await assertHeldByLeader();
    const [mend = ''] = pageBlocks('running-etcd.md', 'sh run');
    await site.admin(
      "head -c 1000000 /dev/zero | tr '\\0' x > fill; for i in $(seq 40); do etcdctl put /fill < fill || break; done",
    );
    for (const node of nodes) assert.deepEqual(await checked(node), ['alarms-raised', 'etcd-full']);
    await site.admin(`export ETCDCTL_ENDPOINTS=http://etcd1.example.com:2379\n${mend}`);
    assert.equal(await site.admin('etcdctl alarm list'), '');
    await assertChecked([]);
    assert.equal(await assertHeldByLeader(), revision);
  });

  test('the log of CTDB says that the lock was never lost', () => {
    for (const node of nodes)
      assert.doesNotMatch(
        readFileSync(node.log.file, 'utf8'),
        /lock lost|Banning node|Lock helper terminated unexpectedly|inconsistent/i,
      );
  });
});
