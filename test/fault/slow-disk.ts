import { once } from 'node:events';
import type { EtcdMember } from '../support/etcd-cluster.ts';
import { spawnTied } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

// Longer than any stall: each ends when strace lets the member go.
const LONGEST_MICROSECONDS = 600_000_000;

/**
 * Makes every fsync of these members hang, as on a disk that stalls, until the returned function is called. strace holds
 * the calls up at their entry; whatever needs no fsync goes on.
 */
export async function stallDisks(members: readonly EtcdMember[]): Promise<() => Promise<void>> {
  const tracers = members.map((member) => {
    const calls = 'fsync,fdatasync';
    const tracer = spawnTied(
      'strace',
      [
        ...['-f', '-o', '/dev/null', '-p', String(member.pid), '-e', `trace=${calls}`],
        ...['-e', `inject=${calls}:delay_enter=${LONGEST_MICROSECONDS}`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    tracer.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    return { member, tracer, said: () => said };
  });
  for (const { member, said } of tracers) {
    await waitFor(`strace holds ${member.name}`, () => said().includes(' attached'));
  }
  return async () => {
    await Promise.all(
      tracers.map(async ({ tracer }) => {
        const gone = once(tracer, 'exit');
        tracer.kill('SIGTERM');
        await gone;
      }),
    );
  };
}
