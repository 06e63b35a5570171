/** Asks the finished binary whether it is what it has to be. */
import { execFileSync } from 'node:child_process';
import { BASE } from './base.ts';
import { RUNTIME_FLAGS } from './flags.ts';
import { fail, say } from './report.ts';

// What every Linux system with glibc has; anything else would be missing somewhere.
const USUAL_LIBRARIES =
  /^(linux-vdso|\/lib64\/ld-linux-x86-64|lib(c|m|dl|pthread|stdc\+\+|gcc_s|atomic))\.so/;

interface BootReport {
  readonly version: string;
  readonly execArgv: readonly string[];
  readonly cachedDataRejected: boolean | undefined;
}

function run(file: string, args: readonly string[], env: Record<string, string> = {}): string {
  return execFileSync(file, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'inherit'] });
}

export function verify(file: string): void {
  const report = JSON.parse(run(file, ['--boot-report'])) as BootReport;
  if (report.version !== `v${BASE.version}`)
    fail(`The binary runs on ${report.version}, want v${BASE.version}`);
  if (report.cachedDataRejected !== false) fail('The binary rejects its code cache');
  for (const flag of RUNTIME_FLAGS) {
    if (!report.execArgv.includes(flag))
      fail(`The binary runs with ${report.execArgv.join(' ')}, want ${flag} too`);
  }
  const version = run(file, ['--version'], { NODE_OPTIONS: '--bad-option', NODE_DEBUG: '*' });
  if (!version.startsWith('ctdb_etcd_lock '))
    fail(`The binary answers --version with ${JSON.stringify(version)}`);
  for (const line of run('ldd', [file]).trim().split('\n')) {
    if (!USUAL_LIBRARIES.test(line.trim())) fail(`The binary needs an unusual library: ${line.trim()}`);
  }
  say(
    `Verified: code cache accepted, NODE_OPTIONS ignored, only libc and libstdc++ needed; ${version.split('\n')[0] ?? ''}`,
  );
}
