// The event script of the packages, under real CTDB: off until enabled, then it says in CTDB's log what would break the next
// election, and neither a hung check nor what it finds makes a node unhealthy, unless that is asked for.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Authority, replaceFile } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { metricsOf, sumOf } from '../support/etcd-metrics.ts';
import { ADDED_RELEASES, DEFAULT_RELEASE, etcdVersion } from '../support/etcd-programs.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { Bed, SHORT } from './support/bed.ts';
import { CtdbCluster, HELPER } from './support/cluster.ts';
import { ETCD_ADDRESSES, makeHub } from './support/hub.ts';
import { Judge } from './support/judge.ts';
import { CTDB_RELEASES, type CtdbNode, sendSignal } from './support/node.ts';

const SCRIPT = fileURLToPath(new URL('../../packaging/events/46.etcdlock.script', import.meta.url));
const PLACE = '/usr/share/ctdb/events/legacy';
const SAYS = /^46\.etcdlock: CTDB LOCK/;

/** Puts the script where the packages put it; the root file system itself stays as it is. */
async function install(node: CtdbNode): Promise<void> {
  copyFileSync(SCRIPT, join(node.plan.shared, '46.etcdlock.script'));
  const layers = `lowerdir=${PLACE},upperdir=/tmp/events/upper,workdir=/tmp/events/work`;
  const { status, stderr } = await node.run('/bin/bash', [
    '-ec',
    `mkdir -p /tmp/events/upper /tmp/events/work
     mount -t overlay overlay -o ${layers} ${PLACE}
     install -m 755 /shared/46.etcdlock.script ${PLACE}/`,
  ]);
  assert.equal(status, 0, stderr);
}

function setOptions(node: CtdbNode, options: Readonly<Record<string, string | number>>): void {
  const lines = Object.entries(options).map(([name, value]) => `CTDB_ETCD_LOCK_${name}=${value}\n`);
  writeFileSync(join(node.plan.directory, 'etc/events/legacy/46.etcdlock.options'), lines.join(''));
}

/** `ctdb scriptstatus` has the script, and it is OK. */
async function assertScriptIsOk(node: CtdbNode, test: TestContext): Promise<void> {
  const { stdout } = await node.run('/usr/bin/ctdb', ['scriptstatus']);
  test.diagnostic(`ctdb scriptstatus:\n${stdout.trimEnd()}`);
  assert.match(stdout, /^46\.etcdlock +OK +\d/m);
}

const flagsOf = async (bed: Bed, node: CtdbNode): Promise<string | undefined> =>
  (await bed.ctdb.status(node))?.flags[node.pnn];

