import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { inPidNamespace, mayChroot } from '../support/namespaces.ts';
import { runChecked } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const INSTALLED = '/usr/libexec/ctdb/ctdb_etcd_lock';

/** Copies a program and its libraries below `root`. */
async function installProgram(program: string, root: string, as: string): Promise<void> {
  const install = (from: string, to: string): void => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  };
  install(program, as);
  const libraries = (await runChecked('ldd', [program])).matchAll(/(?:=> )?(\/\S+) \(0x/g);
  for (const [, library] of libraries) if (library !== undefined) install(library, library);
}

/** A root directory with the helper, its libraries, and its configuration in the default place. */
async function bareRoot(bench: LockBench): Promise<string> {
  const root = join(bench.base, 'root');
  await installProgram(helperProgram(), root, INSTALLED);
  mkdirSync(join(root, 'etc/ctdb'), { recursive: true });
  copyFileSync(join(bench.base, 'etcd'), join(root, 'etc/ctdb/etcd'));
  return root;
}

/** The TCP ports on which a process listens. */
function listeningPorts(pid: number): number[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      // Fields: sl, local_address, rem_address, st (0A is LISTEN), …, the tenth is the inode.
      .filter((fields) => fields[3] === '0A' && inodes.has(fields[9] ?? ''))
      .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)),
  );
}

