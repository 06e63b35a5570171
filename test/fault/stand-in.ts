import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { spawnTied } from '../support/processes.ts';
import { reunite } from './reunite.ts';
import { MEMBERS, type World } from './world.ts';

const IMPOSTOR = fileURLToPath(new URL('./impostor.ts', import.meta.url));

/** What can become of a member, as its clients see it. */
export const MEMBER_FAULTS = ['killed', 'frozen', 'black hole', 'silent', 'errors'] as const;
export type MemberFault = (typeof MEMBER_FAULTS)[number];

/** Breaks a member in one way; resolves to a function that makes it whole again. */
export async function breakMember(
  world: World,
  index: number,
  fault: MemberFault,
): Promise<() => Promise<void>> {
  const member = world.cluster.member(index);
  const host = MEMBERS[index] ?? '';
  world.note(`member ${host}: ${fault}`);
  switch (fault) {
    case 'killed':
      await member.stop();
      return async () => {
        member.start();
        await member.healthy();
      };
    case 'frozen':
      member.freeze();
      return async () => {
        member.thaw();
        await member.healthy();
      };
    case 'black hole': {
      const others = [...MEMBERS, ...world.nodes.map((node) => node.host)].filter((other) => other !== host);
      await world.network.cutBoth([host], others);
      return () => reunite(world, [host], others);
    }
    case 'silent':
    case 'errors': {
      await member.stop();
      const [command = '', ...args] = [
        ...world.network.on(host),
        ...[process.execPath, IMPOSTOR, fault, member.address, String(member.clientPort)],
      ];
      const impostor = spawnTied(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      if (impostor.stdout !== null) await once(impostor.stdout, 'data');
      return async () => {
        const gone = once(impostor, 'exit');
        impostor.kill('SIGKILL');
        await gone;
        member.start();
        await member.healthy();
      };
    }
  }
}