for (const release of SHORT ? (['bookworm'] as const) : CTDB_RELEASES) {
  void it(`the event script on the CTDB of ${release}`, async (test) => {
    await using bed = await Bed.make({ release });
    const { ctdb, etcd } = bed;
    const leader = await ctdb.allOk();
    const [node] = ctdb.others(leader);
    assert.ok(node !== undefined);
    const judge = new Judge(ctdb);
    const said = (from: number): string[] => node.log.grep(SAYS, from).map(({ text }) => text);

    await install(node);
    await node.ctdb('setvar', 'MonitorInterval', '2');
    assert.doesNotMatch(await node.ctdb('event', 'status', 'legacy', 'monitor'), /46\.etcdlock/);
    setOptions(node, { INTERVAL: 4 });
    await node.ctdb('event', 'script', 'enable', 'legacy', '46.etcdlock');
    const listed = await node.ctdb('event', 'script', 'list', 'legacy');
    assert.match(listed, /46\.etcdlock/);

    // All is well: it runs, it has a result, and it says nothing.
    const state = join(node.plan.directory, 'lib/scripts/service/etcdlock');
    const result = join(state, 'result');
    const resultIs = (pattern: RegExp): Promise<string> =>
      waitFor(
        `the result is ${String(pattern)}`,
        () => {
          try {
            const text = readFileSync(result, 'utf8');
            return pattern.test(text) ? text : undefined;
          } catch {
            return undefined;
          }
        },
        { withinMs: 60_000 },
      );
    // etcd 3.4.23 has a bug that check warns of.
    await resultIs(/^CTDB LOCK (OK|WARNING) - /);
    const statusOf = async (): Promise<string> =>
      (await node.ctdb('event', 'status', 'legacy', 'monitor'))
        .split('\n')
        .filter((line) => /46\.etcdlock|OUTPUT|CTDB LOCK/.test(line))
        .join('\n');
    await waitFor('the status has the script', async () => /46\.etcdlock +OK/.test(await statusOf()), {
      withinMs: 30_000,
    });

    // A member dies: a line, the node stays healthy.
    let from = node.log.end;
    const member = etcd.member(2);
    await member.stop();
    const { text } = await node.log.awaitLine(
      /^46\.etcdlock: CTDB LOCK WARNING - .*connection refused/,
      from,
    );
    test.diagnostic(text);
    await assertScriptIsOk(node, test);
    assert.ok(text.length < 1_000);
    assert.equal(await flagsOf(bed, node), 'OK');
    // The same is said again after an hour: not with the next results, but when the hour has passed.
    from = node.log.end;
    const complaint = join(state, 'complaint');
    const next = async (): Promise<void> => {
      const before = statSync(result).mtimeMs;
      await waitFor('another check has ended', () => statSync(result).mtimeMs > before, { withinMs: 60_000 });
    };
    for (let count = 0; count < 2; count += 1) await next();
    assert.deepEqual(said(from), []);
    const [saidAt = '', words = ''] = readFileSync(complaint, 'utf8').split('\n');
    writeFileSync(complaint, `${Number(saidAt) - 3_600}\n${words}\n`);
    await node.log.awaitLine(SAYS, from);

    // Asked for, it makes the node unhealthy, and healthy again when that is over.
    setOptions(node, { INTERVAL: 4, UNHEALTHY: 'warning' });
    await waitFor('the node is unhealthy', async () => (await flagsOf(bed, node)) === 'UNHEALTHY', {
      withinMs: 60_000,
    });
    setOptions(node, { INTERVAL: 4, UNHEALTHY: 'critical' });
    await waitFor('the node is healthy', async () => (await flagsOf(bed, node)) === 'OK', {
      withinMs: 60_000,
    });
    member.start();
    await member.healthy();

    // A check that hangs: the monitor event goes on in no time, says so, and starts no second one.
    from = node.log.end;
    setOptions(node, { INTERVAL: 6 });
    // By its name: for a moment it is still setsid.
    const checks = (): number[] =>
      node
        .processes()
        .filter(({ command, title }) => title === 'ctdb_etcd_lock' && command.includes('check --plugin'))
        .map(({ pid }) => pid);
    const checkOf = (): number | undefined => checks()[0];
    // A member that does not answer makes each check last for seconds, so that one can be stopped before its end.
    member.freeze();
    await next();
    const hung = await waitFor('a check runs', checkOf, { withinMs: 60_000, everyMs: 20 });
    sendSignal(hung, 'SIGSTOP');
    member.thaw();
    await node.log.awaitLine(
      /^46\.etcdlock: CTDB LOCK UNKNOWN - the last check \(process \d+\) does not end/,
      from,
    );
    assert.deepEqual(checks(), [hung]);
    const took = Number(/46\.etcdlock +OK +([\d.]+)/.exec(await statusOf())?.[1]);
    assert.ok(took < 5, `the monitor event took ${took} s beside a check that hangs`);
    assert.equal(await flagsOf(bed, node), 'OK');
    sendSignal(hung, 'SIGKILL');
    await node.log.awaitLine(
      /^46\.etcdlock: CTDB LOCK UNKNOWN - the last check ended without a result/,
      from,
    );
    await next();

    // Nothing of all this disturbed the lock.
    await node.ctdb('event', 'script', 'disable', 'legacy', '46.etcdlock');
    await waitFor('no check runs', () => checkOf() === undefined, { withinMs: 30_000 });
    assert.equal(await ctdb.allOk(), leader);
    await judge.assertTidy(leader);
    judge.assertNoComplaint();
    assert.deepEqual(
      judge.lines(/Start election|Cluster lock helper terminated|monitor event timed out/),
      [],
    );
  });
}

