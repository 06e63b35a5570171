import type { HelperBase } from './helper-base.ts';
import { helperProgram } from './mutex-parent.ts';
import { run } from './processes.ts';

/** One line of `check`. */
export interface Finding {
  readonly verdict: 'ok' | 'note' | 'warning' | 'problem';
  readonly area: string;
  readonly id: string;
  readonly text: string;
  readonly remedy: string | null;
}

// A machine of a test has no CTDB, and one member of etcd is enough for it.
const OF_THE_TEST = (finding: Finding): boolean => finding.area === 'ctdb' || finding.id === 'members-few';

/**
 * Runs `check` on the configuration that the helper has, where the helper runs.
 *
 * @returns what it found about etcd and the way there, and its exit status
 */
export async function checkLock(
  base: Pick<HelperBase, 'configFile' | 'directory'>,
  wrap: readonly string[] = [],
): Promise<{ readonly status: number | null; readonly findings: readonly Finding[] }> {
  const command = [...wrap, helperProgram(), 'check', '--config', base.configFile, '--json'];
  const env = { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', CTDB_BASE: base.directory };
  const { status, stdout, stderr } = await run(command[0] ?? '', command.slice(1), { env, limitMs: 60_000 });
  try {
    const { results } = JSON.parse(stdout) as { results: Finding[] };
    return { status, findings: results.filter((finding) => !OF_THE_TEST(finding)) };
  } catch (error) {
    throw new Error(`check printed no findings: ${stdout}${stderr}`, { cause: error });
  }
}
