import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Finished } from '../support/processes.ts';
import { run, runChecked, temporaryDirectory } from '../support/processes.ts';
import { built, RPM, SELINUX_RPM } from './built.ts';
import { CHECKOUT, CONFIG, HELPER } from './root.ts';

const SPEC = join(CHECKOUT, 'packaging/rpm/ctdb-etcd-lock.spec');

let directory = '';
let newer = '';
let fedoras = '';
let root = '';
let count = 0;

/** rpm on the scratch root. What it needs beyond our own files is not installed there, so dependencies are not looked at. */
function rpm(...args: readonly string[]): Promise<Finished> {
  return run('rpm', ['--root', root, '--nodeps', ...args], { limitMs: 120_000 });
}

async function succeeds(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await rpm(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

async function build(spec: string, ...defines: readonly string[]): Promise<void> {
  const all = [
    `_topdir ${directory}/build`,
    '_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
    ...defines,
  ];
  const args = ['-bb', '--quiet', ...all.flatMap((define) => ['--define', define]), spec];
  await runChecked('rpmbuild', args, { limitMs: 300_000 });
}

before(async () => {
  directory = await temporaryDirectory('rpm');
  // The next version, hardly compressed, with another configuration.
  const staged = join(directory, 'staged');
  mkdirSync(staged);
  for (const file of [RPM, SELINUX_RPM].map(built)) {
    await runChecked('sh', ['-c', 'rpm2cpio "$1" | cpio --quiet -idu', 'sh', file], {
      cwd: staged,
      limitMs: 120_000,
    });
  }
  writeFileSync(join(staged, CONFIG), '# new in 1.0.1\n');
  const spec = join(directory, 'newer.spec');
  writeFileSync(spec, readFileSync(SPEC, 'utf8').replace('w6.xzdio', 'w1.gzdio'));
  await build(spec, `staged ${staged}`, 'upstream_version 1.0.1');
  newer = join(directory, 'build/RPMS/ctdb-etcd-lock-1.0.1-1.x86_64.rpm');

  const other = join(directory, 'other.spec');
  writeFileSync(
    other,
    `Name: ctdb-etcd-mutex\nEpoch: 2\nVersion: 4.21.0\nRelease: 1\nSummary: Fedora's\nLicense: GPL-3.0-or-later\nBuildArch: noarch
%description\nFedora's helper in Python.\n%install\nmkdir -p %{buildroot}/usr/libexec/ctdb\necho python >%{buildroot}${HELPER}\n%files\n${HELPER}\n`,
  );
  await build(other);
  fedoras = join(directory, 'build/RPMS/ctdb-etcd-mutex-4.21.0-1.noarch.rpm');
});

after(() => {
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(() => {
  count += 1;
  root = join(directory, `root${count}`);
  mkdirSync(root);
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

describe('the RPM', () => {
  test('installs, verifies and is erased without a trace', async () => {
    await succeeds('--install', built(RPM));
    assert.equal(await succeeds('--verify', 'ctdb-etcd-lock'), '');
    assert.equal((lstatSync(join(root, CONFIG)).mode & 0o7777).toString(8), '640');
    const { stdout } = await run(join(root, HELPER), ['--version']);
    assert.match(stdout, /^ctdb_etcd_lock \d/);

    await succeeds('--erase', 'ctdb-etcd-lock');
    for (const path of [HELPER, CONFIG, '/etc/ctdb', '/usr/share/doc/ctdb-etcd-lock']) {
      assert.ok(!existsSync(join(root, path)), path);
    }
  });

  test('notices a binary that was stripped or changed', async () => {
    await succeeds('--install', built(RPM));
    writeFileSync(join(root, HELPER), 'changed');
    assert.match(
      (await rpm('--verify', 'ctdb-etcd-lock')).stdout,
      /^S\.5.* \/usr\/libexec\/ctdb\/ctdb_etcd_lock$/m,
    );
  });

  test('keeps a changed configuration through upgrade, downgrade and removal', async () => {
    await succeeds('--install', built(RPM));
    writeFileSync(join(root, CONFIG), 'hosts = etcd1\n');
    await succeeds('--upgrade', newer);
    assert.equal(readFileSync(join(root, CONFIG), 'utf8'), 'hosts = etcd1\n');
    assert.equal(readFileSync(join(root, `${CONFIG}.rpmnew`), 'utf8'), '# new in 1.0.1\n');
    await succeeds('--upgrade', '--oldpackage', built(RPM));
    assert.equal(readFileSync(join(root, CONFIG), 'utf8'), 'hosts = etcd1\n');
    await succeeds('--erase', 'ctdb-etcd-lock');
    assert.equal(readFileSync(join(root, `${CONFIG}.rpmsave`), 'utf8'), 'hosts = etcd1\n');
  });

  test('replaces a configuration that nobody touched', async () => {
    await succeeds('--install', built(RPM));
    await succeeds('--upgrade', newer);
    assert.equal(readFileSync(join(root, CONFIG), 'utf8'), '# new in 1.0.1\n');
  });

  test('keeps the configuration of the helper in Python that it finds', async () => {
    mkdirSync(join(root, 'etc/ctdb'), { recursive: true });
    writeFileSync(join(root, CONFIG), 'port = 2379\n');
    await succeeds('--install', built(RPM));
    assert.equal(readFileSync(join(root, CONFIG), 'utf8'), 'port = 2379\n');
    assert.ok(existsSync(join(root, `${CONFIG}.rpmnew`)));
  });

  test("does not install over Fedora's ctdb-etcd-mutex, and comes in its place", async () => {
    await succeeds('--install', fedoras);
    const { status, stderr } = await run('rpm', ['--root', root, '--install', built(RPM)], {
      limitMs: 120_000,
    });
    assert.notEqual(status, 0);
    assert.match(stderr, /ctdb-etcd-mutex conflicts with ctdb-etcd-lock/);
    await succeeds('--erase', 'ctdb-etcd-mutex');
    await succeeds('--install', built(RPM));
    assert.equal(await succeeds('--verify', 'ctdb-etcd-lock'), '');
  });

  test('has no build-id links and nothing to debug', async () => {
    const files = await runChecked('rpm', ['--query', '--package', '--list', built(RPM)]);
    assert.doesNotMatch(files, /build-id|debug/);
  });
});
