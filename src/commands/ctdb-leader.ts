import type { RunCommand } from '../base/command.ts';

/** What CTDB on this node says about its leader. */
export type CtdbLeader =
  | { readonly kind: 'leader'; readonly pnn: number }
  /** CTDB runs, and no node is the leader. */
  | { readonly kind: 'none' }
  /** CTDB does not run here, is not installed, or does not answer. */
  | { readonly kind: 'silent' };

const LIMIT_S = 3;
const LIMIT_MS = 4_000;

/** Runs `ctdb leader`, which was called `ctdb recmaster` up to 4.16. Never rejects. */
export async function ctdbLeader(run: RunCommand): Promise<CtdbLeader> {
  for (const word of ['leader', 'recmaster']) {
    const outcome = await run('ctdb', ['-T', LIMIT_S.toString(), word], LIMIT_MS);
    if (outcome.kind !== 'exited') return { kind: 'silent' };
    const said = outcome.stdout.trim();
    if (outcome.code === 0 && /^[0-9]{1,5}$/.test(said)) return { kind: 'leader', pnn: Number(said) };
    if (outcome.code === 0 && /^UNKNOWN$/i.test(said)) return { kind: 'none' };
  }
  return { kind: 'silent' };
}
