// The faults that keep a helper from taking the lock, while it holds: on one of three members they cost nothing, not even
// a line in the log.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Authority, type CertificateWishes } from '../support/certificates.ts';
import { EtcdCluster } from '../support/etcd-cluster.ts';
import { LATEST_RELEASE } from '../support/etcd-programs.ts';
import { HelperBase } from '../support/helper-base.ts';
import { temporaryDirectory } from '../support/processes.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const TTL_S = 6;

interface Holding {
  readonly fault: string;
  readonly relay: TcpProxy;
  /** True when the member can still be dialed. */
  readonly isDialed: boolean;
  readonly strike: () => void | Promise<void>;
}

test('while holding, a fault of one member is silent and costs nothing', async (t) => {
  await using stack = new AsyncDisposableStack();
  const directory = await temporaryDirectory('minority');
  const authority = await Authority.make(directory, 'authority');
  const stranger = await Authority.make(directory, 'stranger');

  const start = async (
    signer: Authority | undefined,
    wishes: CertificateWishes & { readonly clientCertAuth?: boolean; readonly members?: number } = {},
  ): Promise<EtcdCluster> => {
    const { clientCertAuth = false, members = 1, ...certificate } = wishes;
    const caFile = authority.certFile;
    const options =
      signer === undefined ? {} : { tls: { caFile, ...(await signer.issue(certificate)), clientCertAuth } };
    return stack.use(await EtcdCluster.start({ release: LATEST_RELEASE, members, ...options }));
  };
  const [cluster, leaderless] = await Promise.all([
    start(authority, { members: 3 }),
    start(authority, { members: 3 }),
  ]);
  const [plain, unknown, expired, elsewhere, strict, withLogins] = await Promise.all([
    start(undefined),
    start(stranger),
    start(authority, { validFromDays: -9, validToDays: -1 }),
    start(authority, { names: ['DNS:elsewhere.example.com'] }),
    start(authority, { clientCertAuth: true }),
    start(authority),
  ]);
  await Promise.all([leaderless.member(1).stop(), leaderless.member(2).stop()]);
  await withLogins.etcdctl(['user', 'add', 'root:rootpw']);
  await withLogins.etcdctl(['user', 'grant-role', 'root', 'root']);
  const noise = createServer((socket) => {
    socket.on('error', () => undefined).write(Buffer.from('nothing that anybody understands\n'.repeat(100)));
  }).listen(0, '127.0.0.1');
  await once(noise, 'listening');
  stack.defer(() => {
    noise.close();
  });

  const places: readonly (readonly [fault: string, endpoint: string])[] = [
    ['it does not speak TLS any more', plain.hosts],
    ['an unknown authority', unknown.hosts],
    ['a certificate that has expired', expired.hosts],
    ['a certificate for another name', elsewhere.hosts],
    ['it wants a client certificate', strict.hosts],
    ['it wants a login', withLogins.hosts],
    ['it has no leader', leaderless.member(0).endpoint],
    ['it is no etcd', `127.0.0.1:${(noise.address() as AddressInfo).port}`],
  ];
  const relayed = async (): Promise<TcpProxy> => stack.use(await TcpProxy.start(cluster.member(0).endpoint));
  const holdings: Holding[] = [];
  for (const [fault, endpoint] of places) {
    const relay = await relayed();
    const strike = (): void => {
      relay.lead(endpoint);
      relay.cut();
    };
    holdings.push({ fault, relay, isDialed: true, strike });
  }
  const [refusing, silent] = [await relayed(), await relayed()];
  const refuse = async (): Promise<void> => {
    await refusing.refuse();
    refusing.cut();
  };
  const fallSilent = (): void => {
    silent.blackHole();
  };
  holdings.push({ fault: 'it refuses connections', relay: refusing, isDialed: false, strike: refuse });
  holdings.push({ fault: 'it is silent', relay: silent, isDialed: false, strike: fallSilent });

  const holders = await Promise.all(
    holdings.map(async (holding, index) => {
      const name = `MINORITY${index}`;
      const others = [
        stack.use(await TcpProxy.start(cluster.member(1).endpoint)),
        stack.use(await TcpProxy.start(cluster.member(2).endpoint)),
      ];
      const base = stack.use(
        await HelperBase.make({
          hosts: [holding.relay, ...others].map(({ endpoint }) => endpoint).join(),
          protocol: 'https',
          ca_cert: authority.certFile,
          lock_ttl: TTL_S,
          netbios_name: name,
        }),
      );
      const helper = await base.run();
      assert.equal(await helper.answer(), '0', helper.stderr);
      const [key] = await cluster.keys(`/_locks/_ctdb/${name}/`);
      return { ...holding, others, helper, name, key };
    }),
  );
  await withLogins.etcdctl(['auth', 'enable']);
  const dialed = holders.map(({ relay }) => relay.accepted);
  for (const { strike } of holders) await strike();
  for (const [index, { isDialed, relay, others }] of holders.entries()) {
    const isMet = (): boolean => !isDialed || relay.accepted > (dialed[index] ?? Infinity);
    if (isMet()) continue;
    // On a busy machine a holder may have gone over to another member before; it is brought back.
    for (const other of others) {
      await other.refuse();
      other.cut();
    }
    await waitFor('the fault is met', isMet);
    for (const other of others) await other.accept();
  }
  await delay((TTL_S + 1) * 1_000); // only a lease that was renewed since lives for that long

  for (const { fault, helper, name, key } of holders) {
    await t.test(fault, async () => {
      assert.equal(helper.endOfFileAtMs, undefined, helper.stderr);
      assert.equal(helper.stderr, '');
      const [now] = await cluster.keys(`/_locks/_ctdb/${name}/`);
      assert.ok(key !== undefined && key.leaseHex !== '0');
      assert.deepEqual([now?.leaseHex, now?.createRevision], [key.leaseHex, key.createRevision]);
      await helper.release();
      assert.deepEqual([helper.bytes, helper.stderr], ['0', '']);
    });
  }
});
