// Every case of the event script, without ctdbd: the script with CTDB's own functions and ctdb-config on a node, and in the place of
// the program one that prints what the test wants. Under dash, which is Debian's sh, and bash, which is that of RHEL.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Finished } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { CtdbCluster } from './support/cluster.ts';
import { makeHub } from './support/hub.ts';
import { type CtdbNode, sendSignal } from './support/node.ts';

const SCRIPT = fileURLToPath(new URL('../../packaging/events/46.etcdlock.script', import.meta.url));
const PROGRAM = '/shared/ctdb_etcd_lock';

const OK = 'CTDB LOCK OK - held by fs1 (PNN 0), pid 2304; 3 of 3 members answer';
const WARNING =
  'CTDB LOCK WARNING - etcd3:2379: connection refused; check that etcd runs there [net-refused]';
const CRITICAL = 'CTDB LOCK CRITICAL - no member answers; check that etcd runs [net-none]';
const BUG =
  'CTDB LOCK WARNING - etcd 3.4.23 has a bug; upgrade [version-bug]; another bug; upgrade [version-bug]';

for (const shell of ['dash', 'bash']) {
  void describe(`the event script in ${shell}`, () => {
    let cluster: CtdbCluster;
    let node: CtdbNode;
    let state = '';

    const shared = (name: string): string => join(node.plan.shared, name);
    const inState = (name: string): string => join(state, name);
    const ctdbConf = (lock: string): void => {
      writeFileSync(
        join(node.plan.directory, 'etc/ctdb.conf'),
        lock === '' ? '' : `[cluster]\n  cluster lock = ${lock}\n`,
      );
    };
    const options = (text: string): void => {
      writeFileSync(join(node.plan.directory, 'etc/events/legacy/46.etcdlock.options'), text);
    };
    /** What the program prints from now on, and how it ends. */
    const program = (commands: string): void => {
      const text = `#!/bin/sh\necho "$*" >>/shared/calls\n${commands}\n`;
      writeFileSync(shared('new'), text, { mode: 0o755 });
      renameSync(shared('new'), shared('ctdb_etcd_lock'));
    };
    const prints = (line: string): void => {
      program(`echo '${line} | time=0.'$$'s'`);
    };
    /** The arguments of each call of the program, oldest first. */
    const calls = (): string[] =>
      existsSync(shared('calls')) ? readFileSync(shared('calls'), 'utf8').trimEnd().split('\n') : [];

    const event = (name = 'monitor', before: readonly string[] = []): Promise<Finished> =>
      node.run('/usr/bin/env', ['CTDB_BASE=/etc/ctdb', ...before, shell, '/shared/46.etcdlock.script', name]);

    /** One monitor event; resolves to what it says in CTDB's log. It must not make the node unhealthy. */
    async function says(): Promise<string> {
      const { status, stdout, stderr } = await event();
      assert.deepEqual([status, stderr], [0, '']);
      return stdout.trimEnd();
    }
    /** Waits for the check that the last event started. */
    const ended = (): Promise<true> =>
      waitFor('the check has ended', () => statSync(inState('running')).size > 0, { withinMs: 20_000 });
    /** Has the interval pass, then lets a check run; resolves to what is said at its start and about its result. */
    async function check(): Promise<string> {
      age('started', 300);
      const first = await says();
      await ended();
      return [first, await says()].filter((text) => text !== '').join('\n');
    }
    /** Makes the start of the last check, or what was said last, so much older. */
    function age(what: 'started' | 'complaint', seconds: number): void {
      if (!existsSync(inState(what))) return;
      const text = readFileSync(inState(what), 'utf8');
      const time = what === 'started' ? /\d+$/m : /^\d+/;
      writeFileSync(
        inState(what),
        text.replace(time, (at) => String(Number(at) - seconds)),
      );
    }

    before(async () => {
      await makeHub();
      cluster = await CtdbCluster.boot({ nodes: 1, lockStringOf: () => `!${PROGRAM}` });
      node = cluster.node(0);
      state = join(node.plan.directory, 'lib/scripts/service/etcdlock');
      copyFileSync(SCRIPT, shared('46.etcdlock.script'));
    });
    after(() => cluster.stop());
    beforeEach(() => {
      for (const { pid } of node.processes()) sendSignal(pid, 'SIGKILL');
      rmSync(state, { recursive: true, force: true });
      rmSync(shared('calls'), { force: true });
      ctdbConf(`!${PROGRAM}`);
      options('');
      prints(OK);
    });

    it('says nothing while all is well, and runs one check in an interval', async () => {
      assert.equal(await check(), '');
      assert.equal(await says(), '');
      assert.deepEqual(calls(), ['check --plugin --timeout 20']);
      age('started', 200); // of 300
      assert.equal(await says(), '');
      assert.equal(existsSync(inState('running')), false);
      assert.equal(await check(), '');
      assert.equal(calls().length, 2);
      assert.ok(readFileSync(inState('result'), 'utf8').startsWith(`${OK} | time=0.`));
    });

    it('takes the interval that it is told', async () => {
      options('CTDB_ETCD_LOCK_INTERVAL=1000\n');
      await check();
      age('started', 900);
      assert.equal(await says(), '');
      assert.equal(existsSync(inState('running')), false);
      age('started', 100);
      await check();
      assert.equal(calls().length, 2);
    });

    it('goes on when the clock was set back', async () => {
      await check();
      age('started', -86_400);
      assert.equal(await says(), '');
      await ended();
      assert.equal(calls().length, 2);
    });

    it('says a complaint when it is new and again after an hour, and once that all is well again', async () => {
      prints(WARNING);
      assert.equal(await check(), WARNING);
      assert.equal(await check(), ''); // with other numbers
      age('complaint', 3_000);
      assert.equal(await check(), '');
      age('complaint', 600);
      assert.equal(await check(), WARNING);
      prints(CRITICAL);
      assert.equal(await check(), CRITICAL);
      prints(OK);
      assert.equal(await check(), OK);
      assert.equal(await check(), '');
    });

    it('does not take another round trip for another complaint', async () => {
      const slow = (ms: string): string =>
        `CTDB LOCK WARNING - etcd3:2379: etcd 3.5.30, follower, round trip ${ms} ms; check the network [connect-slow]`;
      prints(slow('101'));
      assert.equal(await check(), slow('101'));
      prints(slow('97.5'));
      assert.equal(await check(), '');
    });

    it('says only once that etcd has known bugs, but not when there is more', async () => {
      prints(BUG);
      assert.equal(await check(), BUG);
      age('complaint', 3_600);
      assert.equal(await check(), '');
      const more = `${BUG}; no quorum [leader-none]`;
      prints(more);
      assert.equal(await check(), more);
      age('complaint', 3_600);
      assert.equal(await check(), more);
    });

    it('makes the node unhealthy only for what it was told to', async () => {
      const statuses: Record<string, (number | null)[]> = {};
      for (const severity of ['', 'never', 'critical', 'warning']) {
        options(severity === '' ? '' : `CTDB_ETCD_LOCK_UNHEALTHY=${severity}\n`);
        statuses[severity] = [];
        for (const line of [OK, WARNING, CRITICAL, 'CTDB LOCK UNKNOWN - no result within 20 s']) {
          prints(line);
          age('started', 300);
          await event();
          await ended();
          statuses[severity].push((await event()).status);
        }
      }
      assert.deepEqual(statuses, {
        '': [0, 0, 0, 0],
        never: [0, 0, 0, 0],
        critical: [0, 0, 1, 0],
        warning: [0, 1, 1, 0],
      });
    });

    it('says once an interval that an option is wrong, and uses the default', async () => {
      for (const [line, text] of [
        ['CTDB_ETCD_LOCK_INTERVAL=5m', 'CTDB_ETCD_LOCK_INTERVAL is "5m", want seconds; 300 is used'],
        [
          'CTDB_ETCD_LOCK_INTERVAL=99999999999999999999',
          'CTDB_ETCD_LOCK_INTERVAL is "99999999999999999999", want seconds; 300 is used',
        ],
        [
          'CTDB_ETCD_LOCK_UNHEALTHY=yes',
          'CTDB_ETCD_LOCK_UNHEALTHY is "yes", want never, critical or warning; never is used',
        ],
      ] as const) {
        rmSync(state, { recursive: true, force: true });
        options(`${line}\n`);
        prints(CRITICAL);
        assert.equal(await says(), `46.etcdlock.options: ${text}`);
        await ended();
        assert.equal(await says(), CRITICAL);
        age('started', 200);
        assert.equal(await says(), '');
        age('started', 100);
        assert.equal(await says(), `46.etcdlock.options: ${text}`);
      }
    });

    it('says once that the program is missing, and once when it is back', async () => {
      const missing = `CTDB LOCK CRITICAL - cannot run ${PROGRAM}, which the cluster lock in ctdb.conf names; install it`;
      rmSync(shared('ctdb_etcd_lock'));
      assert.equal(await check(), missing);
      assert.equal(await check(), '');
      options('CTDB_ETCD_LOCK_UNHEALTHY=critical\n');
      assert.equal((await event()).status, 1);
      prints(OK);
      age('started', 300);
      assert.equal((await event()).status, 1); // the check has begun
      await ended();
      assert.equal(await says(), OK);
    });

    it('says once that a check ended without a result, and goes on', async () => {
      const nothing =
        'CTDB LOCK UNKNOWN - the last check ended without a result; run it by hand: ctdb_etcd_lock check';
      for (const commands of ['exit 1', 'kill -9 $$', 'printf "CTDB LOCK OK - half a line"']) {
        rmSync(state, { recursive: true, force: true });
        rmSync(shared('calls'), { force: true });
        program(commands);
        const call = async (count: number): Promise<string> => {
          age('started', 300);
          const said = await says();
          await waitFor('the check has run', () => calls().length === count && node.processes().length === 0);
          return said;
        };
        assert.equal(await call(1), '');
        assert.equal(await call(2), nothing);
        assert.equal(await call(3), '');
        age('complaint', 3_600);
        assert.equal(await call(4), nothing);
        prints(OK);
        assert.equal(await check(), OK);
      }
    });

    it('says once that a check hangs, waits for nothing, and starts no second one', async () => {
      program('sleep 1000');
      assert.equal(await says(), '');
      const hung = await waitFor('the check runs', () => {
        const [found] = node.processes().filter(({ title }) => title === 'ctdb_etcd_lock');
        return found?.pid;
      });
      assert.equal(await says(), '');
      age('started', 300);
      const beganAtMs = performance.now();
      const said = await says();
      const tookMs = performance.now() - beganAtMs;
      assert.match(
        said,
        /^CTDB LOCK UNKNOWN - the last check \(process \d+\) does not end; see where it hangs: cat \/proc\/\d+\/stack$/,
      );
      assert.ok(tookMs < 5_000, `the event took ${tookMs} ms`);
      assert.equal(await says(), '');
      age('complaint', 3_600);
      assert.equal(await says(), said);
      assert.equal(calls().length, 1);
      sendSignal(hung, 'SIGKILL');
      for (const { pid } of node.processes()) sendSignal(pid, 'SIGKILL');
      await waitFor('the check is gone', () => node.processes().length === 0);
      prints(OK);
      assert.match(await says(), /^CTDB LOCK UNKNOWN - the last check ended without a result/);
      await ended();
      assert.equal(await says(), OK);
    });

    it('does nothing without a lock of this program, and forgets what it found before', async () => {
      options('CTDB_ETCD_LOCK_UNHEALTHY=critical\n');
      for (const lock of ['', '/shared/lock', '!/usr/libexec/ctdb/ctdb_mutex_ceph_rados_helper a b c d']) {
        ctdbConf(`!${PROGRAM}`);
        prints(CRITICAL);
        age('started', 300);
        await event();
        await ended();
        assert.equal((await event()).status, 1);
        ctdbConf(lock);
        rmSync(shared('calls'), { force: true });
        for (let count = 0; count < 2; count += 1) {
          age('started', 300);
          assert.equal(await says(), '', lock);
        }
        assert.deepEqual(calls(), [], lock);
      }
    });

    it('checks the configuration file that the lock string names', async () => {
      for (const words of [
        '-c /shared/a',
        '-c/shared/a',
        '--config /shared/a',
        '--config=/shared/a',
        '-vvc /shared/a',
        '-vc/shared/a',
        '--name X -v -c  /shared/a --cluster-id 1f',
      ]) {
        rmSync(state, { recursive: true, force: true });
        rmSync(shared('calls'), { force: true });
        ctdbConf(`!${PROGRAM} ${words}`);
        await check();
        assert.deepEqual(calls(), ['check -c /shared/a --plugin --timeout 20'], words);
      }
    });

    it('forgets everything when CTDB starts', async () => {
      prints(WARNING);
      assert.equal(await check(), WARNING);
      const { status, stdout, stderr } = await event('startup');
      assert.deepEqual([status, stdout, stderr], [0, '', '']);
      assert.equal(await check(), WARNING);
      assert.equal((await event('recovered')).status, 0);
    });

    it('keeps the node healthy where its state is damaged', async () => {
      prints(WARNING);
      await check();
      for (const damage of [
        '',
        '\n',
        '12x\n',
        '\0\0\0\0',
        'x y z\n',
        '99999999999999999999999999 1\n',
        '1 99999999999999999999999999\n',
      ]) {
        for (const name of ['started', 'complaint', 'result']) writeFileSync(inState(name), damage);
        for (let count = 0; count < 2; count += 1) {
          if (count > 0) age('started', 300);
          assert.equal((await event()).status, 0, JSON.stringify(damage));
          await ended();
        }
      }
    });

    it('keeps the node healthy where it can write nothing, and starts no check there', async () => {
      const { status, stdout, stderr } = await node.run('/usr/bin/unshare', [
        ...['--mount', '--propagation', 'unchanged', '/bin/bash', '-c'],
        `mkdir -p /var/lib/ctdb/scripts/service/etcdlock
         mount -t tmpfs -o size=4k tmpfs /var/lib/ctdb/scripts/service/etcdlock
         head -c 4096 /dev/zero >/var/lib/ctdb/scripts/service/etcdlock/full
         for count in 1 2 3; do CTDB_BASE=/etc/ctdb ${shell} /shared/46.etcdlock.script monitor || exit; done
         umount /var/lib/ctdb/scripts/service/etcdlock
         rmdir /var/lib/ctdb/scripts/service/etcdlock
         mount -o bind,ro /var/lib/ctdb /var/lib/ctdb
         CTDB_BASE=/etc/ctdb ${shell} /shared/46.etcdlock.script monitor`,
      ]);
      assert.equal(status, 0, stderr);
      // Said by the clock, so that it is either all or none here.
      for (const line of stdout
        .trimEnd()
        .split('\n')
        .filter((one) => one !== ''))
        assert.match(line, /^CTDB LOCK UNKNOWN - cannot write .*\/started; make room on that file system$/);
      assert.match(stderr, /Read-only file system/);
      assert.deepEqual(calls(), []);
    });

    it('keeps the node healthy where its options cannot be read by a shell', async () => {
      options('CTDB_ETCD_LOCK_INTERVAL="300\n');
      assert.equal((await event()).status, 0);
      options('CTDB_ETCD_LOCK_INTERVAL = 300\n');
      assert.equal((await event()).status, 0);
    });

    it('is refused its state as another user than root, says so, and leaves the node healthy', async () => {
      const { status, stderr } = await event('monitor', [
        ...['setpriv', '--reuid=65534', '--regid=65534'],
        '--clear-groups',
      ]);
      assert.equal(status, 0);
      assert.match(stderr, /Permission denied/);
      assert.deepEqual(calls(), []);
    });
  });
}
