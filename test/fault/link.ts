import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runChecked, spawnTied } from '../support/processes.ts';
import type { Network } from './network.ts';

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface LinkFaults {
  readonly delayMs: number;
  /** Up to this much more, at random; packets keep their order. */
  readonly jitterMs: number;
  /** The share of packets that is thrown away, 0 to 1. */
  readonly loss: number;
}

/** Puts a relay of packets into the cable of a host; resolves to a function that takes it out again. */
export async function slowDown(
  network: Network,
  host: string,
  faults: LinkFaults,
): Promise<() => Promise<void>> {
  const { namespace, port } = network.cable(host);
  const [inner, outer] = [`i-${host}`, `o-${host}`];
  const noOffload = (where: string, ...interfaces: string[]): Promise<string> =>
    runChecked('ip', ['netns', 'exec', where, 'python3', program('./no-offload.py'), ...interfaces]);
  await noOffload(network.namespace(host), 'eth0');
  await runChecked('ip', ['-n', namespace, 'link', 'add', inner, 'type', 'veth', 'peer', 'name', outer]);
  await noOffload(namespace, inner, outer, port);
  const relay = spawnTied(
    'ip',
    [
      ...['netns', 'exec', namespace, 'python3', program('./link-relay.py'), port, inner],
      ...[faults.delayMs, faults.jitterMs, faults.loss].map(String),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const inNamespace = (command: string): Promise<string> =>
    runChecked('ip', ['-n', namespace, ...command.split(' ')]);
  await inNamespace(`link set ${inner} up`);
  await inNamespace(`link set ${outer} up`);
  if (relay.stdout !== null) await once(relay.stdout, 'data');
  await inNamespace(`link set ${port} nomaster`);
  await inNamespace(`link set ${outer} master bridge`);
  return async () => {
    const gone = once(relay, 'exit');
    relay.kill('SIGKILL');
    await gone;
    await inNamespace(`link del ${inner}`);
    await inNamespace(`link set ${port} master bridge`);
  };
}
