/** Which releases of the system's libraries a binary needs, from the symbol versions that it asks for. */
import { run } from './project.ts';

/** The first release of GCC whose libstdc++ has a symbol version (libstdc++ manual, "ABI Policy and Guidelines"). */
const GCC_OF_CXX: Readonly<Record<string, string>> = {
  'GLIBCXX_3.4.20': '4.9',
  'GLIBCXX_3.4.21': '5',
  'GLIBCXX_3.4.22': '6',
  'GLIBCXX_3.4.23': '7',
  'GLIBCXX_3.4.24': '7.2',
  'GLIBCXX_3.4.25': '8',
  'GLIBCXX_3.4.26': '9',
  'GLIBCXX_3.4.28': '9.3',
  'GLIBCXX_3.4.29': '11',
  'GLIBCXX_3.4.30': '12',
  'GLIBCXX_3.4.31': '13',
  'CXXABI_1.3.8': '4.9',
  'CXXABI_1.3.9': '5',
  'CXXABI_1.3.10': '6',
  'CXXABI_1.3.11': '7',
  'CXXABI_1.3.12': '9',
  'CXXABI_1.3.13': '11',
  'CXXABI_1.3.14': '13',
};
// All that went before came with GCC 4.8 or earlier.
const OLD_CXX = /^(GLIBCXX_3\.4(\.1?\d)?|CXXABI_1\.3(\.[1-7])?)$/;

/** The libraries that packages.debian.org has under these names on every release since Debian 10. */
const KNOWN_LIBRARIES =
  /^(ld-linux-(x86-64|aarch64)\.so\.[12]|lib(c|dl|m|pthread)\.so\.6?[02]?|libc\.so\.6|libm\.so\.6|libstdc\+\+\.so\.6|libgcc_s\.so\.1)$/;

export interface Requirements {
  readonly glibc: string;
  /** The release of GCC that libstdc++ must come from. */
  readonly gcc: string;
  /** The newest symbol version of libgcc_s. */
  readonly libgcc: string;
}

function compareVersions(one: string, other: string): number {
  const ones = one.split('.').map(Number);
  const others = other.split('.').map(Number);
  for (let at = 0; at < Math.max(ones.length, others.length); at += 1) {
    const difference = (ones[at] ?? 0) - (others[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const newest = (versions: readonly string[]): string => [...versions].sort(compareVersions).at(-1) ?? '0';

/** Reads `objdump -p`'s output. */
export function requirementsFrom(text: string): Requirements {
  for (const [, library = ''] of text.matchAll(/^ +NEEDED +(\S+)$/gm)) {
    if (!KNOWN_LIBRARIES.test(library))
      throw new Error(`The binary needs ${library}, which no dependency covers`);
  }
  const references = text.slice(text.indexOf('Version References:'));
  const versions = [...references.matchAll(/^ +0x[0-9a-f]{8} 0x[0-9a-f]{2} \d+ (\S+)$/gm)].map(
    ([, version = '']) => version,
  );
  const glibc: string[] = [];
  const gcc: string[] = ['4.8'];
  const libgcc: string[] = [];
  for (const version of versions) {
    if (version.startsWith('GLIBC_')) glibc.push(version.slice('GLIBC_'.length));
    else if (version.startsWith('GCC_')) libgcc.push(version.slice('GCC_'.length));
    else if (GCC_OF_CXX[version] !== undefined) gcc.push(GCC_OF_CXX[version]);
    else if (!OLD_CXX.test(version))
      throw new Error(`The binary needs ${version}: which library has it first?`);
  }
  if (glibc.length === 0) throw new Error('The binary asks for no version of glibc, which cannot be');
  return { glibc: newest(glibc), gcc: newest(gcc), libgcc: newest(libgcc) };
}

/** What `binary` needs; for any architecture. */
export function requirementsOf(binary: string): Requirements {
  return requirementsFrom(run('objdump', ['-p', binary]));
}

/** As a Debian control file says it. libgcc1 is what Debian 10 and Ubuntu 18.04 call libgcc-s1. */
export function debianDepends({ glibc, gcc, libgcc }: Requirements): string {
  return [
    `libc6 (>= ${glibc})`,
    `libgcc-s1 (>= ${libgcc}) | libgcc1 (>= 1:${libgcc})`,
    `libstdc++6 (>= ${gcc})`,
  ].join(', ');
}
