import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inOwnNetwork } from './namespaces.ts';
import { run, temporaryDirectory } from './processes.ts';

const INSIDE = 'CTDB_ETCD_LOCK_TEST_NAMES';

/**
 * Host names come from the system's resolver, which asks port 53 of what /etc/resolv.conf says. So a test file about names
 * runs itself once more, in a network and with files of its own, where 127.0.0.1 is the name server.
 *
 * @param file the test file, as `import.meta.url`
 * @param inside declares the tests
 */
export function testWithOwnNames(file: string, inside: () => void): void {
  if (process.env[INSIDE] !== undefined) {
    inside();
    return;
  }
  test('names, in a network of their own', async () => {
    const directory = await temporaryDirectory('names');
    const resolvConf = join(directory, 'resolv.conf');
    writeFileSync(resolvConf, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    const hosts = join(directory, 'hosts');
    writeFileSync(hosts, '127.0.0.1 localhost\n::1 localhost\n');
    const setUp = [
      'ip link set lo up',
      `mount --bind ${resolvConf} "$(readlink -f /etc/resolv.conf)"`,
      `mount --bind ${hosts} /etc/hosts`,
    ].join(' && ');
    // Without that variable the inner run prints its report as text, which is read here.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, [INSIDE]: '1' };
    const [command = '', ...args] = inOwnNetwork(setUp);
    const { status, stdout, stderr } = await run(command, [...args, process.execPath, fileURLToPath(file)], {
      env,
      limitMs: 200_000,
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /^ℹ pass [1-9]\d*$|^# pass [1-9]\d*$/m);
  });
}
