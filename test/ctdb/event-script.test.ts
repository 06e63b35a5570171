// The event script of the packages, under real CTDB: off until enabled, then it says in CTDB's log what would break the next
// election, and neither a hung check nor what it finds makes a node unhealthy, unless that is asked for.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../support/wait.ts';
import { Bed, SHORT } from './support/bed.ts';
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
    test.diagnostic(await node.ctdb('event', 'status', 'legacy', 'monitor'));
    const { stdout: scriptstatus } = await node.run('/usr/bin/ctdb', ['scriptstatus']);
    assert.match(scriptstatus, /^46\.etcdlock +OK +\d/m);
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
    await node.log.awaitLine(/^46\.etcdlock: CTDB LOCK UNKNOWN - the check that began \d+ s ago/, from);
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
