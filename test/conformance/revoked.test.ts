// The packed helper with a client certificate that the members' list of revoked certificates has.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Authority } from '../support/certificates.ts';
import { EtcdCluster, ETCD_RELEASES } from '../support/etcd-cluster.ts';
import { HelperBase } from '../support/helper-base.ts';
import { temporaryDirectory } from '../support/processes.ts';

// The second connection tells; the helper waits a quarter of a second before it. A busy machine adds to that.
const ANSWER_MS = 2_000;

void describe('a client certificate', () => {
  for (const release of ETCD_RELEASES) {
    test(`that is revoked, etcd ${release}: 3 soon, in one line that says so; a good one still gives 0`, async (t) => {
      const authority = await Authority.make(await temporaryDirectory('revoked'), 'authority');
      const member = await authority.issue();
      const [revoked, good] = [await authority.issue(), await authority.issue()];
      const list = await authority.revoke([revoked.certFile]);
      await using cluster = await EtcdCluster.start({
        release,
        tls: { caFile: authority.certFile, ...member, clientCertAuth: true },
        args: [`--client-crl-file=${list}`],
      });
      const settings = { hosts: cluster.hosts, protocol: 'https', ca_cert: authority.certFile };
      for (const [own, byte] of [
        [revoked, '3'],
        [good, '0'],
      ] as const) {
        await using base = await HelperBase.make({
          ...settings,
          netbios_name: 'REVOKED',
          cert: own.certFile,
          key: own.keyFile,
        });
        const helper = await base.run({ autoTerm: byte !== '3' });
        assert.equal(await helper.answer(), byte, helper.stderr);
        t.diagnostic(`${byte} after ${helper.tookMs.toFixed(0)} ms ${helper.stderr.trimEnd()}`);
        if (byte === '0') {
          await helper.release();
          continue;
        }
        await helper.exited();
        assert.ok(helper.tookMs < ANSWER_MS, `${helper.tookMs} ms`);
        assert.equal(helper.stderrLines.length, 1, helper.stderr);
        assert.match(
          helper.stderr,
          /closed the connection after it got the client certificate of cert ".*"; see etcd's log: if the certificate is revoked/,
        );
      }
    });
  }
});
