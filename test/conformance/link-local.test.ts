// The packed helper, `check`, and a member at a link-local address, in the forms in which it is written.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { checkLock } from '../support/check-lock.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { HelperBase } from '../support/helper-base.ts';
import type { Settings } from '../support/lock-bench.ts';
import { testWithOwnNames } from '../support/own-names.ts';
import { runChecked, temporaryDirectory } from '../support/processes.ts';

// Known at once, without asking the network; much room for a busy machine.
const AT_ONCE_MS = 2_000;

const NEEDS_INTERFACE = /want the interface of a link-local address: \[fe80::1%eth0\]:2379/;
const NEEDS_BRACKETS = /want an IPv6 address with a port in brackets: \[fe80::1%d0\]:\d+/;
const NO_INTERFACE = /this host has no network interface "d9"; correct the interface in hosts/;

// Own names come with a network of their own, in which the address can be.
testWithOwnNames(import.meta.url, () => {
  void describe('a member at a link-local address', () => {
    let plain: EtcdCluster;
    let secure: EtcdCluster;
    let caFile: string;
    before(async () => {
      const commands = [
        'link add d0 type veth peer name d1',
        'link set d0 up',
        'link set d1 up',
        'address add fe80::1/64 dev d0 nodad',
      ];
      for (const command of commands) await runChecked('ip', command.split(' '));
      const authority = await Authority.make(await temporaryDirectory('link-local'), 'authority');
      caFile = authority.certFile;
      const tls = { caFile, ...(await authority.issue({ names: ['IP:fe80::1'] })) };
      // It listens on all addresses: etcd takes no zone in its URLs.
      const address = (): string => '[::]';
      [plain, secure] = await Promise.all([
        EtcdCluster.start({ address }),
        EtcdCluster.start({ address, tls }),
      ]);
    });
    after(() => Promise.all([plain.stop(), secure.stop()]));

    /** @param said what the line says; undefined: the lock is taken without a line */
    const tryBoth = async (settings: Settings, said: RegExp | undefined): Promise<void> => {
      await using base = await HelperBase.make({ netbios_name: 'LINK', ...settings });
      const helper = await base.run({ autoTerm: false });
      const answer = await helper.answer();
      if (answer === '0') await helper.release();
      else await helper.exited();
      const { status, findings } = await checkLock(base);
      const texts = findings.map(({ text, remedy }) => `${text}; ${remedy ?? ''}`).join('\n');
      assert.equal(answer, said === undefined ? '0' : '3', helper.stderr);
      assert.equal(status === 2, said !== undefined, texts);
      if (said === undefined) {
        assert.equal(helper.stderr, '');
        return;
      }
      assert.ok(helper.tookMs < AT_ONCE_MS, `${helper.tookMs} ms`);
      assert.equal(helper.stderrLines.length, 1, helper.stderr);
      assert.match(helper.stderr, said);
      assert.match(texts, said);
    };

    const index = (): number | undefined =>
      networkInterfaces()['d0']?.find(({ address }) => address === 'fe80::1')?.scopeid;
    const forms: [form: string, host: (port: number) => string, said: RegExp | undefined][] = [
      ['[ADDRESS%d0]', (port) => `[fe80::1%d0]:${port}`, undefined],
      ['[ADDRESS%25d0], as in a URL', (port) => `[fe80::1%25d0]:${port}`, undefined],
      ['http://[ADDRESS%25d0]', (port) => `http://[fe80::1%25d0]:${port}`, undefined],
      ['[ADDRESS%INDEX]', (port) => `[fe80::1%${String(index())}]:${port}`, undefined],
      ['[ADDRESS] without a zone', (port) => `[fe80::1]:${port}`, NEEDS_INTERFACE],
      ['ADDRESS%d0:PORT without brackets', (port) => `fe80::1%d0:${port}`, NEEDS_BRACKETS],
      ['[ADDRESS%d9], an interface that is not there', (port) => `[fe80::1%d9]:${port}`, NO_INTERFACE],
      ['[ADDRESS%25d9], the same as in a URL', (port) => `[fe80::1%25d9]:${port}`, NO_INTERFACE],
    ];
    for (const [form, host, said] of forms) {
      test(`${form}: ${said === undefined ? '0' : '3, at once'}, and check agrees`, () =>
        tryBoth({ hosts: host(plain.member(0).clientPort) }, said));
    }
    for (const zone of ['d0', '25d0']) {
      test(`https://[ADDRESS%${zone}]: 0, and check agrees`, () =>
        tryBoth(
          { hosts: `https://[fe80::1%${zone}]:${secure.member(0).clientPort}`, ca_cert: caFile },
          undefined,
        ));
    }
  });
});