void describe('whatever CTDB’s environment is', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  const environments: Record<string, Record<string, string>> = {
    'a bad NODE_OPTIONS': { NODE_OPTIONS: '--bad-option' },
    'NODE_OPTIONS that load a file': { NODE_OPTIONS: '--require=/nonexistent.js --inspect=127.0.0.1:0' },
    'NODE_EXTRA_CA_CERTS that does not exist': { NODE_EXTRA_CA_CERTS: '/nonexistent/ca.pem' },
    NODE_USE_SYSTEM_CA: { NODE_USE_SYSTEM_CA: '1' },
    'NODE_DEBUG for everything': { NODE_DEBUG: '*', NODE_DEBUG_NATIVE: 'HTTP2,SPAWNSYNC,TLS' },
    'NODE_ICU_DATA that does not exist': { NODE_ICU_DATA: '/nonexistent' },
    'warnings asked for': { NODE_PENDING_DEPRECATION: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    'NODE_CHANNEL_FD of a parent that is no Node': { NODE_CHANNEL_FD: '1' },
    'NODE_UNIQUE_ID of a cluster worker': { NODE_UNIQUE_ID: '1' },
    'gRPC’s own tracing': {
      GRPC_VERBOSITY: 'DEBUG',
      GRPC_TRACE: 'all',
      GRPC_NODE_VERBOSITY: 'DEBUG',
      GRPC_NODE_TRACE: 'all',
    },
    'a proxy': {
      http_proxy: 'http://127.0.0.1:1',
      https_proxy: 'http://127.0.0.1:1',
      grpc_proxy: 'http://127.0.0.1:1',
      HTTP_PROXY: 'http://127.0.0.1:1',
      ALL_PROXY: 'http://127.0.0.1:1',
      NODE_USE_ENV_PROXY: '1',
    },
    'a home that is not there': { HOME: '/nonexistent', TMPDIR: '/nonexistent' },
    'a number of threads': { UV_THREADPOOL_SIZE: '1024' },
    'OpenSSL settings': { OPENSSL_CONF: '/nonexistent/openssl.cnf', SSL_CERT_FILE: '/nonexistent/ca.pem' },
    'pkg’s own switches': { PKG_EXECPATH: 'PKG_INVOKE_NODEJS', PKG_NATIVE_CACHE_PATH: '/nonexistent' },
    'an odd locale and time zone': { LANG: 'xx_YY', LC_ALL: 'xx_YY', TZ: 'Nowhere/Land' },
  };
  for (const [what, env] of Object.entries(environments)) {
    test(`${what} changes nothing`, async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold({ env });
      assert.deepEqual(listeningPorts(holder.pid), []);
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  test('NODE_REDIRECT_WARNINGS makes no file', async () => {
    await using bench = await LockBench.make(cluster);
    const place = join(bench.base, 'place');
    mkdirSync(place);
    const holder = await bench.hold({
      env: {
        NODE_REDIRECT_WARNINGS: join(place, 'warnings'),
        NODE_DEBUG: 'http2', // is itself a reason for a warning
      },
    });
    await holder.release();
    assert.deepEqual(readdirSync(place), []);
    assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
  });

  // What the runtime does before the helper can start again without these variables; docs/security.md names them.
  test('NODE_DEBUG_NATIVE=MKSNAPSHOT writes lines into the log, and the lock is taken', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold({ env: { NODE_DEBUG_NATIVE: 'MKSNAPSHOT' } });
    assert.equal((await holder.release()).status, 0);
    assert.equal(holder.bytes, '0');
    // Once: the second start is without the variable.
    assert.equal(holder.stderr.match(/^deserializing IsolateDataSerializeInfo/gm)?.length, 1);
    assert.ok(holder.stderr.length < 50_000, `${holder.stderr.length} bytes`);
  });

  const neverAnswered: Record<string, { readonly env: Record<string, string>; readonly says: RegExp }> = {
    NODE_REPL_EXTERNAL_MODULE: {
      env: { NODE_REPL_EXTERNAL_MODULE: 'x' },
      says: /NODE_REPL_EXTERNAL_MODULE can't be used/,
    },
    'NODE_CHANNEL_FD that is no number': { env: { NODE_CHANNEL_FD: 'x' }, says: /ERR_INTERNAL_ASSERTION/ },
  };
  for (const [what, { env, says }] of Object.entries(neverAnswered)) {
    test(`${what} ends the helper at once, without an answer or a trace in etcd`, async () => {
      await using bench = await LockBench.make(cluster);
      const helper = await bench.run({ env });
      assert.equal(await helper.answer(), '');
      assert.notEqual((await helper.exited()).status, 0);
      assert.match(helper.stderr, says);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  // In kB. docs/failure-guide.md names these limits: the least with addresses, the least with names, and 1 GB.
  for (const [limit, host] of [
    [620_000, '127.0.0.1'],
    [650_000, 'localhost'],
    [976_563, 'localhost'],
  ] as const) {
    test(`an address space of ${limit} kB is enough for ${host}, also where more threads are asked for`, async () => {
      const wrap = ['sh', '-c', `ulimit -v ${limit}; exec "$0" "$@"`];
      const hosts = cluster.hosts.replaceAll('127.0.0.1', host);
      await using bench = await LockBench.make(cluster, { hosts }, wrap);
      const holder = await bench.hold({ env: { UV_THREADPOOL_SIZE: '128' } });
      await bench.renewed((await bench.key())?.leaseHex ?? '');
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
    });
  }

  test('an empty environment, with -c: nothing else is needed', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.parent.run({ args: ['-c', join(bench.base, 'etcd')], env: {} });
    assert.equal(await holder.answer(), '0', holder.stderr);
    assert.equal((await holder.release()).status, 0);
    assert.equal(holder.stderr, '');
  });

  test('memory that is never both writable and executable (PR_SET_MDWE)', async () => {
    await using bench = await LockBench.make(cluster);
    const holder = await bench.hold({ mdwe: true });
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
  });

  test('a PID namespace, as in a container whose PID 1 is not ctdbd', async () => {
    await using bench = await LockBench.make(cluster, {}, inPidNamespace('asChild'));
    const holder = await bench.hold();
    const contender = await bench.run();
    assert.equal(await contender.answer(), '1', contender.stderr);
    assert.equal((await holder.release()).status, 0);
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a root file system with nothing but the binary, its libraries and the config', async () => {
    await using bench = await LockBench.make(cluster, { watchdog: 'no' }, mayChroot());
    const root = await bareRoot(bench);
    assert.deepEqual(
      readdirSync(root).filter((name) => !/^(lib.*|usr|etc)$/.test(name)),
      [],
    );

    const holder = await bench.parent.run({ root, program: INSTALLED, env: {} });
    assert.equal(await holder.answer(), '0', holder.stderr);
    await bench.renewed((await bench.key())?.leaseHex ?? '');
    assert.equal((await holder.release()).status, 0);
    // There is no /proc: what that takes away is said, once each.
    assert.deepEqual(
      holder.stderr
        .trimEnd()
        .split('\n')
        .map((line) => /; (mount procfs.*) \[([a-z-]+)\]$/.exec(line)?.slice(1)),
      [
        ["mount procfs in CTDB's pid namespace: mount -t proc proc /proc", 'warn-proc'],
        ['mount procfs: mount -t proc proc /proc', 'warn-uptime'],
      ],
    );
    assert.deepEqual(await bench.leftovers(), []);
  });

  test('a root file system without /dev/null: bash is there, and is not said to be missing', async () => {
    await using bench = await LockBench.make(cluster, {}, mayChroot());
    const root = await bareRoot(bench);
    await installProgram('/bin/bash', root, '/bin/bash');
    const holder = await bench.parent.run({ root, program: INSTALLED, env: {} });
    assert.equal(await holder.answer(), '0', holder.stderr);
    await waitFor('the watchdog is said to be missing', () => holder.stderr.includes('[warn-watchdog]'));
    assert.match(
      holder.stderr,
      /^Warning: No watchdog \(spawn \/bin\/bash ENOENT: there is no \/dev\/null, make it with mknod [^)]+\)/m,
    );
    assert.equal((await holder.release()).status, 0);
  });

  test('the config file of $CTDB_BASE is used, and -c goes before it', async () => {
    await using bench = await LockBench.make(cluster);
    const other = join(bench.base, 'other');
    writeFileSync(other, `hosts = ${cluster.hosts}\nnetbios_name = ${bench.name}_OTHER\n`);
    const first = await bench.hold();
    const second = await bench.hold({ args: ['--config', other] });
    assert.equal((await cluster.keys(`/_locks/_ctdb/${bench.name}_OTHER/`)).length, 1);
    await first.release();
    await second.release();
    assert.deepEqual(await bench.leftovers(), []);
  });
});

void describe('a signal', () => {
  let cluster: EtcdCluster;
  before(async () => {
    cluster = await EtcdCluster.start();
  });
  after(() => cluster.stop());

  for (const signal of ['SIGUSR1', 'SIGPIPE', 'SIGHUP', 'SIGWINCH', 'SIGCHLD'] as const) {
    test(`${signal} changes nothing: the lock is held on, and no debugger listens`, async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      holder.signal(signal);
      await bench.renewed((await bench.key())?.leaseHex ?? '');
      assert.deepEqual(listeningPorts(holder.pid), []);
      assert.equal(holder.exit, undefined);
      assert.equal((await holder.release()).status, 0);
      assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);
    });
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} while holding: key and lease are gone at the exit, within 2 s`, async () => {
      await using bench = await LockBench.make(cluster);
      const holder = await bench.hold();
      const sentAtMs = performance.now();
      holder.signal(signal);
      assert.equal((await holder.exited()).status, 0);
      assert.ok(performance.now() - sentAtMs < 2_000);
      assert.deepEqual(await bench.leftovers(), []);
    });
  }

  test('SIGTERM while etcd is silent: exit within 2 s all the same', async () => {
    await using frozen = await EtcdCluster.start();
    await using bench = await LockBench.make(frozen);
    const holder = await bench.hold();
    frozen.member(0).freeze();
    const sentAtMs = performance.now();
    assert.equal((await holder.release()).status, 0);
    const tookMs = performance.now() - sentAtMs;
    assert.ok(tookMs < 2_300, `${tookMs} ms`);
    frozen.member(0).thaw();
  });

  test('a second SIGTERM, half a second after the first, ends it at once while etcd is silent', async () => {
    await using frozen = await EtcdCluster.start();
    await using bench = await LockBench.make(frozen);
    const holder = await bench.hold();
    frozen.member(0).freeze();
    holder.signal('SIGTERM');
    // Its stdout ends before etcd is asked: only then has the first signal been taken in for sure.
    await holder.endOfFile();
    await delay(600);
    const secondAtMs = performance.now();
    holder.signal('SIGTERM');
    await holder.exited();
    const tookMs = performance.now() - secondAtMs;
    assert.ok(tookMs < 500, `${tookMs} ms`);
    frozen.member(0).thaw();
  });

  test('the SIGTERM that CTDB adds at the end of stdout does not cut the release short', async () => {
    await using bench = await LockBench.make(cluster);
    for (let round = 0; round < 5; round += 1) {
      const holder = await bench.hold();
      holder.signal('SIGTERM');
      await holder.endOfFile();
      holder.signal('SIGTERM');
      assert.deepEqual(await holder.exited().then(({ status }) => status), 0);
      assert.deepEqual(await bench.leftovers(), []);
    }
  });
});
