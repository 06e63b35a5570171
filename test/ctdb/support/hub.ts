import { readFileSync } from 'node:fs';
import { run, runChecked } from '../../support/processes.ts';

const BRIDGE = 'hub';

/** Where the members of etcd listen: three addresses of this network namespace that every node reaches. */
export const ETCD_ADDRESSES = ['10.66.0.1', '10.66.0.2', '10.66.0.3'] as const;

let made: Promise<void> | undefined;
let clusters = 0;

const ip = (...args: string[]): Promise<string> => runChecked('ip', args);

/** Refuses to touch the machine's own network. */
function assertOwnNetwork(): void {
  const devices = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .slice(2)
    .map((line) => line.split(':')[0]?.trim() ?? '')
    .filter((device) => device !== '' && device !== 'lo');
  if (devices.length > 0) {
    throw new Error(
      `This network namespace has devices already (${devices.join(', ')}): use test/ctdb/run.sh`,
    );
  }
}

/** Makes the switch that all nodes and all members of etcd of this process hang on; once. */
export function makeHub(): Promise<void> {
  made ??= (async () => {
    assertOwnNetwork();
    await ip('link', 'add', BRIDGE, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
    for (const address of ETCD_ADDRESSES) await ip('address', 'add', `${address}/16`, 'dev', BRIDGE);
    await ip('link', 'set', BRIDGE, 'up');
  })();
  return made;
}

/** Takes the switch away with all that hangs on it, so that another process can make its own here. */
export async function removeHub(): Promise<void> {
  const cables = await ip('-oneline', 'link', 'show', 'master', BRIDGE);
  // A cable also goes by itself when the network at its other end does, which can be just now.
  for (const [, cable = ''] of cables.matchAll(/^\d+: ([^@:]+)/gm)) await run('ip', ['link', 'del', cable]);
  await ip('link', 'del', BRIDGE);
  made = undefined;
}

/** Three octets of addresses that no other cluster of this process has. */
export function nextSubnet(): string {
  clusters += 1;
  return `10.66.${clusters}`;
}

/** The cable between a node's network namespace and the hub. */
export class Cable {
  readonly #device: string;

  private constructor(device: string) {
    this.#device = device;
  }

  /** Gives the network namespace of process `pid` a device with that address. */
  static async plug(name: string, pid: number, address: string): Promise<Cable> {
    await makeHub();
    await ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
    const inside = (...args: string[]): Promise<string> =>
      runChecked('nsenter', ['--target', String(pid), '--net', 'ip', ...args]);
    await inside('link', 'set', 'lo', 'up');
    await inside('address', 'add', `${address}/16`, 'dev', 'eth0');
    await inside('link', 'set', 'eth0', 'up');
    await ip('link', 'set', name, 'master', BRIDGE, 'up');
    return new Cable(name);
  }

  /** Packets vanish both ways and nobody is told, as behind a switch that died. */
  async cut(): Promise<void> {
    await ip('link', 'set', this.#device, 'nomaster');
  }

  async mend(): Promise<void> {
    await ip('link', 'set', this.#device, 'master', BRIDGE);
  }
}
