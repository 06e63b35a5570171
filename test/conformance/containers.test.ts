// The packed binary where /proc, PATH or the parent is not what it is on a plain host: in containers, and beside a hung mount.
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LOOK_MS } from '../../src/lock/file-watch.ts';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { HelperBase } from '../support/helper-base.ts';
import { LockBench } from '../support/lock-bench.ts';
import { inOwnMounts, inPidNamespace } from '../support/namespaces.ts';
import { childrenOf, isRunning, removeTemporaryDirectory, temporaryDirectory } from '../support/processes.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const FUSE = fileURLToPath(new URL('../support/fuse-stand-in.py', import.meta.url));
const TTL_S = 3;

/** A command in front of another that gives it a file or directory `path` that a FUSE program serves. */
function withFuseOn(path: string, pidFile: string): string[] {
  const mounted = `grep -q ' ${path} ' /proc/self/mountinfo`;
  return inOwnMounts(
    `python3 ${FUSE} ${path} ${pidFile} & until ${mounted} && [ -s ${pidFile} ]; do sleep 0.02; done`,
  );
}

/** Stops the FUSE program: everything that asks it for something waits from then on. */
async function hang(pidFile: string): Promise<void> {
  const pid = await waitFor('the FUSE program', () => existsSync(pidFile) && readFileSync(pidFile, 'latin1'));
  process.kill(Number(pid), 'SIGSTOP');
}

/** Long enough for the lease to end, were it not renewed. */
async function twoTtl(): Promise<void> {
  const fromMs = performance.now();
  const isOver = (): boolean => performance.now() > fromMs + 2_000 * TTL_S;
  await waitFor('two TTL', isOver, { withinMs: 4_000 * TTL_S });
}

