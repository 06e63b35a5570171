import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LockBench } from '../support/lock-bench.ts';
import { helperProgram } from '../support/mutex-parent.ts';
import { runChecked } from '../support/processes.ts';

/** All that a take, a renewal and a release may open, and who wants it. */
const MAY_OPEN: readonly [who: string, path: RegExp][] = [
  ['the look at what of /proc may be believed', /^\/proc\/self\/(status|mountinfo)$/],
  ['the look at whether the watchdog is stopped', /^\/proc\/\d+\/stat$/],
  [
    'the loader',
    /^\/etc\/ld\.so\.(cache|preload)$|^\/(usr\/)?lib[^ ]*\/lib(dl|stdc\+\+|m|gcc_s|pthread|c|tinfo)\.so\.\d+$/,
  ],
  ['OpenSSL in the runtime', /^\/etc\/ssl\/openssl\.cnf$/],
  [
    'the runtime, for its memory limits and threads',
    /^\/proc\/(version_signature|self\/maps|self\/cgroup|meminfo|self\/comm)$|^\/sys\/(fs\/cgroup|devices\/system\/cpu)\//,
  ],
  ['the runtime’s resolver', /^\/etc\/(resolv|nsswitch|netsvc|svc)\.conf$|^\/etc\/hosts$/],
  ['stdio', /^\/dev\/null$|^\/proc\/self\/fd(\/2)?$/],
  [
    'the identity of the process, and the clock',
    /^\/proc\/(uptime|thread-self\/stat|sys\/kernel\/(hostname|random\/boot_id))$|^\/etc\/localtime$/,
  ],
  ['the number of the lease', /^\/dev\/urandom$/],
  ['the descriptors of its parent, which tell what was inherited', /^\/proc\/\d+\/fd$/],
  [
    'bash, as the watchdog and as the shell that looks for ctdb, in the locale of CTDB',
    /^\/dev\/tty$|^\/etc\/passwd$|^\/usr\/(share|lib)\/locale\/|^\/usr\/lib\/[\w-]+\/gconv\//,
  ],
];

test('one take, one renewal and one release open nothing and connect to nothing unexpected', async () => {
  await using cluster = await EtcdCluster.start();
  await using bench = await LockBench.make(cluster);
  const trace = join(bench.base, 'trace');
  const calls = 'trace=open,openat,creat,connect,bind,listen,execve,unlink,unlinkat,rename,mkdir';
  // Then strace is the parent, and ends when the helper does.
  const [strace] = (await runChecked('sh', ['-c', 'command -v strace'])).trim().split('\n');
  const args = ['-f', '-qq', '-s', '4096', '-o', trace, '-e', calls, '-e', 'signal=none', helperProgram()];
  const holder = await bench.hold({ program: strace ?? '', args });
  const key = await bench.key();
  await bench.renewed(key?.leaseHex ?? '');
  process.kill(Number(key?.value['pid']), 'SIGTERM');
  await holder.exited();
  assert.deepEqual([holder.bytes, holder.stderr], ['0', '']);

  const config = join(bench.base, 'etcd');
  const unexpected = readFileSync(trace, 'utf8')
    .trimEnd()
    .split('\n')
    .filter((line) => {
      const call = /^\d+ +(\w+)\((.*)/.exec(line);
      if (call === null) return !/<\.\.\. \w+ resumed>|\+\+\+/.test(line);
      const [, name = '', rest = ''] = call;
      const path = /"([^"]*)"/.exec(rest)?.[1] ?? '';
      switch (name) {
        case 'open':
        case 'openat':
          return path !== config && !MAY_OPEN.some(([, expected]) => expected.test(path));
        case 'connect': {
          const port = /sin_port=htons\((\d+)\), sin_addr=inet_addr\("127\.0\.0\.1"\)/.exec(rest)?.[1];
          // bash looks for its user's name, and the C library asks nscd first.
          return Number(port) !== cluster.member(0).clientPort && !rest.includes('/var/run/nscd/socket');
        }
        case 'execve':
          // The helper, the watchdog, and the shell that looks for ctdb along PATH.
          return ![helperProgram(), '/bin/bash', '/bin/sh'].includes(path) && !path.endsWith('/ctdb');
        default:
          return true;
      }
    });
  assert.deepEqual(unexpected, []);
});