const QUOTA_BYTES = 16 * 2 ** 20;

for (const release of [DEFAULT_RELEASE, ...ADDED_RELEASES]) {
  const version = etcdVersion(release);
  void it(`what breaks the next election is said with etcd ${version}: a certificate, a lock string, a full database`, async (test) => {
    await makeHub();
    const folder = await temporaryDirectory('event-script');
    const authority = await Authority.make(folder, 'authority');
    const names = ETCD_ADDRESSES.map((address) => `IP:${address}`);
    // Of the members; it ends within the 14 days.
    const pair = await authority.issue({ names, validToDays: 10 });
    await using etcd = await EtcdCluster.start({
      release,
      members: 3,
      address: (index) => ETCD_ADDRESSES[index] ?? '',
      tls: { caFile: authority.certFile, ...pair },
      args: [`--quota-backend-bytes=${QUOTA_BYTES}`],
    });
    await using ctdb = await CtdbCluster.boot({
      etcd,
      settings: { protocol: 'https', ca_cert: '/shared/ca.pem' },
    });
    const node = ctdb.node(0);
    copyFileSync(authority.certFile, join(node.plan.shared, 'ca.pem'));
    await Promise.all(ctdb.nodes.map((one) => one.startCtdb()));
    const leader = await ctdb.allOk();
    const judge = new Judge(ctdb);

    let from = node.log.end;
    const isSaid = async (pattern: RegExp): Promise<void> => {
      const { text } = await node.log.awaitLine(pattern, from);
      test.diagnostic(text);
      assert.ok(text.length < 1_000);
      assert.deepEqual((await ctdb.status(node))?.flags[0], 'OK');
      from = node.log.end;
    };
    await install(node);
    await node.ctdb('setvar', 'MonitorInterval', '2');
    setOptions(node, { INTERVAL: 2 });
    await node.ctdb('event', 'script', 'enable', 'legacy', '46.etcdlock');
    await isSaid(/^46\.etcdlock: CTDB LOCK WARNING - .* 9 days left.*\[tls-ends\]/);
    await assertScriptIsOk(node, test);

    // etcd reads the files with each connection.
    const renewed = await authority.issue({ names });
    await replaceFile(pair.keyFile, renewed.keyFile);
    await replaceFile(pair.certFile, renewed.certFile);
    await node.log.awaitLine(/^46\.etcdlock: CTDB LOCK (?!.*tls-ends)/, from);

    const conf = join(node.plan.directory, 'etc/ctdb.conf');
    const before = readFileSync(conf, 'utf8');
    writeFileSync(conf, before.replace(HELPER, `${HELPER} -v`));
    await isSaid(/^46\.etcdlock: CTDB LOCK WARNING - .*which is not the cluster lock in .*\[ctdb-restart\]/);
    writeFileSync(conf, before);
    await node.log.awaitLine(SAYS, from);

    // Four fifths of the quota, where etcd says what that is.
    // A put can also fail because the machine is busy, which is not the end of the space.
    const isFull = async (count: number): Promise<boolean> =>
      (await etcd.tryEtcdctl(['put', `/filler/${count}`, 'x'.repeat(100_000)])).stderr.includes(
        'database space exceeded',
      );
    let filler = 0;
    from = node.log.end;
    if (ADDED_RELEASES.includes(release)) {
      const size = async (): Promise<number> =>
        sumOf(await metricsOf(etcd.member(0)), 'etcd_mvcc_db_total_size_in_bytes');
      while ((await size()) < QUOTA_BYTES * 0.82) assert.ok(!(await isFull((filler += 1))));
      await isSaid(/^46\.etcdlock: CTDB LOCK WARNING - .*its quota of 16\.0 MiB.*\[database-large\]/);
    }
    while (!(await isFull((filler += 1)))) assert.ok(filler < 400);
    await isSaid(/^46\.etcdlock: CTDB LOCK CRITICAL - .*NOSPACE/);
    await assertScriptIsOk(node, test);

    // None of this disturbed the lock.
    assert.equal(await ctdb.allOk(), leader);
    assert.deepEqual(
      judge.lines(/Start election|Cluster lock helper terminated|monitor event timed out/),
      [],
    );
  });
}
