/** The programs that packaging runs, so that what is missing is said at the start, all at once. */
import { execFileSync } from 'node:child_process';
import type { Architecture } from './architecture.ts';

/** What is to be made. */
export interface Wanted {
  /** The binary, and for which machine. */
  readonly build: Architecture | undefined;
  readonly deb: boolean;
  /** The RPMs, or their files laid out. */
  readonly rpm: boolean;
  readonly repository: boolean;
  readonly signature: boolean;
}

/** A program and the Debian package that has it. */
type Tool = readonly [program: string, debianPackage: string];

function toolsFor({ build, deb, rpm, repository, signature }: Wanted): Tool[] {
  const foreign: Tool[] = [
    ['aarch64-linux-gnu-strip', 'binutils-aarch64-linux-gnu'],
    ['qemu-aarch64-static', 'qemu-user-static'],
  ];
  return [
    ...(build === undefined ? [] : ([['strip', 'binutils']] as Tool[])),
    ...(build === undefined || build.node === 'x64' ? [] : foreign),
    ...(deb
      ? ([
          ['dpkg-deb', 'dpkg'],
          ['objdump', 'binutils'],
        ] as Tool[])
      : []),
    ...(rpm
      ? ([
          ['rpmbuild', 'rpm'],
          ['checkmodule', 'checkpolicy'],
          ['semodule_package', 'semodule-utils'],
        ] as Tool[])
      : []),
    ...(repository
      ? ([
          ['apt-ftparchive', 'apt-utils'],
          ['createrepo_c', 'createrepo-c'],
        ] as Tool[])
      : []),
    ...(signature
      ? ([
          ['gpg', 'gpg'],
          ['rpmsign', 'rpm'],
        ] as Tool[])
      : []),
  ];
}

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Fails with the packages to install when a program is missing that making this needs. */
export function needTools(wanted: Wanted): void {
  const missing = toolsFor(wanted).filter(([program]) => !isThere(program));
  if (missing.length === 0) return;
  const programs = missing.map(([program]) => program).join(', ');
  const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))].sort().join(' ');
  throw new Error(`Cannot find ${programs}: run "apt-get install ${packages}"`);
}
