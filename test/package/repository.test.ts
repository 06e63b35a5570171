// The repository of the packages, used as a site without a network uses it: unpacked into a directory, and installed from by apt
// on Debian's systems and by dnf into a root of its own. Everything here runs in a network namespace that has only loopback.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run, runChecked, temporaryDirectory, type Finished } from '../support/processes.ts';
import { built, REPOSITORY, RPM } from './built.ts';
import { CHECKOUT, CLEAN_RELEASES, HELPER, Root } from './root.ts';

const PLACE = '/srv/ctdb-etcd-lock';
const KEY = 'tests@ctdb-etcd-lock.invalid';

let directory = '';
/** A repository that is signed by a key of the tests. */
let signed = '';

/** Runs packaging/package.mjs --repository. */
function make(...args: readonly string[]): Promise<Finished> {
  return run(process.execPath, ['packaging/package.mjs', '--repository', ...args], {
    cwd: CHECKOUT,
    limitMs: 120_000,
    env: { ...process.env, GNUPGHOME: join(directory, 'gnupg') },
  });
}

before(async () => {
  directory = await temporaryDirectory('repository');
  mkdirSync(join(directory, 'gnupg'), { mode: 0o700 });
  const env = { ...process.env, GNUPGHOME: join(directory, 'gnupg') };
  const generate = ['--batch', '--passphrase', '', '--quick-generate-key', KEY, 'rsa3072', 'sign', 'never'];
  await runChecked('gpg', generate, { env, limitMs: 60_000 });
  const { status, stderr } = await make('--sign', KEY);
  assert.equal(status, 0, stderr);
  signed = join(directory, 'signed.tar');
  copyFileSync(built(REPOSITORY), signed);
  const unsigned = await make();
  assert.equal(unsigned.status, 0, unsigned.stderr);
});

