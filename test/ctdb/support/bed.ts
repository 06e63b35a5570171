import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { CtdbCluster } from './cluster.ts';
import type { CtdbOptions } from './cluster.ts';
import { ETCD_ADDRESSES, makeHub } from './hub.ts';

/** `npm run test:ctdb -- --short`: the same tests with fewer repetitions, for every change. */
export const SHORT = process.env['CTDB_TESTS'] === 'short';

/** Three members of etcd on the hub, which every node reaches; those of bookworm unless said otherwise. */
export async function startEtcd(args: readonly string[] = []): Promise<EtcdCluster> {
  await makeHub();
  return EtcdCluster.start({
    members: 3,
    address: (index) => ETCD_ADDRESSES[index % ETCD_ADDRESSES.length] ?? '',
    args,
  });
}

/** An etcd cluster and a CTDB cluster that keeps its lock in it. */
export class Bed implements AsyncDisposable {
  readonly etcd: EtcdCluster;
  readonly ctdb: CtdbCluster;

  private constructor(etcd: EtcdCluster, ctdb: CtdbCluster) {
    this.etcd = etcd;
    this.ctdb = ctdb;
  }

  /** Resolves when all nodes are OK. */
  static async make(options: CtdbOptions = {}): Promise<Bed> {
    const etcd = await startEtcd(options.lock === 'python' ? ['--enable-v2'] : []);
    try {
      return new Bed(etcd, await CtdbCluster.start({ ...options, etcd }));
    } catch (error) {
      await etcd.stop();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ctdb.stop();
    await this.etcd.stop();
  }
}
