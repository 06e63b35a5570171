import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

function read(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
}

test('the version of package.json is that of the changelogs, of the lock file and of the spec', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  assert.equal((JSON.parse(read('package-lock.json')) as { version: string }).version, version);
  assert.equal(/^## (\S+) \(\d{4}-\d\d-\d\d\)$/m.exec(read('CHANGELOG.md'))?.[1], version);
  assert.equal(/^\S+ \((\S+)-\d+\)/.exec(read('packaging/debian/changelog'))?.[1], version);
  assert.equal(
    /%global upstream_version (\S+)\}/.exec(read('packaging/rpm/ctdb-etcd-lock.spec'))?.[1],
    version,
  );
});
