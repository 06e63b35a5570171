import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { DEFAULT_RELEASE, type EtcdRelease, releaseThatTakes } from '../../support/etcd-programs.ts';
import { CtdbCluster } from './cluster.ts';
import type { CtdbOptions } from './cluster.ts';
import { ETCD_ADDRESSES, makeHub } from './hub.ts';

/** `npm run test:ctdb -- --short`: the same tests with fewer repetitions, for every change. */
export const SHORT = process.env['CTDB_TESTS'] === 'short';

/** Three members of etcd on the hub, which every node reaches; `DEFAULT_RELEASE` unless said otherwise. */
export async function startEtcd(
  args: readonly string[] = [],
  release: EtcdRelease = DEFAULT_RELEASE,
): Promise<EtcdCluster> {
  await makeHub();
  return EtcdCluster.start({
    release,
    members: 3,
    address: (index) => ETCD_ADDRESSES[index % ETCD_ADDRESSES.length] ?? '',
    args,
  });
}

/** The same with the API v2 of the predecessor, which etcd has up to 3.5. */
export function startEtcdWithV2(): Promise<EtcdCluster> {
  return startEtcd(['--enable-v2'], releaseThatTakes('--enable-v2'));
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
  static async make(options: CtdbOptions = {}, etcdRelease?: EtcdRelease): Promise<Bed> {
    const etcd =
      options.lock === 'python'
        ? await startEtcdWithV2()
        : await startEtcd([], etcdRelease ?? DEFAULT_RELEASE);
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
