import { spawn } from 'node:child_process';
import { helperProgram } from './mutex-parent.ts';
import { run, type Finished } from './processes.ts';
import { waitFor } from './wait.ts';

/** Runs the packed binary as an administrator does whose output goes into a pipe. */
export function runAdmin(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Finished> {
  return run(helperProgram(), args, { env: { ...env } });
}

/** Finds out what to type; `seen` resolves once the terminal has shown such text. */
type Typist = (seen: (text: RegExp) => Promise<true>) => Promise<string>;

/** Runs it on a terminal of its own (script(1)), types `typed`, and resolves to all that the terminal showed. */
export async function runOnTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  typed: string | Typist,
): Promise<{ readonly status: number | null; readonly shown: string }> {
  const command = [helperProgram(), ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    env: { ...env, SHELL: '/bin/sh', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const seen = (text: RegExp): Promise<true> =>
    waitFor(`the terminal shows ${text.source}`, () => text.test(shown), { withinMs: 10_000 });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
  child.stdin.write(typeof typed === 'string' ? typed : await typed(seen));
  const status = await closed;
  clearTimeout(limit);
  return { status, shown };
}