void describe('in a container', () => {
  let cluster: EtcdCluster;
  let folder: string;
  before(async () => {
    cluster = await EtcdCluster.start();
    folder = await temporaryDirectory('containers');
  });
  after(async () => {
    await cluster.stop();
    removeTemporaryDirectory(folder);
  });

  test('an lxcfs that hangs on /proc/uptime: a frozen helper is killed before its lease ends', async () => {
    const pidFile = join(folder, 'lxcfs-1');
    await using bench = await LockBench.make(
      cluster,
      { lock_ttl: TTL_S },
      withFuseOn('/proc/uptime', pidFile),
    );
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    await hang(pidFile);
    await twoTtl();
    assert.match(holder.stderr, /^Warning: The kernel's uptime is not used \(fuse\.lxcfs is mounted on/m);
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    holder.signal('SIGSTOP');
    await holder.endOfFile(TTL_S * 1_000);
    assert.ok((await cluster.leases()).includes(lease), 'the lease lives on when CTDB sees end of file');
    assert.equal((await holder.exited()).signal, 'SIGKILL');
  });

  test('an lxcfs that hangs on /proc/uptime: a helper whose etcd is silent ends by its deadline', async () => {
    const pidFile = join(folder, 'lxcfs-2');
    await using proxy = await TcpProxy.start(cluster.hosts);
    await using bench = await LockBench.make(
      cluster,
      { lock_ttl: TTL_S, hosts: proxy.endpoint },
      withFuseOn('/proc/uptime', pidFile),
    );
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    await hang(pidFile);
    proxy.blackHole();
    await holder.endOfFile(TTL_S * 1_000);
    assert.ok((await cluster.leases()).includes(lease), 'the lease lives on when CTDB sees end of file');
    assert.equal((await holder.exited()).status, 4);
  });

  test('a /proc of another pid namespace: a living holder is not taken for dead', async () => {
    await using bench = await LockBench.make(cluster, {}, inPidNamespace('asChildWithForeignProc'));
    const holder = await bench.hold();
    assert.match(holder.stderr, /^Warning: A dead holder on this host is not recognized \(/m);
    for (let round = 0; round < 3; round += 1) {
      const contender = await bench.run();
      assert.equal(await contender.answer(), '1', contender.stderr);
    }
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    assert.equal((await holder.release()).status, 0);
  });

  test('a parent that is PID 1 and reads the answer is a parent', async () => {
    await using bench = await LockBench.make(cluster, {}, inPidNamespace('asInit'));
    const holder = await bench.hold();
    const contender = await bench.run();
    assert.equal(await contender.answer(), '1', contender.stderr);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual([holder.stderr, await bench.leftovers()], ['', []]);
  });

  test('a password file whose file system hangs costs a holder nothing, and its end neither', async () => {
    const pidFile = join(folder, 'password');
    const path = join(folder, 'password-file');
    writeFileSync(path, 'secret', { mode: 0o600 });
    const login = { username: 'samba', password_file: path };
    await using bench = await LockBench.make(cluster, { ...login }, withFuseOn(path, pidFile));
    const holder = await bench.hold();
    await hang(pidFile);
    const fromMs = performance.now();
    await waitFor('the next look at the files', () => performance.now() > fromMs + LOOK_MS + 1_000, {
      withinMs: 2 * LOOK_MS,
      everyMs: 100,
    });
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    const askedAtMs = performance.now();
    holder.signal('SIGTERM');
    await holder.exited();
    assert.ok(performance.now() - askedAtMs < 3_000, `${performance.now() - askedAtMs} ms`);
    assert.deepEqual(await bench.leftovers(), []);
  });

  for (const [what, path] of [
    ['a shell', realpathSync('/bin/sh')],
    ['a ctdb', '/usr/bin/ctdb'],
  ] as const) {
    test(`${what} that hangs on its disk costs a holder nothing, and nothing is left behind`, async (t) => {
      if (!existsSync(path)) {
        writeFileSync(path, '');
        t.after(() => {
          rmSync(path);
        });
      }
      const pidFile = join(folder, basename(path));
      await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S }, withFuseOn(path, pidFile));
      await hang(pidFile);
      const holder = await bench.hold();
      await twoTtl();
      assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual([holder.stderr, await bench.leftovers()], ['', []]);
    });
  }

  for (const [what, keyOf, line] of [
    ['a configuration', undefined, /^Cannot read config "[^"]*": its file system \(fuse\.lxcfs at /],
    [
      'a ca_cert',
      'ca_cert',
      /: ca_cert is "[^"]*", want a file that can be read, but its file system \(fuse\.lxcfs at /,
    ],
    [
      'a password_file',
      'password_file',
      /: password_file is .*, want a file that can be read, but its file system \(/,
    ],
  ] as const) {
    test(`${what} whose file system hangs is named within 4 s, and the process ends`, async () => {
      const pidFile = join(folder, `hung-${keyOf ?? 'config'}`);
      const path = join(folder, `hung-file-${keyOf ?? 'config'}`);
      writeFileSync(path, '', { mode: 0o600 });
      const settings = keyOf === undefined ? {} : { [keyOf]: path };
      const login = keyOf === 'password_file' ? { username: 'samba' } : {};
      const tls = keyOf === 'ca_cert' ? { protocol: 'https' } : {};
      await using bench = await LockBench.make(
        cluster,
        { ...settings, ...login, ...tls },
        withFuseOn(path, pidFile),
      );
      await hang(pidFile);
      const args = keyOf === undefined ? ['-c', path] : [];
      const helper = await bench.run({ args });
      assert.equal(await helper.answer(4_000), '3', helper.stderr);
      // By itself, or by the SIGTERM with which CTDB answers the byte.
      await helper.exited(2_000);
      assert.match(helper.stderr, line);
      assert.match(
        helper.stderr,
        / did not answer within 1\.5 s; mount it again, or use a local disk \[conf-hung\]\n$/,
      );
      assert.equal(helper.stderr.split('\n').length, 2, helper.stderr);
    });
  }

  test('a ca_cert and a password_file that hang under a holder, which must connect and log in again, cost it nothing', async () => {
    const authority = await Authority.make(folder, 'authority');
    const tls = { caFile: authority.certFile, ...(await authority.issue()) };
    await using secure = await EtcdCluster.start({ tls });
    const root = { user: 'root:secret' };
    await secure.etcdctl(['user', 'add', 'root:secret']);
    await secure.etcdctl(['user', 'grant-role', 'root', 'root']);
    await secure.etcdctl(['auth', 'enable']);
    const directory = join(folder, 'hung-while-holding');
    mkdirSync(directory);
    const [caFile, passwordFile] = [join(directory, 'ca.pem'), join(directory, 'password')];
    copyFileSync(authority.certFile, caFile);
    writeFileSync(passwordFile, 'secret\n', { mode: 0o600 });
    const pidFiles = [join(folder, 'hung-ca'), join(folder, 'hung-password')] as const;
    const wrap = [...withFuseOn(caFile, pidFiles[0]), ...withFuseOn(passwordFile, pidFiles[1])];
    await using proxy = await TcpProxy.start(secure.member(0).endpoint);
    await using base = await HelperBase.make(
      {
        hosts: `https://${proxy.endpoint}`,
        netbios_name: 'HUNG',
        ca_cert: caFile,
        username: 'root',
        password_file: passwordFile,
        lock_ttl: TTL_S,
      },
      wrap,
    );
    const holder = await base.run({ args: ['-vv'] });
    assert.equal(await holder.answer(), '0', holder.stderr);
    for (const pidFile of pidFiles) await hang(pidFile);
    for (let round = 0; round < 3; round += 1) {
      // A change of roles ends all tokens.
      await secure.etcdctl(['role', 'add', `role${round}`], root);
      proxy.cut();
      await twoTtl();
      assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    }
    assert.equal((await holder.release()).status, 0);
  });

  test('a bash that hangs on its disk delays no answer, and a holder without a watchdog says so', async () => {
    const pidFile = join(folder, 'bash');
    // A python3 that is a script of bash could not run the parent.
    const wrap = [...withFuseOn(realpathSync('/bin/bash'), pidFile), 'env', 'PATH=/usr/bin:/bin'];
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S }, wrap);
    await hang(pidFile);
    const holder = await bench.run();
    assert.equal(await holder.answer(4_000), '0', holder.stderr);
    await twoTtl();
    const warning =
      /^Warning: No watchdog \(\/bin\/bash: its file system \(fuse\.lxcfs at .*\) did not answer/;
    assert.match(holder.stderr, warning);
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a bash that hangs after its start, and whose watchdog was killed, costs a holder nothing', async () => {
    const pidFile = join(folder, 'later-bash');
    const wrap = [...withFuseOn(realpathSync('/bin/bash'), pidFile), 'env', 'PATH=/usr/bin:/bin'];
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S }, wrap);
    const holder = await bench.hold();
    const lease = (await bench.key())?.leaseHex ?? '';
    const watchdog = await waitFor('the watchdog', () => childrenOf(holder.pid).find(isRunning));
    await hang(pidFile);
    process.kill(watchdog, 'SIGKILL');
    const said = /^Warning: No watchdog \(\/bin\/bash: its file system \(fuse\.lxcfs at .*\) did not answer/m;
    await waitFor('the restart was given up', () => said.test(holder.stderr));
    await twoTtl();
    assert.equal((await bench.key())?.leaseHex, lease, 'the lease was renewed');
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a directory of PATH that hangs costs a holder nothing', async () => {
    const pidFile = join(folder, 'path');
    const directory = join(folder, 'hung');
    mkdirSync(directory);
    await using bench = await LockBench.make(cluster, { lock_ttl: TTL_S }, withFuseOn(directory, pidFile));
    await hang(pidFile);
    const holder = await bench.hold({ env: { PATH: `${directory}:/usr/bin:/bin` } });
    await twoTtl();
    assert.equal(holder.endOfFileAtMs, undefined, holder.stderr);
    assert.equal((await holder.release()).status, 0);
  });
});
