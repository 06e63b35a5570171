// The versions of a release, in a throw-away repository with this checkout's own files, and with programs and packages that only say
// a version.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { disagreements, statedInSources } from '../../packaging/release/agreement.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../support/processes.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const [{ version: VERSION = '' } = {}] = statedInSources(CHECKOUT);
const NO_TAGS = { head: '0123456789ab', onHead: [], commitOfVersion: undefined };

test('the sources name one version, and one day of its release', () => {
  const statements = statedInSources(CHECKOUT);
  assert.deepEqual(disagreements(statements, NO_TAGS), []);
  assert.equal(statements.length, 5);
  assert.equal(new Set(statements.map(({ version }) => version)).size, 1);
  assert.equal(statements.filter(({ date }) => date !== undefined).length, 3);
});

void describe('npm run release:check', () => {
  let root = '';
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], {
      cwd: root,
      encoding: 'utf8',
    }).trim();
  const head = (): string => git('rev-parse', '--short=12', 'HEAD');

  function put(name: string, text: string, mode = 0o644): void {
    const file = join(root, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  }

  const putBinary = (version: string, commit: string): void => {
    put('dist/ctdb_etcd_lock', `#!/bin/sh\necho 'ctdb_etcd_lock ${version} (commit ${commit})'\n`, 0o755);
  };

  const check = (): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
    // A PATH whose dpkg-deb and rpm say what the files hold.
    const PATH = `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`;
    const program = join(CHECKOUT, 'packaging/release-check.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '--root', root], {
      encoding: 'utf8',
      env: { ...process.env, PATH },
    });
    return { status, stdout, stderr };
  };

  before(async () => {
    root = await temporaryDirectory('release');
    for (const { place } of statedInSources(CHECKOUT)) {
      mkdirSync(dirname(join(root, place)), { recursive: true });
      cpSync(join(CHECKOUT, place), join(root, place));
    }
    put('.gitignore', 'dist\nbin\n');
    git('init', '--quiet');
    git('add', '.');
    git('commit', '--quiet', '--message=release');
    put('bin/dpkg-deb', '#!/bin/sh\ncat "$2"\n', 0o755);
    put('bin/rpm', '#!/bin/sh\nfor file; do :; done\ncat "$file"\n', 0o755);
  });
  after(() => {
    removeTemporaryDirectory(root);
  });

  test('says what is missing before anything is built', () => {
    const { status, stderr } = check();
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^Release check: dist\/ctdb_etcd_lock --version names no version; run npm run package$/m,
    );
    assert.match(stderr, /^Release check: dist\/\*\.deb names no version; run npm run package$/m);
    assert.match(stderr, /^Release check: dist\/\*\.rpm names no version; run npm run package$/m);
    assert.match(stderr, /^Release check: dist\/\*\.tar names no version; run npm run package$/m);
    assert.match(stderr, /^Release check: dist\/\*\.tar\.xz names no version; run npm run dist$/m);
  });

  test('agrees without a tag, and says that there is none', () => {
    putBinary(VERSION, head());
    put(`dist/ctdb-etcd-lock_${VERSION}-1_amd64.deb`, `${VERSION}-1`);
    put(`dist/ctdb-etcd-lock-${VERSION}-1.x86_64.rpm`, VERSION);
    put(`dist/ctdb-etcd-lock-${VERSION}-repo.tar`, '');
    put(`dist/ctdb-etcd-lock-${VERSION}.tar.xz`, '');
    const { status, stdout, stderr } = check();
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.ok(stdout.endsWith(`no tag on HEAD (${head()}), so none is compared; want v${VERSION}\n`), stdout);
    assert.equal(stdout.split('\n').filter((line) => line.startsWith(`${VERSION} `)).length, 10);
  });

  test('agrees with the tag of that version, and minds no other tags', () => {
    git('tag', `v${VERSION}`);
    git('tag', 'checked-by-hand');
    const { status, stdout, stderr } = check();
    assert.deepEqual([status, stderr], [0, '']);
    assert.ok(stdout.includes(` tag v${VERSION} on HEAD (${head()})\n`), stdout);
  });

  test('refuses the tag of another version, annotated or not', () => {
    git('tag', '--annotate', '--message=next', 'v99.0.1');
    const { status, stderr } = check();
    git('tag', '--delete', 'v99.0.1');
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `Release check: the tag of HEAD is v99.0.1, and package.json names ${VERSION}; delete that tag or raise the version\n`,
    );
  });

  test('refuses a binary and packages of another version or commit', () => {
    putBinary('99.0.1', `${head()}-dirty`);
    put('dist/ctdb-etcd-lock_0.9.0-1_amd64.deb', '0.9.0-1');
    const { status, stderr } = check();
    rmSync(join(root, 'dist/ctdb-etcd-lock_0.9.0-1_amd64.deb'));
    putBinary(VERSION, head());
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `Release check: dist/ctdb_etcd_lock --version names 99.0.1, and package.json ${VERSION}; run npm run package, and remove older packages
Release check: dist/ctdb_etcd_lock --version names commit ${head()}-dirty, and HEAD is ${head()}; commit all changes and run npm run package
Release check: dist/ctdb-etcd-lock_0.9.0-1_amd64.deb names 0.9.0, and package.json ${VERSION}; run npm run package, and remove older packages
`,
    );
  });

  test('refuses a version that has been released from another commit, and changelogs that differ', () => {
    const changes = join(root, 'CHANGELOG.md');
    const debian = join(root, 'packaging/debian/changelog');
    writeFileSync(changes, readFileSync(changes, 'utf8').replace(`## ${VERSION}`, '## 99.1.0'));
    writeFileSync(debian, readFileSync(debian, 'utf8').replace(/, \d\d (\w{3}) \d{4} /, ', 01 $1 2020 '));
    const released = head();
    git('commit', '--quiet', '--all', '--message=later');
    putBinary(VERSION, head());
    const { status, stdout, stderr } = check();
    assert.equal(status, 1);
    assert.match(stdout, /^no tag on HEAD/m);
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.equal(
      lines[0],
      `Release check: CHANGELOG.md names 99.1.0, and package.json ${VERSION}; correct one of the two`,
    );
    assert.match(
      lines[1] ?? '',
      /^Release check: packaging\/debian\/changelog names 2020-\d\d-01, and CHANGELOG\.md \d{4}-\d\d-\d\d; correct one of the two$/,
    );
    assert.equal(
      lines[2],
      `Release check: the tag v${VERSION} is on commit ${released}, and HEAD is ${head()}; raise the version`,
    );
  });

  test('needs a repository', () => {
    rmSync(join(root, '.git'), { recursive: true });
    const { status, stderr } = check();
    assert.equal(status, 1);
    assert.match(stderr, /^Release check failed: .* is no git repository with a commit; run it in a clone$/m);
  });
});