after(async () => {
  await run('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: join(directory, 'gnupg') } });
  rmSync(directory, { recursive: true, force: true });
});

/** Unpacks it as its README says, into `root`. */
async function unpack(tar: string, root: string): Promise<void> {
  mkdirSync(join(root, PLACE), { recursive: true });
  await runChecked('tar', ['-xf', tar, '-C', join(root, PLACE), '--strip-components=1'], { limitMs: 60_000 });
}

/** A system whose only source is the repository, as its README says. */
async function system(release: (typeof CLEAN_RELEASES)[number], tar: string): Promise<Root> {
  const root = Root.make(release, 'clean');
  await unpack(tar, root.path);
  rmSync(join(root.path, 'etc/apt/sources.list'), { force: true });
  rmSync(join(root.path, 'etc/apt/sources.list.d'), { recursive: true, force: true });
  mkdirSync(join(root.path, 'etc/apt/sources.list.d'));
  copyFileSync(
    join(root.path, PLACE, 'ctdb-etcd-lock.list'),
    join(root.path, 'etc/apt/sources.list.d/ctdb-etcd-lock.list'),
  );
  return root;
}

for (const release of CLEAN_RELEASES) {
  describe(`apt of ${release}`, () => {
    test('installs from the repository, without a network and without a question', async () => {
      await using root = await system(release, built(REPOSITORY));
      const update = await root.run('apt-get', 'update');
      assert.equal(update.status, 0, update.stderr);
      assert.doesNotMatch(update.stdout + update.stderr, /^(W|E|Err)[: ]/m);
      const install = await root.run('apt-get', 'install', '--yes', 'ctdb-etcd-lock');
      assert.equal(install.status, 0, install.stderr);
      assert.match((await root.run(HELPER, '--version')).stdout, /^ctdb_etcd_lock \d/);
      assert.match(
        (await root.run('apt-cache', 'policy', 'ctdb-etcd-lock')).stdout,
        /file:\/srv\/ctdb-etcd-lock\/apt/,
      );
    });

    test('checks the signature, where there is one', async () => {
      await using root = await system(release, signed);
      const update = await root.run('apt-get', 'update');
      assert.equal(update.status, 0, update.stderr);
      assert.doesNotMatch(update.stdout + update.stderr, /^(W|E|Err)[: ]/m);
      const install = await root.run('apt-get', 'install', '--yes', 'ctdb-etcd-lock');
      assert.equal(install.status, 0, install.stderr);
      // Changed by somebody on the way.
      rmSync(join(root.path, 'var/lib/apt/lists'), { recursive: true });
      mkdirSync(join(root.path, 'var/lib/apt/lists/partial'), { recursive: true });
      const file = join(root.path, PLACE, 'apt/InRelease');
      writeFileSync(file, readFileSync(file, 'utf8').replace('Label: ctdb', 'Label: xtdb'));
      rmSync(join(root.path, PLACE, 'apt/Release.gpg'));
      const refused = await root.run('apt-get', 'update');
      assert.notEqual(refused.status, 0);
      assert.match(refused.stderr, /BADSIG|not signed|invalid|bad signature|verif/i);
    });
  });
}

describe('dnf', () => {
  let root = '';
  let distribution = '';

  // What the package needs of the distribution: an empty package that says to have it.
  before(async () => {
    // dnf reads the directory from outside of its root; the one of this mount namespace is its own.
    await runChecked('mount', ['-t', 'tmpfs', 'tmpfs', '/srv']);
    distribution = join(directory, 'distribution');
    mkdirSync(distribution);
    const requires = await runChecked('rpm', ['--query', '--package', '--requires', built(RPM)]);
    const provides = requires
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('rpmlib(') && !line.startsWith('config('))
      .map((line) => `Provides: ${line}\n`);
    const spec = join(directory, 'distribution.spec');
    writeFileSync(
      spec,
      `Name: distribution\nVersion: 1\nRelease: 1\nSummary: What a system has\nLicense: MIT\nBuildArch: noarch\n${provides.join('')}%description\nNothing.\n%files\n`,
    );
    const topdir = `_topdir ${join(directory, 'build')}`;
    await runChecked('rpmbuild', [
      '-bb',
      '--quiet',
      '--define',
      topdir,
      '--define',
      `_rpmdir ${distribution}`,
      spec,
    ]);
    await runChecked('createrepo_c', ['--quiet', distribution]);
  });

  async function prepare(tar: string): Promise<void> {
    root = mkdtempSync(join(directory, 'root-'));
    await unpack(tar, '/');
    mkdirSync(join(root, 'etc/yum.repos.d'), { recursive: true });
    copyFileSync(join(PLACE, 'ctdb-etcd-lock.repo'), join(root, 'etc/yum.repos.d/ctdb-etcd-lock.repo'));
    writeFileSync(
      join(root, 'etc/yum.repos.d/distribution.repo'),
      `[distribution]\nname=distribution\nbaseurl=file://${distribution}\ngpgcheck=0\n`,
    );
  }

  function dnf(...args: readonly string[]): Promise<Finished> {
    const own = [
      '--setopt=reposdir=' + join(root, 'etc/yum.repos.d'),
      '--setopt=cachedir=' + join(root, 'cache'),
    ];
    return run('dnf', ['--installroot', root, '--releasever', '9', '--assumeyes', ...own, ...args], {
      limitMs: 120_000,
    });
  }

  after(() => runChecked('umount', ['/srv']));

  for (const kind of ['unsigned', 'signed'] as const) {
    test(`installs from the ${kind} repository, without a network and without a question`, async () => {
      await prepare(kind === 'signed' ? signed : built(REPOSITORY));
      const { status, stdout, stderr } = await dnf('install', 'ctdb-etcd-lock');
      assert.equal(status, 0, stdout + stderr);
      assert.match(stdout, /ctdb-etcd-lock\s+x86_64\s+1\.0\.0-1\s+ctdb-etcd-lock/);
      assert.match((await run(join(root, HELPER), ['--version'])).stdout, /^ctdb_etcd_lock \d/);
    });
  }

  test('refuses a package that was changed, where the repository is signed', async () => {
    await prepare(signed);
    appendFileSync(join(PLACE, 'yum', `ctdb-etcd-lock-1.0.0-1.x86_64.rpm`), 'more');
    const { status, stdout, stderr } = await dnf('install', 'ctdb-etcd-lock');
    assert.notEqual(status, 0);
    assert.match(stdout + stderr, /checksum/i);
  });

  test('refuses metadata that were changed, where the repository is signed', async () => {
    await prepare(signed);
    const file = join(PLACE, 'yum/repodata/repomd.xml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/<revision>\d+/, '<revision>1'));
    const { status, stdout, stderr } = await dnf('install', 'ctdb-etcd-lock');
    assert.notEqual(status, 0);
    assert.match(stdout + stderr, /signature|GPG/i);
  });
});

describe('npm run package', () => {
  test('makes the same bytes twice, and lists the repository in SHA256SUMS', async () => {
    const first = readFileSync(built(REPOSITORY));
    const { status, stderr } = await make();
    assert.equal(status, 0, stderr);
    assert.ok(first.equals(readFileSync(built(REPOSITORY))));
    const checked = await run('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], {
      cwd: join(CHECKOUT, 'dist'),
    });
    assert.equal(checked.stdout + checked.stderr, '');
    assert.match(readFileSync(join(CHECKOUT, 'dist/SHA256SUMS'), 'utf8'), /-repo\.tar$/m);
  });

  test('says at its start which programs are missing, and which packages have them', async () => {
    // A PATH without the tools of packaging.
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'git', 'strip', 'objdump', 'dpkg-deb', 'rpmbuild'])
      await runChecked('ln', ['-s', (await runChecked('which', [name])).trim(), join(bin, name)]);
    const startedAtMs = performance.now();
    const { status, stderr } = await run(process.execPath, ['packaging/package.mjs'], {
      cwd: CHECKOUT,
      env: { PATH: bin },
    });
    assert.equal(status, 1);
    assert.equal(
      stderr,
      'Packaging failed: Cannot find checkmodule, semodule_package, apt-ftparchive, createrepo_c: run "apt-get install apt-utils checkpolicy createrepo-c semodule-utils"\n',
    );
    assert.ok(performance.now() - startedAtMs < 10_000);
  });
});
