import { etcdProgram, type EtcdCluster, type EtcdctlOptions } from './etcd-cluster.ts';
import type { Helper } from './mutex-parent.ts';
import { runChecked } from './processes.ts';
import { waitFor } from './wait.ts';

/** The sum of one of etcd's counters over all members, with all its labels that hold `label`. */
export async function counterOf(cluster: EtcdCluster, name: string, label = ''): Promise<number> {
  const counts = await Promise.all(
    cluster.members.map(async ({ address, healthPort }) => {
      try {
        const text = await (await fetch(`http://${address}:${healthPort}/metrics`)).text();
        return text
          .split('\n')
          .filter((line) => line.startsWith(name) && line.includes(label))
          .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
      } catch {
        return 0; // it is down
      }
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** How many logins the members have granted since they were started. */
export function loginsOf(cluster: EtcdCluster): Promise<number> {
  return counterOf(cluster, 'grpc_server_handled_total{grpc_code="OK"', 'grpc_method="Authenticate"');
}

/** Resolves when a lease was renewed after this call; `helper` is the only holder. Rejects with its words when it has ended. */
export async function renewedOnce(cluster: EtcdCluster, helper: Helper): Promise<void> {
  const count = (): Promise<number> => counterOf(cluster, 'etcd_debugging_lease_renewed_total');
  const before = await count();
  const isRenewed = async (): Promise<boolean> => {
    if (helper.endOfFileAtMs !== undefined) throw new Error(`The helper has ended: ${helper.stderr}`);
    return (await count()) > before;
  };
  await waitFor('the lease is renewed', isRenewed, { withinMs: 20_000, everyMs: 100 });
}

/** Restarts one member after the other, each when the one before is healthy again. */
export async function restartOneByOne(cluster: EtcdCluster): Promise<void> {
  for (const member of cluster.members) {
    await member.stop('SIGTERM');
    member.start();
    await member.healthy();
  }
}

/** Changes a user's password, which etcdctl takes from its standard input only. */
export async function setPassword(
  cluster: EtcdCluster,
  user: string,
  password: string,
  options: EtcdctlOptions,
): Promise<void> {
  const command = [etcdProgram(cluster.release, 'etcdctl'), ...cluster.etcdctlArguments(options)];
  const script = 'printf "%s\\n" "$0" | ETCDCTL_API=3 "$@"';
  const change = ['user', 'passwd', '--interactive=false', user];
  await runChecked('sh', ['-c', script, password, ...command, ...change]);
}
